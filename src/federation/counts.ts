/** How many templates match in all, and how much is known of that number. */
import type { CountAccuracy } from '../domain/search.ts';

/** What one registry's stream tells of its part. */
export interface StreamCount {
  readonly namespace: string;
  /** Did not answer, not even from the cache. */
  readonly isLost: boolean;
  /** Something of what it answered was past its lifetime. */
  readonly isStale: boolean;
  /** The names that may be shown, when the list was read to its end; null otherwise. */
  readonly wholeNames: ReadonlySet<string> | null;
  /** What the registry says; null when it does not count. */
  readonly totalCount: number | null;
  readonly miscounts: boolean;
  /** Rows of it are filtered out here, or may be. */
  readonly isFilteredHere: boolean;
}

export interface TotalCount {
  readonly totalCount: number | null;
  readonly accuracy: CountAccuracy;
}

/**
 * Adds up the streams. EXACT: all answered freshly, and every stream was read to its end, or nothing is collapsed or filtered
 * here and all count exactly. AT_MOST: all answered, and only what is done here can lower the number. AT_LEAST: a registry is
 * missing, and nothing can lower it. UNKNOWN: none counts. ESTIMATE: everything else.
 */
export function countMatches(streams: readonly StreamCount[], collapse: boolean): TotalCount {
  const answering = streams.filter((stream) => !stream.isLost);
  const whole = answering.flatMap((stream) =>
    stream.wholeNames === null ? [] : [{ ...stream, names: stream.wholeNames }],
  );
  if (whole.length === streams.length) {
    // What was read to its end is counted, but how it is now is not known of what is no longer fresh.
    const accuracy = streams.some((stream) => stream.isStale) ? 'ESTIMATE' : 'EXACT';
    return { totalCount: countWhole(whole, collapse), accuracy };
  }
  const counting = answering.filter((stream) => stream.wholeNames !== null || stream.totalCount !== null);
  if (counting.length === 0) return { totalCount: null, accuracy: 'UNKNOWN' };
  const totalCount = counting.reduce((sum, stream) => sum + (stream.wholeNames?.size ?? stream.totalCount ?? 0), 0);
  const isReliable = answering.every((stream) => !stream.isStale && (stream.wholeNames !== null || !stream.miscounts));
  if (!isReliable) return { totalCount, accuracy: 'ESTIMATE' };
  const isMissing = counting.length < streams.length;
  const isLowered =
    (collapse && shareNamespace(answering)) ||
    answering.some((stream) => stream.wholeNames === null && stream.isFilteredHere);
  if (isMissing) return { totalCount, accuracy: isLowered ? 'ESTIMATE' : 'AT_LEAST' };
  return { totalCount, accuracy: isLowered ? 'AT_MOST' : 'EXACT' };
}

function countWhole(
  streams: readonly { readonly namespace: string; readonly names: ReadonlySet<string> }[],
  collapse: boolean,
): number {
  if (!collapse) return streams.reduce((sum, stream) => sum + stream.names.size, 0);
  const byNamespace = Map.groupBy(streams, (stream) => stream.namespace);
  let count = 0;
  for (const group of byNamespace.values()) {
    count += group.reduce((names, stream) => names.union(stream.names), new Set<string>()).size;
  }
  return count;
}

function shareNamespace(streams: readonly StreamCount[]): boolean {
  return new Set(streams.map((stream) => stream.namespace)).size < streams.length;
}

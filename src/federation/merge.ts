/**
 * The k-way merge over stream heads: takes one page off the streams in the total order. What it does is decided by the
 * streams' entries alone; it waits only where a stream has to read on, or where collapse has to ask.
 */
import type { RegistryFailure } from '../domain/errors.ts';
import type { CollapseDecisions } from './collapse.ts';
import type { ComparePositions, Position } from './order.ts';
import type { Entry, RegistryStream } from './stream.ts';

/** Entries that collapse asks about at least, in one batch: so that one question serves a whole page. */
const MIN_BATCH = 50;

export interface MergedPage {
  /** In walk order. */
  readonly entries: readonly Entry[];
  /** Entries remain in streams that can answer now, or a stream has reached its bound. */
  readonly hasMore: boolean;
  /** A stream reached its bound: the page is shorter than was asked for. */
  readonly isBounded: boolean;
  /** The last place that was consumed, shown or not; null when nothing was. */
  readonly end: Position | null;
}

export interface MergeContext {
  /** In the direction of the walk. */
  readonly compare: ComparePositions;
  readonly collapse: CollapseDecisions | null;
  /** Of the page, on the clock of `performance.now()`. */
  readonly deadlineMs: number;
  /** Turns what a stream threw into its failure; throws on what is none. */
  asFailure(error: unknown): RegistryFailure;
}

/** Takes the next `count` entries that may be shown. Streams that fail on the way are LOST where the page stood then. */
export async function mergePage(
  streams: readonly RegistryStream[],
  count: number,
  context: MergeContext,
): Promise<MergedPage> {
  const { compare, collapse } = context;
  const entries: Entry[] = [];
  let end: Position | null = null;
  const needed = () => count - entries.length + 1;
  const progress: Progress = { mark: () => end, needed };
  for (;;) {
    if (entries.length === count && streams.some(({ head }) => head !== null && isKept(head, collapse))) {
      return { entries, hasMore: true, isBounded: false, end };
    }
    // Nearly every turn finds all heads known, and goes on without a promise.
    if (streams.some(({ wantsRows }) => wantsRows)) await fillAll(streams, progress, context);
    const next = earliestHead(streams, compare);
    const barrier = earliestBarrier(streams, compare);
    if (barrier !== null && (next === null || compare(next, barrier) > 0)) {
      const bounded = end === null || compare(barrier, end) > 0 ? barrier : end;
      const isFull = entries.length === count;
      return { entries, hasMore: true, isBounded: !isFull, end: isFull ? end : bounded };
    }
    if (next === null) return { entries, hasMore: false, isBounded: false, end };
    const verdict = collapse === null ? 'KEEP' : collapse.verdict(next);
    if (verdict === 'ASK') {
      await collapse?.ask(upcoming(streams, Math.max(MIN_BATCH, 2 * needed()), compare), next);
      continue;
    }
    if (verdict === 'KEEP' && entries.length === count) return { entries, hasMore: true, isBounded: false, end };
    next.stream.consume();
    if (entries.length < count && (end === null || compare(next, end) > 0)) end = next;
    if (verdict === 'KEEP') entries.push(next);
  }
}

function isKept(head: Entry, collapse: CollapseDecisions | null): boolean {
  return collapse === null || collapse.verdict(head) === 'KEEP';
}

/** Where the page stands while its streams are filled: the last place reached, and how many entries it may still want. */
interface Progress {
  mark(): Position | null;
  needed(): number;
}

/**
 * Fills every stream that has run out. One that is slow must cost its own rows alone: when half of the time is gone, what the
 * page will want of the others is read and asked for meanwhile, so that it can be made when the deadline strikes.
 */
async function fillAll(streams: readonly RegistryStream[], progress: Progress, context: MergeContext): Promise<void> {
  const wanting = streams.filter((stream) => stream.wantsRows);
  const pending = new Set(wanting);
  // Settled, not raced: when one throws a defect, none of the others may reject unheard.
  const fills = Promise.allSettled(
    wanting.map((stream) => stream.fill(progress.mark, context.asFailure).finally(() => pending.delete(stream))),
  );
  let ahead: Promise<PromiseSettledResult<void>[]> | undefined;
  let timer: NodeJS.Timeout | undefined;
  if (streams.length > 1 && Number.isFinite(context.deadlineMs)) {
    const halfTimeMs = Math.max(0, (context.deadlineMs - performance.now()) / 2);
    timer = setTimeout(() => {
      const idle = streams.filter((stream) => !pending.has(stream));
      ahead = Promise.allSettled([prepare(idle, progress.needed(), context)]);
    }, halfTimeMs);
  }
  const settled: PromiseSettledResult<void>[] = await fills;
  clearTimeout(timer);
  for (const result of [...settled, ...((await ahead) ?? [])]) if (result.status === 'rejected') throw result.reason;
}

/** Reads ahead of the streams, and has collapse ask about what they will bring: a page that wants `needed` entries more. */
export async function prepare(
  streams: readonly RegistryStream[],
  needed: number,
  { compare, collapse, asFailure }: MergeContext,
): Promise<void> {
  await Promise.all(streams.map((stream) => stream.readAhead(needed, asFailure)));
  await collapse?.ask(upcoming(streams, Math.max(MIN_BATCH, 2 * needed), compare));
}

function earliestHead(streams: readonly RegistryStream[], compare: ComparePositions): Entry | null {
  let earliest: Entry | null = null;
  for (const stream of streams) {
    const { head } = stream;
    if (head !== null && (earliest === null || compare(head, earliest) < 0)) earliest = head;
  }
  return earliest;
}

function earliestBarrier(streams: readonly RegistryStream[], compare: ComparePositions): Position | null {
  let earliest: Position | null = null;
  for (const { state, head } of streams) {
    if (state.type !== 'BOUNDED' || head !== null) continue;
    if (earliest === null || compare(state.barrier, earliest) < 0) earliest = state.barrier;
  }
  return earliest;
}

/** The next entries in merged order, as far as they are read. */
function upcoming(streams: readonly RegistryStream[], count: number, compare: ComparePositions): Entry[] {
  return streams
    .flatMap((stream) => stream.buffered.slice(0, count))
    .sort(compare)
    .slice(0, count);
}

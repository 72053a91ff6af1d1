/** The report of one registry's part in a page. */

import type { RegistryFailure } from '../domain/errors.ts';
import type { CacheOutcome, RegistryOutcome, RowOrder } from '../domain/search.ts';
import type { RegistrySearchReport } from './answers.ts';
import { DrainedStream } from './drained-stream.ts';
import type { ListReader } from './list-reader.ts';
import type { Participant } from './open-stream.ts';
import { worseOutcome } from './reading-record.ts';
import type { Entry, RegistryStream } from './stream.ts';

/** `entries`: of the whole page. `isLate`: whether an entry belonged on a page before this one. */
export function reportOn(
  participant: Participant,
  stream: RegistryStream,
  entries: readonly Entry[],
  isLate: (entry: Entry) => boolean,
): RegistrySearchReport {
  const readers = readersOf(participant, stream);
  const records = [...new Set(readers.map(({ record }) => record))];
  const own = entries.filter((entry) => entry.stream === stream);
  const failure = stream.state.type === 'LOST' ? stream.state.failure : null;
  const staleBecause = records.find((record) => record.staleBecause !== null)?.staleBecause ?? null;
  const cache = records.reduce<CacheOutcome>((worst, record) => worseOutcome(worst, record.cache), 'BYPASS');
  const oldestFetchMs = records.reduce((oldest, record) => Math.min(oldest, record.oldestFetchMs ?? oldest), Infinity);
  const reachable = reachableOf(stream, readers);
  return {
    registry: participant.registry,
    outcome: outcomeOf(failure, staleBecause),
    totalCount: readers.find((reader) => reader.totalCount !== null)?.totalCount ?? null,
    returned: own.length,
    lateRows: own.filter(isLate).length,
    scanned: records.reduce((sum, record) => sum + record.rowsRead, 0),
    malformed: records.reduce((sum, record) => sum + record.malformed, 0),
    reachable,
    truncated: reachable !== null,
    order: orderOf(participant, stream),
    // A registry that failed was asked, and nothing of the cache could stand in for it.
    cache: failure !== null && !failure.refusedHere && cache === 'BYPASS' ? 'MISS' : cache,
    ageSeconds:
      (cache === 'HIT' || cache === 'STALE') && Number.isFinite(oldestFetchMs)
        ? Math.max(0, (Date.now() - oldestFetchMs) / 1000)
        : null,
    freshUntilMs:
      failure === null ? records.reduce((least, record) => Math.min(least, record.freshUntilMs), Infinity) : 0,
    tookMs: records.reduce((longest, record) => Math.max(longest, record.tookMs), 0),
    error: (failure ?? staleBecause)?.toView() ?? null,
  };
}

function readersOf(participant: Participant, stream: RegistryStream): readonly ListReader[] {
  const drained = stream instanceof DrainedStream ? stream.drainReader : null;
  return drained === null ? participant.readers : [drained, ...participant.readers];
}

/** An older answer that is only being refreshed (cache STALE, and no reason) is in order. */
function outcomeOf(failure: RegistryFailure | null, staleBecause: RegistryFailure | null): RegistryOutcome {
  if (failure === null) return staleBecause !== null ? 'STALE' : 'OK';
  if (failure.refusedHere) return 'SKIPPED';
  return failure.type === 'TIMEOUT' ? 'TIMEOUT' : 'FAILED';
}

function reachableOf(stream: RegistryStream, readers: readonly ListReader[]): number | null {
  if (stream instanceof DrainedStream && stream.capped) return stream.depth;
  return readers.find((reader) => reader.reachable !== null)?.reachable ?? null;
}

function orderOf(participant: Participant, stream: RegistryStream): RowOrder {
  if (stream instanceof DrainedStream) return stream.capped ? 'PARTIAL' : 'GATEWAY';
  const { order } = participant.reader.list;
  const known = order.field === 'RELEVANCE' ? null : participant.traits.listOrder(order);
  return known === 'UNSORTED' ? 'PARTIAL' : 'REGISTRY';
}

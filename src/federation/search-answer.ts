/** Makes the answer of a search from what was merged: edges, page info, counts, facets, reports. */
import type { SearchResult } from './answers.ts';
import { countMatches } from './counts.ts';
import { mergeFacets } from './facets.ts';
import type { MergedPage } from './merge.ts';
import type { PageSetting, Participant } from './open-stream.ts';
import type { PageCursors } from './page-cursors.ts';
import type { PageRows } from './page-rows.ts';
import { reportOn } from './report.ts';
import type { Entry, RegistryStream } from './stream.ts';
import type { WalkStart } from './walk.ts';

/** The scale of `Entry.relevance`. */
const HIGHEST_SCORE = 65_535;

/** One page as it was merged. `streams` are in the order of the participants. */
export interface MadePage {
  readonly streams: readonly RegistryStream[];
  readonly merged: MergedPage;
  readonly rows: PageRows;
  /** Registries had to be asked about names, of which longer first windows would have told. */
  readonly wantsLongerWindows: boolean;
  /** By registry the names that it had to be asked about. */
  readonly neededAnswers: ReadonlyMap<string, ReadonlySet<string>>;
}

interface AnswerParts extends MadePage {
  readonly participants: readonly Participant[];
  readonly cursors: PageCursors;
  readonly walk: WalkStart;
  readonly setting: PageSetting;
  readonly collapse: boolean;
  readonly areClaimsSet: boolean;
  /** On the clock of `performance.now()`. */
  readonly startedMs: number;
}

/** The answer that the resolvers see. What costs more than a look (cursors, facets) is made when it is asked for. */
export function composeResult(parts: AnswerParts): SearchResult {
  const { participants, streams, merged, rows, walk, setting, collapse, areClaimsSet } = parts;
  const isForward = setting.context.direction === 'FORWARD';
  const isLate = (entry: Entry) => walk.mark !== null && setting.context.compare(entry, walk.mark) <= 0;
  const reports = participants.map((participant, index) =>
    reportOn(participant, streams[index] ?? participant.createTotalStream(), merged.entries, isLate),
  );
  const partial = reports.some(({ outcome }) => outcome !== 'OK' && outcome !== 'STALE');
  const { totalCount, accuracy } = countMatches(
    participants.map((participant) => rows.countOf(participant, areClaimsSet, setting.passes !== null)),
    collapse,
  );
  return {
    ...pageOf(parts, isForward, partial),
    totalCount,
    totalCountAccuracy: accuracy,
    facets: () => {
      const streamFacets = participants.map((participant) => rows.facetsOf(participant));
      return mergeFacets(streamFacets, collapse, accuracy);
    },
    partial,
    reports,
    freshUntilMs: reports.reduce((least, report) => Math.min(least, report.freshUntilMs), Infinity),
    tookMs: performance.now() - parts.startedMs,
  };
}

type Page = Pick<SearchResult, 'edges' | 'hasNextPage' | 'hasPreviousPage' | 'startCursor' | 'endCursor'>;

/** The edges in the order of the search, whichever way the walk goes. */
function pageOf({ merged, cursors, walk }: AnswerParts, isForward: boolean, partial: boolean): Page {
  const { entries, isBounded, end, hasMore } = merged;
  const inWalkOrder = entries.map((entry, index) => ({
    template: entry.row.template,
    score: entry.relevance === null ? null : entry.relevance / HIGHEST_SCORE,
    cursor: () => cursors.atEntry(index),
  }));
  // Behind the last entry, unless the page stopped later than that; an empty partial page can be taken up again, too.
  const walkEnd = () => {
    if (entries.length > 0 && !isBounded) return cursors.atEntry(entries.length - 1);
    return isBounded || partial ? cursors.atEnd(end) : null;
  };
  const walkBegin = () => (entries.length > 0 ? cursors.atEntry(0) : null);
  return {
    edges: isForward ? inWalkOrder : inWalkOrder.reverse(),
    hasNextPage: isForward ? hasMore : walk.mark !== null,
    hasPreviousPage: isForward ? walk.mark !== null : hasMore,
    startCursor: isForward ? walkBegin : walkEnd,
    endCursor: isForward ? walkEnd : walkBegin,
  };
}

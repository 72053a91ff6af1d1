/** A search that is watched: what is told of each registry as it answers, before the page is made. */
import type { Template } from '../domain/template.ts';
import type { RegistrySearchReport, SearchProgress, SearchResult } from './answers.ts';
import { EventStream } from './event-stream.ts';
import type { Participant } from './open-stream.ts';
import { reportOn } from './report.ts';
import type { RegistryStream } from './stream.ts';

/** One registry's part in a search, as far as it is known when it has answered. */
interface RegistryPart {
  readonly report: RegistrySearchReport;
  /** Its first rows that match, in the order of the search: as many as came with its first answer, a page at most. */
  readonly templates: readonly Template[];
}

export interface SearchWatcher {
  /** Told once of each registry, when its first rows are there or it has failed. */
  onAnswered(part: RegistryPart): void;
  /** Whether nobody waits any more. */
  readonly isGone: boolean;
}

/** What the making of a page tells while its streams are opened. */
export interface OpeningWatch {
  /** Throws SearchAbandoned where nobody waits any more. */
  onOpened(participant: Participant, stream: RegistryStream): void;
  readonly isGone: boolean;
}

/** Whoever asked has left before the page was made. */
class SearchAbandoned extends Error {
  override readonly name = 'SearchAbandoned';

  constructor() {
    super('whoever asked for the search has left');
  }
}

/** `pageSize`: how many rows of one registry are told at most. */
export function watchOpenings(watcher: SearchWatcher, pageSize: number): OpeningWatch {
  // A page may start again because a registry sorts less well than was believed; it has answered all the same.
  const told = new Set<Participant>();
  return {
    get isGone() {
      return watcher.isGone;
    },
    onOpened(participant, stream) {
      if (watcher.isGone) throw new SearchAbandoned();
      if (told.has(participant)) return;
      told.add(participant);
      const entries = stream.buffered.slice(0, pageSize);
      const report = reportOn(participant, stream, entries, () => false);
      watcher.onAnswered({ report, templates: entries.map(({ row }) => row.template) });
    },
  };
}

/** The events of a search over `expected` registries. It begins at once, and ends early when the reader leaves. */
export function streamProgress(
  expected: number,
  search: (watcher: SearchWatcher) => Promise<SearchResult>,
): EventStream<SearchProgress> {
  const events = new EventStream<SearchProgress>();
  let answered = 0;
  const watcher: SearchWatcher = {
    get isGone() {
      return events.isClosed;
    },
    onAnswered({ report, templates }) {
      answered += 1;
      events.put(report.registry.source.info.name, { report, nodes: templates, answered, expected, result: null });
    },
  };
  search(watcher).then(
    (result) => {
      // No registry has the empty name.
      events.put('', { report: null, nodes: [], answered, expected, result });
      events.end();
    },
    (error: unknown) => events.fail(error),
  );
  return events;
}

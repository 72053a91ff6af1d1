/** What a page's readers hold of each registry's list, for those who need more of it than the page: collapse, counts, facets. */
import type { CatalogRow } from '../domain/template.ts';
import type { CollapseSource, ShownRow } from './collapse.ts';
import type { StreamCount } from './counts.ts';
import { beforeDeadline, DrainedStream, type DrainLimits, type Drains } from './drained-stream.ts';
import type { StreamFacets } from './facets.ts';
import type { ListReader } from './list-reader.ts';
import type { NameCatalog } from './name-catalog.ts';
import type { Participant } from './open-stream.ts';
import type { RegistryStream } from './stream.ts';

/** By the name first: a template is mapped only where a filter has to look at it. */
export type IsShown = (row: ShownRow, registryName: string) => boolean;

export class PageRows {
  readonly #streams = new Map<Participant, RegistryStream>();
  readonly #isShown: IsShown;
  readonly #whole = new Map<Participant, ReadonlyMap<string, CatalogRow>>();

  constructor(isShown: IsShown) {
    this.#isShown = isShown;
  }

  setStream(participant: Participant, stream: RegistryStream): void {
    this.#streams.set(participant, stream);
  }

  /** The stream that was set for it. */
  streamOf(participant: Participant): RegistryStream {
    const stream = this.#streams.get(participant);
    if (stream === undefined)
      throw new RangeError('a participant must have been opened before its stream is asked for');
    return stream;
  }

  /** By name, every row that may be shown, when the whole list was read for this page; null otherwise. */
  wholeList(participant: Participant): ReadonlyMap<string, CatalogRow> | null {
    const known = this.#whole.get(participant);
    if (known !== undefined) return known;
    const rows = this.#wholeRows(participant);
    if (rows === null) return null;
    const registryName = participant.registry.source.info.name;
    const shown = new Map<string, CatalogRow>();
    for (const row of rows) {
      if (row !== null && !shown.has(row.name) && this.#isShown(row, registryName)) shown.set(row.name, row);
    }
    this.#whole.set(participant, shown);
    return shown;
  }

  countOf(participant: Participant, areClaimsSet: boolean, areCriteriaSet: boolean): StreamCount {
    const stream = this.#streams.get(participant);
    const { traits } = participant;
    const whole = this.wholeList(participant);
    return {
      namespace: participant.registry.source.info.namespace,
      isLost: stream === undefined || stream.state.type === 'LOST',
      isStale: participant.readers.some((reader) => reader.record.cache === 'STALE'),
      wholeNames: whole === null ? null : new Set(whole.keys()),
      totalCount: this.#countedBy(participant),
      miscounts: traits.miscounts,
      isFilteredHere: areClaimsSet || areCriteriaSet || participant.record.malformed > 0,
    };
  }

  facetsOf(participant: Participant): StreamFacets {
    const { info } = participant.registry.source;
    const whole = this.wholeList(participant);
    const reader = this.#readerWithCount(participant);
    return {
      registryName: info.name,
      namespace: info.namespace,
      isLost: this.#streams.get(participant)?.state.type === 'LOST',
      whole: whole === null ? null : [...whole.values()].map((row) => row.template),
      sent: (participant.readers.find((each) => each.facets !== null)?.facets ?? reader.facets)?.read() ?? null,
      totalCount: reader.totalCount,
    };
  }

  collapseSource(
    participant: Participant,
    stream: RegistryStream,
    shared: {
      readonly catalog: NameCatalog;
      readonly drains: Drains;
      readonly limits: DrainLimits;
      readonly deadlineMs: number;
      readonly sinceMs: number;
    },
  ): CollapseSource {
    const registryName = participant.registry.source.info.name;
    const read = new ReadNames(participant.readers, (row) => this.#isShown(row, registryName));
    return {
      stream,
      catalog: shared.catalog,
      wholeNames: () => this.wholeList(participant),
      readNames: () => read.names(),
      namesAhead: participant.namesAhead,
      readNamed: (names) => participant.readNamed(names),
      accepts: (row) => this.#isShown(row, registryName),
      drainNames: async () => {
        const { reader } = participant;
        const work = shared.drains.drain(reader, shared.limits, shared.sinceMs);
        const drained = await beforeDeadline(work, shared.deadlineMs, registryName);
        if (drained.capped) return null;
        return new Set(drained.rows.filter((row) => this.#isShown(row, registryName)).map((row) => row.name));
      },
    };
  }

  #wholeRows(participant: Participant): readonly (CatalogRow | null)[] | null {
    const stream = this.#streams.get(participant);
    if (stream instanceof DrainedStream && stream.drainReader !== null) return stream.wholeRows;
    for (const reader of participant.readers) {
      const rows = reader.wholeList();
      if (rows !== null) return rows;
    }
    return null;
  }

  /** What it says, and never less than was seen of it. */
  #countedBy(participant: Participant): number | null {
    const said = this.#readerWithCount(participant).totalCount;
    const seen = participant.readers.reduce((most, reader) => Math.max(most, reader.furthestRead()), 0);
    return said === null ? null : Math.max(said, seen);
  }

  #readerWithCount(participant: Participant): ListReader {
    const stream = this.#streams.get(participant);
    if (stream instanceof DrainedStream && stream.drainReader !== null) return stream.drainReader;
    return participant.readers.find((reader) => reader.totalCount !== null) ?? participant.reader;
  }
}

/** The names in the windows that were read so far; windows come while the page is made. */
class ReadNames {
  readonly #readers: readonly ListReader[];
  readonly #isShown: (row: CatalogRow) => boolean;
  readonly #names = new Set<string>();
  readonly #seen = new Set<object>();

  constructor(readers: readonly ListReader[], isShown: (row: CatalogRow) => boolean) {
    this.#readers = readers;
    this.#isShown = isShown;
  }

  names(): ReadonlySet<string> {
    for (const reader of this.#readers) {
      for (const window of reader.windows.values()) {
        if (this.#seen.has(window)) continue;
        this.#seen.add(window);
        for (const row of window.rows) if (row !== null && this.#isShown(row)) this.#names.add(row.name);
      }
    }
    return this.#names;
  }
}

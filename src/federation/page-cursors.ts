/** The cursors of one page: behind each of its entries, and where it stopped. */
import { type CursorMark, type CursorPlace, type CursorRegistry, type CursorSeal, registryIdOf } from './cursor.ts';
import { DrainedStream } from './drained-stream.ts';
import { KeyedStream } from './keyed-stream.ts';
import type { ComparePositions, Position } from './order.ts';
import { RelevanceStream } from './relevance-stream.ts';
import { type Direction, type Entry, hashRow, type RegistryStream } from './stream.ts';
import { TotalStream } from './total-stream.ts';
import type { ListOrder } from './traits.ts';

/** Makes the cursors of one page. */
export class PageCursors {
  readonly #streams: readonly RegistryStream[];
  readonly #entries: readonly Entry[];
  readonly #startMark: Position | null;
  readonly #direction: Direction;
  readonly #compare: ComparePositions;
  readonly #seal: CursorSeal;
  readonly #fingerprint: () => Uint8Array;
  readonly #firstRows: number;
  readonly #marks = new Map<Position, CursorMark>();
  readonly #placesOfMarks = new Map<CursorMark, Position>();

  constructor(page: {
    readonly streams: readonly RegistryStream[];
    /** In walk order. */
    readonly entries: readonly Entry[];
    readonly startMark: Position | null;
    readonly direction: Direction;
    readonly compare: ComparePositions;
    readonly seal: CursorSeal;
    /** Of the search; made when the first cursor is. */
    readonly fingerprint: () => Uint8Array;
    /** Of the walk: see `CursorState`. */
    readonly firstRows: number;
  }) {
    this.#streams = page.streams;
    this.#entries = page.entries;
    this.#startMark = page.startMark;
    this.#direction = page.direction;
    this.#compare = page.compare;
    this.#seal = page.seal;
    this.#fingerprint = page.fingerprint;
    this.#firstRows = page.firstRows;
  }

  /** The cursor at the entry of that index in walk order. */
  atEntry(index: number): string {
    const reached = this.#entries
      .slice(0, index + 1)
      .reduce<Position | null>((end, entry) => this.#later(end, entry), null);
    return this.#sealed(reached, index);
  }

  /** The cursor where the page stopped, which may be behind its last entry (rows that were read and filtered out). */
  atEnd(end: Position | null): string {
    return this.#sealed(end, this.#entries.length);
  }

  #sealed(reached: Position | null, index: number): string {
    const mark = this.#later(this.#startMark, reached);
    const registries = this.#streams.map((stream) => this.#registryAt(stream, reached, mark, index));
    // Places in the order of the walk: where there is no room for all, one is set back to the one before it.
    registries.sort((left, right) => this.#compareMarks(left.place, right.place));
    const state = { mark: mark === null ? null : this.#toMark(mark), firstRows: this.#firstRows, registries };
    return this.#seal.seal(state, this.#fingerprint());
  }

  #registryAt(stream: RegistryStream, reached: Position | null, mark: Position | null, index: number): CursorRegistry {
    const last = this.#entries.slice(0, index + 1).findLast((entry) => entry.stream === stream) ?? null;
    const isPageEnd = index >= this.#entries.length;
    const relevance = stream instanceof RelevanceStream ? stream.placeAfter(last, isPageEnd) : null;
    const hint = relevance?.windowStart ?? (isPageEnd ? stream.nextHint : (last?.hint ?? stream.start.hint));
    return {
      registryId: registryIdOf(stream.reader.source.info.name),
      place: this.#placeOf(stream, reached, mark),
      hint,
      rowHash:
        stream instanceof TotalStream ? (hashRow(stream.reader.rowAt(hint - 1)) ?? keptHash(stream, hint)) : null,
      readAs: readAsOf(stream),
      floors: relevance?.floors ?? [],
      reachesFirst: relevance?.reachesFirst ?? false,
      anchors: relevance?.anchors ?? [],
    };
  }

  /** With the walk, unless the registry is lost, or still has late rows to give. */
  #placeOf(stream: RegistryStream, reached: Position | null, mark: Position | null): CursorPlace {
    const start = stream.start.position;
    let own = this.#later(start, reached);
    if (stream.state.type === 'LOST') {
      const lostAt = stream.state.position;
      if (lostAt === null) return { type: this.#direction === 'FORWARD' ? 'HEAD' : 'TAIL' };
      own = reached === null ? (start ?? lostAt) : this.#later(start, this.#earlier(reached, lostAt));
    }
    if (own === null || mark === null || this.#compare(own, mark) === 0) return { type: 'WITH_MARK' };
    return { type: 'OWN', mark: this.#toMark(own) };
  }

  #compareMarks(left: CursorPlace, right: CursorPlace): number {
    if (left.type !== 'OWN' || right.type !== 'OWN') return 0;
    const [leftPlace, rightPlace] = [left.mark, right.mark].map((mark) => this.#placesOfMarks.get(mark));
    return leftPlace && rightPlace ? this.#compare(leftPlace, rightPlace) : 0;
  }

  #later(left: Position | null, right: Position | null): Position | null {
    if (left === null || right === null) return left ?? right;
    return this.#compare(left, right) >= 0 ? left : right;
  }

  #earlier(left: Position, right: Position): Position {
    return this.#compare(left, right) <= 0 ? left : right;
  }

  #toMark(position: Position): CursorMark {
    const known = this.#marks.get(position);
    if (known !== undefined) return known;
    const registry = this.#streams.find((stream) => stream.rank === position.rank);
    const { key, tier, score, rank } = position;
    const name = { text: position.name, digest: null };
    const registryId = registry === undefined ? 0 : registryIdOf(registry.reader.source.info.name);
    const mark = { key, tier, score, rank, name, registryId, hint: position.hint ?? 0 };
    this.#marks.set(position, mark);
    this.#placesOfMarks.set(mark, position);
    return mark;
  }
}

function keptHash(stream: RegistryStream, hint: number): number | null {
  return hint === stream.start.hint ? stream.start.rowHash : null;
}

function readAsOf(stream: RegistryStream): ListOrder | null {
  if (stream instanceof TotalStream) return 'TOTAL';
  if (stream instanceof KeyedStream) return 'BY_KEY';
  return stream instanceof DrainedStream ? 'UNSORTED' : null;
}

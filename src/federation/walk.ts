/** Between cursors and streams: where each registry takes a walk up, and the cursor behind each entry of a page. */
import { createHash } from 'node:crypto';
import type { VisibleRegistry } from './answers.ts';
import { digestText } from './bytes.ts';
import {
  type CursorMark,
  type CursorPlace,
  type CursorRegistry,
  type CursorSeal,
  type CursorState,
  registryIdOf,
} from './cursor.ts';
import { DrainedStream } from './drained-stream.ts';
import type { ComparePositions, Position } from './order.ts';
import { type RelevancePlace, RelevanceStream } from './relevance-stream.ts';
import { KeyedStream, TotalStream } from './sorted-stream.ts';
import type { ListQuery } from './span-reader.ts';
import { type Direction, type Entry, hashRow, type RegistryStream, type StreamStart } from './stream.ts';
import type { ListOrder } from './traits.ts';

/** Where a registry's stream starts, and how its list was read by the walk so far. */
export interface RegistryStart extends StreamStart {
  readonly readAs: ListOrder | null;
  readonly place: RelevancePlace | null;
}

/** What makes two searches the same walk: a cursor of one is no cursor of another. */
export function fingerprintSearch(
  list: ListQuery,
  registries: readonly string[] | null,
  registryTypes: readonly string[] | null,
  collapse: boolean,
  windowSize: number,
): Uint8Array {
  const sorted = (values: readonly string[] | null) => (values === null ? null : [...new Set(values)].sort());
  const window = list.order.field === 'RELEVANCE' ? windowSize : 0;
  return createHash('sha256')
    .update(
      JSON.stringify([
        list.query,
        list.criteria,
        list.order,
        sorted(registries),
        sorted(registryTypes),
        collapse,
        window,
      ]),
    )
    .digest();
}

/** An opened cursor, in terms of the registries that the caller sees now. */
export class WalkStart {
  /** The last place that was shown; null at the beginning of a walk. */
  mark: Position | null;
  readonly #state: CursorState | null;
  readonly #positions = new Map<CursorMark, Position>();
  readonly #direction: Direction;
  readonly #forwardCompare: ComparePositions;

  constructor(
    state: CursorState | null,
    registries: readonly VisibleRegistry[],
    direction: Direction,
    forwardCompare: ComparePositions,
  ) {
    this.#state = state;
    this.#direction = direction;
    this.#forwardCompare = forwardCompare;
    const ranks = new Map(registries.map(({ source, priority }) => [registryIdOf(source.info.name), priority - 1]));
    for (const mark of marksOf(state)) {
      const hint = state?.registries.find((each) => each.registryId === mark.registryId)?.hint ?? 0;
      this.#positions.set(mark, toPosition(mark, ranks.get(mark.registryId) ?? mark.rank - 0.5, hint));
    }
    this.mark = this.#positionOf(state?.mark ?? null);
  }

  /**
   * Names that the cursor had no room for are read again from their registry, where the row still is. Where it is gone, the
   * place is behind everything that begins alike, so that the walk goes on.
   */
  async resolveCutNames(
    findRow: (registryId: number, hint: number, isIt: (name: string) => boolean) => Promise<string | null>,
  ) {
    for (const [mark, position] of this.#positions) {
      const { digest, text } = mark.name;
      if (digest === null) continue;
      const hint = this.#state?.registries.find((each) => each.registryId === mark.registryId)?.hint ?? 0;
      const isIt = (name: string) => name.startsWith(text) && digestText(name) === digest;
      const found = await findRow(mark.registryId, hint, isIt);
      const name = found ?? (this.#direction === 'FORWARD' ? `${text}\u{10ffff}` : text);
      const resolved: Position = { ...position, name, nameLower: name.toLowerCase() };
      this.#positions.set(mark, resolved);
      if (mark === this.#state?.mark) this.mark = resolved;
    }
  }

  /** Where the named registry starts. One that is new, or that the cursor does not tell of, joins behind the mark. */
  startOf(registryName: string): RegistryStart {
    const id = registryIdOf(registryName);
    const known = this.#state?.registries.find((each) => each.registryId === id);
    if (known === undefined) return { position: this.mark, hint: 0, rowHash: null, readAs: null, place: null };
    const { hint, rowHash, readAs, floors, anchors } = known;
    // A place without a floor is none: the registry was lost before it was read, or the cursor had no room for it.
    const place = readAs === null && floors.length > 0 ? { windowStart: hint, floors, anchors } : null;
    return { position: this.#startPosition(known.place), hint, rowHash, readAs, place };
  }

  /**
   * A registry that was lost is behind the walk. In the direction in which it was lost it goes on from its own place; in the
   * other one it goes with the walk.
   */
  #startPosition(place: CursorPlace): Position | null {
    const forward = this.#direction === 'FORWARD';
    switch (place.type) {
      case 'WITH_MARK':
        return this.mark;
      case 'HEAD':
        return forward ? null : this.mark;
      case 'TAIL':
        return forward ? this.mark : null;
      case 'OWN': {
        const own = this.#positionOf(place.mark);
        if (own === null || this.mark === null) return own;
        const ownIsEarlier = this.#forwardCompare(own, this.mark) < 0;
        return ownIsEarlier === forward ? own : this.mark;
      }
    }
  }

  #positionOf(mark: CursorMark | null): Position | null {
    return mark === null ? null : (this.#positions.get(mark) ?? null);
  }
}

function marksOf(state: CursorState | null): CursorMark[] {
  if (state === null) return [];
  const own = state.registries.flatMap(({ place }) => (place.type === 'OWN' ? [place.mark] : []));
  return [...new Set(state.mark === null ? own : [state.mark, ...own])];
}

function toPosition(mark: CursorMark, rank: number, windowStart: number): Position {
  const { key, tier, score, name } = mark;
  return {
    key,
    tier,
    score,
    name: name.text,
    nameLower: name.text.toLowerCase(),
    rank,
    windowStart,
  };
}

/** Makes the cursors of one page. */
export class PageCursors {
  readonly #streams: readonly RegistryStream[];
  readonly #entries: readonly Entry[];
  readonly #startMark: Position | null;
  readonly #direction: Direction;
  readonly #compare: ComparePositions;
  readonly #seal: CursorSeal;
  readonly #fingerprint: Uint8Array;
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
    readonly fingerprint: Uint8Array;
  }) {
    this.#streams = page.streams;
    this.#entries = page.entries;
    this.#startMark = page.startMark;
    this.#direction = page.direction;
    this.#compare = page.compare;
    this.#seal = page.seal;
    this.#fingerprint = page.fingerprint;
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
    return this.#seal.seal({ mark: mark === null ? null : this.#toMark(mark), registries }, this.#fingerprint);
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
    const mark = { key, tier, score, rank, name, registryId };
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

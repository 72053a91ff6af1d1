/**
 * The stream of a registry under RELEVANCE. The registry finds and roughly orders; the gateway scores on one scale for all.
 * Each aligned window is sorted by score, and what scores at least the `floor` (the least score of the windows before it)
 * is held back to it, so that the stream descends and pages hold.
 */
import type { CatalogRow } from '../domain/template.ts';
import type { VisibleRegistry } from './answers.ts';
import type { ListReader } from './list-reader.ts';
import type { Position } from './order.ts';
import { type CompiledQuery, scoreText } from './relevance.ts';
import { indexOfPlace, NO_FLOOR, type RelevancePlace, WindowFloors } from './relevance-floors.ts';
import { anchorsOf, findAnchors, findWindow } from './relevance-place.ts';
import { type Entry, RegistryStream, type StreamContext, type StreamStart } from './stream.ts';

/** Where a window stands. `index`: see `ScoredWindow`. */
interface WindowSpan {
  readonly start: number;
  readonly end: number;
  readonly index: number | null;
}

interface ReadRows extends Omit<WindowSpan, 'end'> {
  readonly rows: readonly (CatalogRow | null)[];
  readonly atEnd: boolean;
}

/** How often rows are read again because the list changed while they were. */
const MAX_ATTEMPTS = 3;

interface ScoredWindow {
  readonly start: number;
  /**
   * The window's place in the order of this page. It counts on from the window that the cursor named, wherever that was found
   * again, so that places before and after a change compare as they were shown.
   */
  readonly ordinal: number;
  readonly end: number;
  /** How many windows of the walk stand before it, wherever it stands now: the first is shorter. null: not known. */
  readonly index: number | null;
  readonly floor: number;
  /** The floor of the window behind this one. */
  readonly nextFloor: number;
  readonly anchors: readonly (number | null)[];
  /** Of the reader, when the rows were read. */
  readonly generation: number;
  readonly atEnd: boolean;
  /** In walk order; nothing that was consumed before. */
  readonly entries: readonly Entry[];
}

const scores = new WeakMap<CatalogRow, { readonly query: string; readonly score: number }>();

export class RelevanceStream extends RegistryStream {
  readonly #query: CompiledQuery;
  readonly #queryText: string;
  readonly #maxRows: number;
  readonly #place: RelevancePlace | null;
  readonly #floors: WindowFloors;
  /** They are bounded by what a drain may read, not by the scan bound. */
  #rowsReadForFloors = 0;
  #ended = false;
  readonly #windows: ScoredWindow[] = [];
  /** Given out or consumed on this page: a registry may repeat itself in a later window. */
  readonly #names = new Set<string>();

  constructor(
    registry: VisibleRegistry,
    reader: ListReader,
    start: StreamStart & { readonly place: RelevancePlace | null },
    context: StreamContext,
    query: { readonly compiled: CompiledQuery; readonly text: string },
    /** Rows that are read at most to learn the floors of windows that a walk backwards comes to. */
    maxRows: number,
  ) {
    super(registry, reader, start, context);
    this.#place = start.place;
    this.#query = query.compiled;
    this.#queryText = query.text;
    this.#maxRows = maxRows;
    this.#floors = new WindowFloors(reader);
  }

  override get nextHint(): number {
    return this.#windows.at(-1)?.start ?? this.start.hint;
  }

  /**
   * The place to note in a cursor after the given entry of this stream (null: before any of this page): its window, with
   * what finds it again. At the end of a page that reached the scan bound it is the last window that was scanned.
   */
  placeAfter(entry: Entry | null, isPageEnd: boolean): RelevancePlace | null {
    const ordinal = entry?.windowStart ?? this.#place?.windowStart;
    const isBounded = this.state.type === 'BOUNDED' && isPageEnd;
    const consumed = ordinal === undefined ? this.#windows[0] : this.#windows.find((each) => each.ordinal === ordinal);
    const window = isBounded ? this.#windows.at(-1) : consumed;
    if (window === undefined) return this.#place;
    return { windowStart: window.start, ...this.#floors.upTo(window), anchors: window.anchors };
  }

  protected override async readOn(): Promise<readonly Entry[] | 'END' | { readonly barrier: Position }> {
    while (!this.#ended) {
      const scanned = this.#windows.at(-1);
      if (scanned !== undefined && this.#scanIsUsedUp) return { barrier: this.#barrierAt(scanned) };
      const window = this.context.direction === 'FORWARD' ? await this.#readForward() : await this.#readBackward();
      if (window === null) break;
      if (window.entries.length > 0) return window.entries;
    }
    return 'END';
  }

  get #scanIsUsedUp(): boolean {
    const scanned = this.reader.record.rowsRead - this.#rowsReadForFloors;
    return this.refused > 0 && scanned + this.reader.windowSize + 1 > this.context.scanRows;
  }

  async #readForward(): Promise<ScoredWindow | null> {
    const read = await this.#readStill(async () => {
      const previous = this.#windows.at(-1);
      if (previous === undefined) return await this.#findPlace();
      const start = await this.#placeBehind(previous);
      this.#floors.note(start, previous.nextFloor);
      const index = previous.index === null ? null : previous.index + 1;
      return { start, end: start + this.reader.windowSize, index };
    });
    const window = this.#scoreRows(read, this.#floors.at(read.start) ?? NO_FLOOR);
    this.#ended = window === null || window.atEnd;
    if (window !== null) this.#floors.note(window.end, window.nextFloor);
    return window;
  }

  async #readBackward(): Promise<ScoredWindow | null> {
    const read = await this.#readStill(async () => {
      const previous = this.#windows.at(-1);
      if (previous === undefined) return await this.#findBackwardPlace();
      const end = await this.#placeBefore(previous);
      const start = Math.max(0, end - this.#floors.sizeBefore(end, previous.index));
      if (start === 0) return { start, end, index: 0 };
      // Before what was the first window there are rows that have come since.
      return { start, end, index: previous.index === null || previous.index === 0 ? null : previous.index - 1 };
    });
    const window = read.rows.length === 0 ? null : this.#scoreRows(read, await this.#floorAt(read.start));
    this.#ended = window === null || read.start === 0;
    return window;
  }

  /**
   * Finds a place and reads the rows there from windows that fit together: when reading shows that the list has changed, and
   * has older windows fetched again, the place is found anew.
   */
  async #readStill(findSpan: () => Promise<WindowSpan>): Promise<ReadRows> {
    for (let attempt = 0; ; attempt += 1) {
      const { generation } = this.reader;
      const { start, end, index } = await findSpan();
      // The window before is loaded for its seam: rows of the old one may have moved over it.
      const { rows, atEnd } = await this.reader.readRows(start, end);
      if (this.reader.generation === generation || attempt >= MAX_ATTEMPTS) return { start, index, rows, atEnd };
    }
  }

  /** Where the window behind the given one starts: behind its last row, wherever that is now. */
  async #placeBehind(previous: ScoredWindow): Promise<number> {
    await this.reader.load(this.reader.indexOf(previous.end));
    if (this.reader.generation === previous.generation) return previous.end;
    const found = await this.#findAgain(previous);
    return found.end ?? previous.end;
  }

  /** Where the window before the given one ends: before its first row, wherever that is now. */
  async #placeBefore(previous: ScoredWindow): Promise<number> {
    if (previous.start === 0) return 0;
    await this.reader.load(this.reader.indexOf(previous.start - 1));
    if (this.reader.generation === previous.generation) return previous.start;
    const found = await this.#findAgain(previous);
    return found.start ?? previous.start;
  }

  #findAgain({ start, index, anchors }: ScoredWindow): ReturnType<typeof findAnchors> {
    const size = index === 0 ? this.reader.firstSize : this.reader.windowSize;
    return findAnchors(this.reader, { start, size, anchors });
  }

  #nextOrdinal(start: number): number {
    const previous = this.#windows.at(-1)?.ordinal;
    if (previous === undefined) return this.#place?.windowStart ?? start;
    const { firstSize, windowSize } = this.reader;
    if (this.context.direction === 'FORWARD') return previous + (previous === 0 ? firstSize : windowSize);
    return previous === firstSize ? 0 : previous - windowSize;
  }

  /** Scores and sorts the rows of one window; null when there are none. */
  #scoreRows({ start, index, rows, atEnd }: ReadRows, floor: number): ScoredWindow | null {
    if (rows.length === 0) return null;
    const ordinal = this.#nextOrdinal(start);
    const entries: Entry[] = [];
    let least = floor;
    // A row belongs to the first window it stands in: a registry that repeats itself may give it once more in the next one.
    const before = this.reader.rowAt(start - 1)?.name;
    for (const row of rows) {
      if (row === null || row.name === before || this.#names.has(row.name) || !this.context.accepts(row, this))
        continue;
      this.#names.add(row.name);
      const score = this.#scoreOf(row);
      least = Math.min(least, score);
      entries.push(this.#toEntry(row, score, { start, ordinal, floor }));
    }
    const { position } = this.start;
    const fresh = position === null ? entries : entries.filter((entry) => this.context.compare(entry, position) > 0);
    const window: ScoredWindow = {
      start,
      ordinal,
      end: start + rows.length,
      index,
      floor,
      nextFloor: least,
      generation: this.reader.generation,
      anchors: anchorsOf(this.reader, start, rows),
      atEnd,
      entries: fresh.sort(this.context.compare),
    };
    this.#windows.push(window);
    return window;
  }

  #toEntry(row: CatalogRow, score: number, window: { start: number; ordinal: number; floor: number }): Entry {
    const heldBack = score >= window.floor;
    return {
      key: heldBack ? window.floor : score,
      tier: heldBack ? 1 : 0,
      nameLower: row.nameLower,
      name: row.name,
      rank: this.rank,
      windowStart: window.ordinal,
      score,
      row,
      stream: this,
      hint: window.start,
      relevance: score,
    };
  }

  #scoreOf(row: CatalogRow): number {
    const known = scores.get(row);
    if (known !== undefined && known.query === this.#queryText) return known.score;
    const score = scoreText(this.#query, row.text);
    scores.set(row, { query: this.#queryText, score });
    return score;
  }

  /** The window a walk stopped in, found again by its anchors when rows came or went before it. */
  async #findPlace(): Promise<WindowSpan> {
    const place = this.#place;
    if (place === null) return { start: 0, end: this.reader.firstSize, index: 0 };
    const { start, end } = await findWindow(this.reader, place);
    this.#floors.noteAll(start, place);
    return { start, end, index: indexOfPlace(place) };
  }

  async #findBackwardPlace(): Promise<WindowSpan> {
    if (this.#place !== null) return await this.#findPlace();
    // From the end: the floors of the last windows are the least of everything before, so everything is read once.
    await this.#readFloorsUpTo(Number.POSITIVE_INFINITY);
    const { reader } = this;
    const length = reader.length ?? Math.min(this.#maxRows, reader.startOf(reader.windows.size));
    const index = reader.indexOf(Math.max(0, length - 1));
    return { start: reader.startOf(index), end: length, index };
  }

  /** The floor of the window at `start`: known from the cursor, or found by reading what comes before it. */
  async #floorAt(start: number): Promise<number> {
    const known = this.#floors.at(start);
    if (known !== undefined) return known;
    await this.#readFloorsUpTo(start);
    return this.#floors.at(start) ?? NO_FLOOR;
  }

  async #readFloorsUpTo(start: number): Promise<void> {
    const { windowSize, firstSize } = this.reader;
    const firstEnd = Number.isFinite(start) ? start % windowSize || windowSize : firstSize;
    let floor = NO_FLOOR;
    const bound = Math.min(start, this.#maxRows);
    const readBefore = this.reader.record.rowsRead;
    // A walk whose windows were moved by changes reads by its own grid, from whatever is left of the first window on.
    for (let at = 0; at < bound; ) {
      const end = Math.min(bound, at === 0 ? firstEnd : at + windowSize);
      const { rows, atEnd } = await this.reader.readRows(at, end);
      for (const row of rows) {
        if (row !== null && this.context.accepts(row, this)) floor = Math.min(floor, this.#scoreOf(row));
      }
      at = end;
      this.#floors.note(at, floor);
      this.#rowsReadForFloors = this.reader.record.rowsRead - readBefore;
      if (atEnd) return;
    }
    if (bound < start) this.reader.reachable = bound;
  }

  /** Everything of this window counts as consumed. */
  #barrierAt(window: ScoredWindow): Position {
    const forward = this.context.direction === 'FORWARD';
    return {
      key: forward ? window.nextFloor : window.floor,
      tier: 1,
      nameLower: '',
      name: '',
      rank: this.rank,
      windowStart: window.ordinal,
      hint: window.start,
      score: forward ? -1 : NO_FLOOR,
    };
  }
}

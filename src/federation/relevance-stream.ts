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
import { type Entry, hashRow, RegistryStream, type StreamContext, type StreamStart } from './stream.ts';

/** No window came before: nothing is held back. One more than the highest score. */
export const NO_FLOOR = 65_536;

/** Where a relevance walk stands in one registry's list: the window of its last consumed row. */
export interface RelevancePlace {
  readonly windowStart: number;
  /** The floor of this window, then of the windows before it, nearest first; as many as are known. */
  readonly floors: readonly number[];
  /** Fingerprints of the row before the window, its first and its last row: they find it again when rows came or went. */
  readonly anchors: readonly (number | null)[];
}

interface ScoredWindow {
  readonly start: number;
  readonly end: number;
  readonly floor: number;
  /** The floor of the window behind this one. */
  readonly nextFloor: number;
  readonly anchors: readonly (number | null)[];
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
  /** Floors by window start, as far as they are known. */
  readonly #floors = new Map<number, number>();
  #nextStart: number | null = null;
  #nextEnd: number | null = null;
  #ended = false;
  readonly #windows: ScoredWindow[] = [];
  /** Given out or consumed on this page: a registry may repeat itself in a later window. */
  readonly #names = new Set<string>();
  #generation: number;

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
    this.#generation = reader.generation;
    this.#floors.set(0, NO_FLOOR);
  }

  override get nextHint(): number {
    return this.head?.windowStart ?? this.#nextStart ?? this.start.hint;
  }

  /**
   * The place to note in a cursor after the given entry of this stream (null: before any of this page): its window, with
   * what finds it again.
   */
  placeAfter(entry: Entry | null): RelevancePlace | null {
    const windowStart = entry?.windowStart ?? this.#place?.windowStart ?? this.#windows[0]?.start;
    const window = this.#windows.find((each) => each.start === windowStart);
    if (window === undefined) return this.#place;
    return { windowStart: window.start, floors: this.#floorsBefore(window), anchors: window.anchors };
  }

  #floorsBefore(window: ScoredWindow): number[] {
    const floors = [window.floor];
    for (let start = window.start - this.reader.windowSize; start >= 0; start -= this.reader.windowSize) {
      const floor = this.#floors.get(start);
      if (floor === undefined) break;
      floors.push(floor);
    }
    return floors;
  }

  protected override async readOn(): Promise<readonly Entry[] | 'END' | { readonly barrier: Position }> {
    while (!this.#ended) {
      const window = this.context.direction === 'FORWARD' ? await this.#readForward() : await this.#readBackward();
      if (window === null) break;
      if (window.entries.length > 0) return window.entries;
      if (
        !this.#ended &&
        this.refused > 0 &&
        this.reader.record.rowsRead + this.reader.windowSize > this.context.scanRows
      ) {
        return { barrier: this.#barrierAt(window) };
      }
    }
    return 'END';
  }

  async #readForward(): Promise<ScoredWindow | null> {
    let end: number | null = null;
    if (this.#nextStart === null) {
      const found = await this.#findPlace();
      this.#nextStart = found.start;
      end = found.end;
    }
    const start = await this.#startAfterChanges(this.#nextStart);
    const window = await this.#scoreWindow(
      start,
      end ?? start + this.reader.windowSize,
      this.#floors.get(start) ?? NO_FLOOR,
    );
    if (window === null) {
      this.#ended = true;
      return null;
    }
    this.#nextStart = window.end;
    this.#floors.set(window.end, window.nextFloor);
    this.#ended = window.atEnd;
    return window;
  }

  /**
   * Where the window behind the last one starts. Reading it may show that the list has changed and have the older window
   * fetched again: then it is behind wherever that window's last row is now.
   */
  async #startAfterChanges(start: number): Promise<number> {
    const previous = this.#windows.at(-1);
    if (previous === undefined) return start;
    await this.reader.load(Math.floor(start / this.reader.windowSize));
    if (this.reader.generation === this.#generation) return start;
    this.#generation = this.reader.generation;
    const around = Math.max(0, previous.start - this.reader.windowSize);
    const { rows } = await this.reader.readRows(around, start + this.reader.windowSize);
    const last = nearest(rows.map(hashRow), previous.anchors[2], start - 1 - around);
    if (last === null) return start;
    const moved = around + last + 1;
    this.#floors.set(moved, previous.nextFloor);
    return moved;
  }

  async #readBackward(): Promise<ScoredWindow | null> {
    let start: number;
    let end: number;
    if (this.#nextEnd === null) {
      const found = await this.#findBackwardPlace();
      start = found.start;
      end = found.end;
    } else {
      end = this.#nextEnd;
      start = Math.max(0, end - this.reader.windowSize);
    }
    if (end <= start) {
      this.#ended = true;
      return null;
    }
    const window = await this.#scoreWindow(start, end, await this.#floorAt(start));
    this.#nextEnd = start;
    this.#ended = start === 0;
    return window;
  }

  /** Scores and sorts rows [start, end); null when there are none. */
  async #scoreWindow(start: number, end: number, floor: number): Promise<ScoredWindow | null> {
    const { rows, atEnd } = await this.reader.readRows(start, end);
    if (rows.length === 0) return null;
    const entries: Entry[] = [];
    let least = floor;
    for (const row of rows) {
      if (row === null || this.#names.has(row.name) || !this.context.accepts(row, this)) continue;
      this.#names.add(row.name);
      const score = this.#scoreOf(row);
      least = Math.min(least, score);
      entries.push(this.#toEntry(row, score, start, floor));
    }
    const position = this.#consumedUpTo(start);
    const fresh = position === null ? entries : entries.filter((entry) => this.context.compare(entry, position) > 0);
    const window: ScoredWindow = {
      start,
      end: start + rows.length,
      floor,
      nextFloor: least,
      anchors: [hashRow(this.reader.rowAt(start - 1)), hashRow(rows[0]), hashRow(rows.at(-1))],
      atEnd,
      entries: fresh.sort(this.context.compare),
    };
    this.#windows.push(window);
    return window;
  }

  /** The start's position; where its window was found elsewhere than it was, at the place where it is now. */
  #consumedUpTo(windowStart: number): Position | null {
    const { position } = this.start;
    if (position === null || position.tier === 0 || position.rank !== this.rank) return position;
    return this.#windows.length === 0 ? { ...position, windowStart } : position;
  }

  #toEntry(row: CatalogRow, score: number, windowStart: number, floor: number): Entry {
    const heldBack = score >= floor;
    return {
      key: heldBack ? floor : score,
      tier: heldBack ? 1 : 0,
      nameLower: row.nameLower,
      name: row.name,
      rank: this.rank,
      windowStart,
      score,
      row,
      stream: this,
      hint: windowStart,
      relevance: score,
    };
  }

  #scoreOf(row: CatalogRow): number {
    const known = scores.get(row);
    if (known !== undefined && known.query === this.#queryText) return known.score;
    const score = scoreText(this.#query, row.template);
    scores.set(row, { query: this.#queryText, score });
    return score;
  }

  /** The window a walk stopped in, found again by its anchors when rows came or went before it. */
  async #findPlace(): Promise<{ start: number; end: number | null }> {
    const place = this.#place;
    if (place === null) return { start: 0, end: null };
    const { windowSize } = this.reader;
    const [before, first, last] = place.anchors;
    let start = place.windowStart;
    let end: number | null = null;
    const { rows } = await this.reader.readRows(start, start + windowSize);
    const unchanged =
      (hashRow(rows[0]) === first || hashRow(this.reader.rowAt(start - 1)) === before) &&
      (hashRow(rows.at(-1)) === last || rows.length < windowSize);
    if (!unchanged && place.anchors.length === 3) {
      const around = Math.max(0, start - windowSize);
      const { rows: wide } = await this.reader.readRows(around, start + 2 * windowSize);
      const hashes = wide.map(hashRow);
      const foundFirst = nearest(hashes, first, start - around);
      const foundBefore = nearest(hashes, before, start - 1 - around);
      if (foundFirst !== null) start = around + foundFirst;
      else if (foundBefore !== null) start = around + foundBefore + 1;
      const foundLast = nearest(hashes, last, start + windowSize - 1 - around);
      if (foundLast !== null && around + foundLast >= start) end = around + foundLast + 1;
    }
    for (const [ago, floor] of place.floors.entries()) {
      const windowStart = start - ago * windowSize;
      if (windowStart >= 0 && !(windowStart === 0 && ago > 0)) this.#floors.set(windowStart, floor);
    }
    return { start, end };
  }

  async #findBackwardPlace(): Promise<{ start: number; end: number }> {
    if (this.#place !== null) {
      const found = await this.#findPlace();
      const end = found.end ?? found.start + this.reader.windowSize;
      return { start: found.start, end };
    }
    // From the end: the floors of the last windows are the least of everything before, so everything is read once.
    await this.#readFloorsUpTo(Number.POSITIVE_INFINITY);
    const length = this.reader.length ?? Math.min(this.#maxRows, this.reader.windows.size * this.reader.windowSize);
    const start = Math.max(0, Math.ceil(length / this.reader.windowSize) - 1) * this.reader.windowSize;
    return { start, end: length };
  }

  /** The floor of the window at `start`: known from the cursor, or found by reading what comes before it. */
  async #floorAt(start: number): Promise<number> {
    const known = this.#floors.get(start);
    if (known !== undefined) return known;
    await this.#readFloorsUpTo(start);
    return this.#floors.get(start) ?? NO_FLOOR;
  }

  async #readFloorsUpTo(start: number): Promise<void> {
    const { windowSize } = this.reader;
    let floor = NO_FLOOR;
    const bound = Math.min(start, this.#maxRows);
    // A walk whose windows were moved by changes reads by its own grid, from whatever is left of the first window on.
    for (let at = 0; at < bound; ) {
      const end = Math.min(
        bound,
        at + (Number.isFinite(start) && at === 0 ? start % windowSize || windowSize : windowSize),
      );
      const { rows, atEnd } = await this.reader.readRows(at, end);
      for (const row of rows) {
        if (row !== null && this.context.accepts(row, this)) floor = Math.min(floor, this.#scoreOf(row));
      }
      at = end;
      this.#floors.set(at, floor);
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
      windowStart: window.start,
      score: forward ? -1 : NO_FLOOR,
    };
  }
}

/** The index nearest to `expected` at which `hash` stands; null when it does not, or is not known. */
function nearest(hashes: readonly (number | null)[], hash: number | null | undefined, expected: number): number | null {
  if (hash === null || hash === undefined) return null;
  let best: number | null = null;
  for (const [index, each] of hashes.entries()) {
    if (each === hash && (best === null || Math.abs(index - expected) < Math.abs(best - expected))) best = index;
  }
  return best;
}

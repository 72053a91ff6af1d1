/**
 * Reads one registry's ordered list for one page of a search: in fixed aligned windows, which are the unit of caching and
 * of sharing, whatever the registry lets itself be asked for at once.
 */

import type { RegistrySource } from '../domain/registry.ts';
import type { CatalogRow } from '../domain/template.ts';
import { isSameRow, type ListQuery, MAX_REFETCHES, SpanReader, type SpanReaderOptions } from './span-reader.ts';
import type { RegistryTraits } from './traits.ts';

/** Windows that are asked for ahead at most: those of the largest page. */
const MAX_AHEAD = 4;

/** Rows [start, start + rows.length) of a list. null: a malformed entry that still takes its place. */
export interface ListWindow {
  readonly start: number;
  readonly rows: readonly (CatalogRow | null)[];
  /**
   * The row before `start`, from the same answer: what shows whether this window and the one before it fit together.
   * undefined: there is none (the first window, or one behind the end).
   */
  readonly before: CatalogRow | null | undefined;
  /** The list ends with this window. */
  readonly atEnd: boolean;
  readonly fetchedAtMs: number;
}

export class ListReader extends SpanReader {
  /** Grows when a window that was given out before is replaced: places in it must be found again. */
  generation = 0;
  /** Rows of the first window: see `first-window.ts`. */
  readonly firstSize: number;
  readonly #windows = new Map<number, ListWindow>();
  readonly #ahead = new Map<number, Promise<ListWindow>>();

  /** `firstSize`: rows of the first window; as many as of the others when it is left out. */
  constructor(
    source: RegistrySource,
    list: ListQuery,
    windowSize: number,
    traits: RegistryTraits,
    deadlineMs: number,
    options: SpanReaderOptions & { readonly firstSize?: number } = {},
  ) {
    super(source, list, windowSize, traits, deadlineMs, options);
    this.firstSize = options.firstSize ?? windowSize;
  }

  /** All windows read so far, by index. */
  get windows(): ReadonlyMap<number, ListWindow> {
    return this.#windows;
  }

  /** The number of matches, when the end of the list was seen. */
  get length(): number | null {
    for (const [index, window] of this.#windows) {
      if (!window.atEnd) continue;
      // An empty window may lie far behind the end: only next to a full one it is the end.
      const isNextToRows = index === 0 || this.#windows.get(index - 1)?.rows.length === this.sizeOf(index - 1);
      if (window.rows.length > 0 || isNextToRows) return window.start + window.rows.length;
    }
    return null;
  }

  /** The whole list, when every row of it was read; null otherwise. */
  wholeList(): readonly (CatalogRow | null)[] | null {
    if (this.reachable !== null) return null;
    const windows: ListWindow[] = [];
    for (let index = 0; windows.at(-1)?.atEnd !== true; index += 1) {
      const window = this.#windows.get(index);
      if (window === undefined) return null;
      windows.push(window);
    }
    return windows.flatMap((window) => window.rows);
  }

  /**
   * Window `index`, fitting to its neighbours as far as those were read: if an entry came or went between the times at which
   * two of them were fetched, the older is fetched again. Rejects with RegistryFailure.
   */
  async load(index: number): Promise<ListWindow> {
    const known = this.#windows.get(index);
    if (known !== undefined) return known;
    const ahead = this.#ahead.get(index);
    this.#ahead.delete(index);
    this.#windows.set(index, await (ahead ?? this.#fetch(index, 0)));
    if (this.#windows.size > 1) await this.#makeFit(index);
    const window = this.#windows.get(index);
    if (window === undefined) throw new Error('a window that was just read must be there');
    return window;
  }

  /**
   * Asks at once for all windows with rows [from, to), for a page that will need them: it would have to wait for one after the
   * other. Nothing is known of them before they are loaded.
   */
  askAhead(from: number, to: number): void {
    const first = this.indexOf(from);
    const last = Math.min(this.indexOf(to - 1), first + MAX_AHEAD);
    if (first === last) return;
    for (let index = first; index <= last; index += 1) {
      if (this.#windows.has(index) || this.#ahead.has(index)) continue;
      const fetched = this.#fetch(index, 0);
      fetched.catch(() => undefined); // Whoever loads it is told.
      this.#ahead.set(index, fetched);
    }
  }

  /** The index of the window that holds the row at `offset`. */
  indexOf(offset: number): number {
    return offset < this.firstSize ? 0 : 1 + Math.floor((offset - this.firstSize) / this.windowSize);
  }

  /** Where a window starts. */
  startOf(index: number): number {
    return index === 0 ? 0 : this.firstSize + (index - 1) * this.windowSize;
  }

  /** How many rows a window has, unless the list ends in it. */
  sizeOf(index: number): number {
    return index === 0 ? this.firstSize : this.windowSize;
  }

  /** Rows [from, to) of the list, from as many windows as they need; fewer where the list ends. */
  async readRows(from: number, to: number): Promise<{ rows: (CatalogRow | null)[]; atEnd: boolean }> {
    for (;;) {
      const { generation } = this;
      const read = await this.#collectRows(from, to);
      // A window that was replaced meanwhile has given rows that no longer fit the others. Refetches are bounded, so is this.
      if (this.generation === generation) return read;
    }
  }

  async #collectRows(from: number, to: number): Promise<{ rows: (CatalogRow | null)[]; atEnd: boolean }> {
    const rows: (CatalogRow | null)[] = [];
    for (let offset = from; offset < to; ) {
      const window = await this.load(this.indexOf(offset));
      const part = window.rows.slice(offset - window.start, to - window.start);
      rows.push(...part);
      offset += part.length;
      const isLast = window.atEnd && offset >= window.start + window.rows.length;
      if (isLast || part.length === 0) return { rows, atEnd: true };
    }
    return { rows, atEnd: false };
  }

  /** The row at `offset` when it was read; undefined otherwise. */
  rowAt(offset: number): CatalogRow | null | undefined {
    const index = this.indexOf(offset);
    const row = this.#windows.get(index)?.rows[offset - this.startOf(index)];
    if (row !== undefined) return row;
    const next = this.#windows.get(index + 1);
    return next !== undefined && next.start === offset + 1 ? next.before : undefined;
  }

  async #fetch(index: number, notBeforeMs: number): Promise<ListWindow> {
    const start = this.startOf(index);
    const overlap = index > 0 ? 1 : 0;
    const span = await this.readSpan(start - overlap, this.sizeOf(index) + overlap, notBeforeMs);
    if (overlap === 1 && this.#isBeginning(span.rows)) this.traits.noteIgnoredOffset();
    // A malformed one counts where its own window is read.
    if (overlap === 1 && span.rows[0] === null) this.record.malformed -= 1;
    return {
      start,
      rows: overlap === 1 ? span.rows.slice(1) : span.rows,
      before: overlap === 1 ? span.rows[0] : undefined,
      atEnd: span.atEnd,
      fetchedAtMs: span.fetchedAtMs,
    };
  }

  /** Whether rows that were asked for further down are those that the list begins with. */
  #isBeginning(rows: readonly (CatalogRow | null)[]): boolean {
    const first = this.#windows.get(0)?.rows;
    return first !== undefined && first.length > 1 && [0, 1].every((at) => isSameRow(rows[at], first[at]));
  }

  /** Looks at the seams around a window; what is fetched again has its own seams looked at in turn. */
  async #makeFit(index: number): Promise<void> {
    const seams = [index - 1, index];
    for (let refetches = 0; seams.length > 0; ) {
      const lower = seams.shift();
      if (lower === undefined) return;
      const first = this.#windows.get(lower);
      const second = this.#windows.get(lower + 1);
      if (first === undefined || second === undefined || this.#fit(first, second, this.sizeOf(lower))) continue;
      if (refetches >= MAX_REFETCHES * this.#windows.size) {
        this.#windows.delete(index);
        throw this.misfit();
      }
      refetches += 1;
      // Of two that came in one millisecond either may be the older: they are fetched again in turn.
      const isFirstOlder =
        first.fetchedAtMs === second.fetchedAtMs ? refetches % 2 === 1 : first.fetchedAtMs < second.fetchedAtMs;
      const older = isFirstOlder ? lower : lower + 1;
      this.#windows.set(older, await this.#fetch(older, Math.max(first.fetchedAtMs, second.fetchedAtMs) + 1));
      this.generation += 1;
      seams.push(older - 1, older);
    }
  }

  /** Whether the seam shows the same row on both sides. */
  #fit(first: ListWindow, second: ListWindow, fullSize: number): boolean {
    // Behind a full window there is at least its own last row to be read, unless the registry does not go so deep.
    if (second.before === undefined) return first.rows.length < fullSize || this.reachable !== null;
    return first.rows.length === fullSize && isSameRow(second.before, first.rows.at(-1));
  }

  /** The end of what was read without a refusal. */
  override furthestRead(): number {
    return [...this.#windows.values()].reduce((end, window) => Math.max(end, window.start + window.rows.length), 0);
  }
}

/**
 * The stream of a registry that cannot sort by the asked key: its list is read up to a cap and sorted here. The reading is
 * shared by all pages that want it, and goes on when the deadline of a page passes, so that the next one finds it done.
 */
import { RegistryFailure } from '../domain/errors.ts';
import type { RegistrySource } from '../domain/registry.ts';
import type { CatalogRow } from '../domain/template.ts';
import type { VisibleRegistry } from './answers.ts';
import { positionOfRow } from './list-order.ts';
import { ListReader } from './list-reader.ts';
import type { ComparePositions } from './order.ts';
import type { ListQuery } from './span-reader.ts';
import { type Entry, RegistryStream, type StreamContext, type StreamStart } from './stream.ts';

/** Rows of sorted lists kept at most (about 1 kB each); each list is checked against what the cache below holds before use. */
const MAX_KEPT_ROWS = 50_000;
/** Entries that are made at once of a list that lies sorted in memory. */
const ENTRIES_AT_ONCE = 200;

export interface DrainLimits {
  readonly rows: number;
  readonly requests: number;
}

interface DrainedList {
  /** In the registry's order. */
  readonly rows: readonly CatalogRow[];
  /** How many entries were read, the malformed ones included. */
  readonly depth: number;
  readonly reader: ListReader;
  /** Rows stayed behind the cap. */
  readonly capped: boolean;
}

interface SortedList {
  readonly source: readonly CatalogRow[];
  readonly sorted: readonly CatalogRow[];
}

/** Shares drains between the pages of this process. */
export class Drains {
  readonly #running = new Map<string, { readonly source: RegistrySource; readonly work: Promise<DrainedList> }>();
  readonly #sorted = new Map<string, SortedList>();

  /**
   * Reads the list of `like` up to the cap. Equal drains at one time are one. `sinceMs`: when the page was begun; what was
   * fetched for it fits together. Rejects with RegistryFailure.
   */
  drain(like: ListReader, limits: DrainLimits, sinceMs: number): Promise<DrainedList> {
    const { source, list, traits } = like;
    const key = drainKey(source, list);
    const running = this.#running.get(key);
    // Whoever waits does not join a drain of another kind: one in the background may stand in a queue for long.
    if (running !== undefined && running.source === source) return running.work;
    const work = readUpToCap(
      new ListReader(source, list, limits.rows, traits, Number.POSITIVE_INFINITY),
      limits,
      sinceMs,
    ).finally(() => {
      if (this.#running.get(key)?.work === work) this.#running.delete(key);
    });
    this.#running.set(key, { source, work });
    return work;
  }

  /** From now on nobody joins a drain that is under way: what it has read may be from before a change. */
  forgetRunning(): void {
    this.#running.clear();
  }

  /** The list's rows sorted by `compare`, without repeated names. Remembered while the rows are the very same. */
  sort(list: ListQuery, drained: DrainedList, compare: ComparePositions): readonly CatalogRow[] {
    const key = drainKey(drained.reader.source, list);
    const known = this.#sorted.get(key);
    const { rows } = drained;
    if (
      known !== undefined &&
      known.source.length === rows.length &&
      rows.every((row, index) => row === known.source[index])
    ) {
      return known.sorted;
    }
    const placed = withoutRepeatedNames(rows).map((row) => ({ row, position: positionOfRow(row, list.order, 0) }));
    placed.sort((left, right) => compare(left.position, right.position));
    const sorted = placed.map(({ row }) => row);
    this.#sorted.delete(key);
    this.#sorted.set(key, { source: rows, sorted });
    let kept = [...this.#sorted.values()].reduce((sum, list) => sum + list.sorted.length, 0);
    for (const [oldest, list] of this.#sorted) {
      if (kept <= MAX_KEPT_ROWS || oldest === key) break;
      this.#sorted.delete(oldest);
      kept -= list.sorted.length;
    }
    return sorted;
  }
}

function drainKey(source: RegistrySource, list: ListQuery): string {
  return JSON.stringify([source.info.name, list.query, list.criteria, list.order]);
}

function withoutRepeatedNames(rows: readonly CatalogRow[]): CatalogRow[] {
  const names = new Set<string>();
  return rows.filter((row) => !names.has(row.name) && names.add(row.name));
}

async function readUpToCap(reader: ListReader, limits: DrainLimits, sinceMs: number): Promise<DrainedList> {
  const { rows, isWhole } = await reader.readBeginning(limits.rows, limits.requests, sinceMs);
  return { rows: rows.filter((row) => row !== null), depth: rows.length, reader, capped: !isWhole };
}

export class DrainedStream extends RegistryStream {
  readonly #drain: () => Promise<DrainedList>;
  readonly #sort: (drained: DrainedList) => readonly CatalogRow[];
  readonly #deadlineMs: number;
  #sorted: readonly CatalogRow[] | null = null;
  #next = 0;
  #reader: ListReader | null = null;
  /** Rows stayed out of reach behind the cap; what was read is sorted all the same. */
  capped = false;
  /** How many rows were read of it. */
  depth = 0;
  /** Every row of the list, when all were read; null otherwise. */
  wholeRows: readonly CatalogRow[] | null = null;

  constructor(
    registry: VisibleRegistry,
    reader: ListReader,
    start: StreamStart,
    context: StreamContext,
    shared: {
      drains: Drains;
      limits: DrainLimits;
      forwardCompare: ComparePositions;
      deadlineMs: number;
      sinceMs: number;
    },
  ) {
    super(registry, reader, start, context);
    const { drains, limits, forwardCompare } = shared;
    this.#deadlineMs = shared.deadlineMs;
    this.#drain = () => drains.drain(reader, limits, shared.sinceMs);
    this.#sort = (drained) => drains.sort(reader.list, drained, forwardCompare);
  }

  /** What read the list, once that is done. */
  get drainReader(): ListReader | null {
    return this.#reader;
  }

  override get nextHint(): number {
    return 0;
  }

  protected override async readOn(): Promise<readonly Entry[] | 'END'> {
    if (this.#sorted === null) {
      const drained = await beforeDeadline(this.#drain(), this.#deadlineMs, this.reader.source.info.name);
      this.#reader = drained.reader;
      this.capped = drained.capped;
      this.depth = drained.depth;
      this.wholeRows = drained.capped ? null : drained.rows;
      this.#sorted = this.#sort(drained);
      this.#next = this.#firstBehindStart(this.#sorted);
    }
    const entries: Entry[] = [];
    while (this.#next < this.#sorted.length && entries.length < ENTRIES_AT_ONCE) {
      const entry = this.#entryAt(this.#sorted, this.#next);
      this.#next += 1;
      if (this.context.accepts(entry.row, this)) entries.push(entry);
    }
    return entries.length === 0 ? 'END' : entries;
  }

  /** The entry at `index` in walk order. */
  #entryAt(sorted: readonly CatalogRow[], index: number): Entry {
    const row = sorted[this.context.direction === 'FORWARD' ? index : sorted.length - 1 - index];
    if (row === undefined) throw new RangeError(`index must be below ${sorted.length}, got ${index}`);
    return { ...positionOfRow(row, this.reader.list.order, this.rank), row, stream: this, hint: 0, relevance: null };
  }

  #firstBehindStart(sorted: readonly CatalogRow[]): number {
    const { position } = this.start;
    if (position === null) return 0;
    let low = 0;
    let high = sorted.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.context.compare(this.#entryAt(sorted, middle), position) <= 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Waits for `work` until the deadline (clock of `performance.now()`), then rejects with TIMEOUT; the work itself goes on. */
export async function beforeDeadline<T>(work: Promise<T>, deadlineMs: number, registryName: string): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new RegistryFailure('TIMEOUT', registryName)),
      Math.max(0, deadlineMs - performance.now()),
    );
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}

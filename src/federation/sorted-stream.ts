/**
 * Streams of registries that sort: totally (TotalStream), or by the key with ties in an order of their own (KeyedStream).
 * What they claim is checked on every window; a claim that proves wrong throws OrderWeakened, and the page starts again
 * with the list read the slower way.
 */
import type { CatalogRow } from '../domain/template.ts';
import type { VisibleRegistry } from './answers.ts';
import { inspectOrder, positionOfRow } from './list-order.ts';
import type { ListReader } from './list-reader.ts';
import { type ComparePositions, compareKeys, type Position, sortKeyOf } from './order.ts';
import { seekBoundary, seekEnd } from './seek.ts';
import { type Entry, hashRow, RegistryStream, type StreamContext, type StreamStart } from './stream.ts';
import type { ListOrder } from './traits.ts';

/** Thrown while a page is made: the registry sorts less well than was believed when its stream was chosen. */
export class OrderWeakened extends Error {
  override readonly name = 'OrderWeakened';
  readonly registryName: string;
  /** How the list is to be read instead. */
  readonly readAs: ListOrder;

  constructor(registryName: string, readAs: ListOrder) {
    super(`the list of "${registryName}" is not sorted as it was believed to be`);
    this.registryName = registryName;
    this.readAs = readAs;
  }
}

interface PlacedRow {
  readonly row: CatalogRow;
  readonly offset: number;
}

interface SortedStreamOptions {
  /** The comparator of the order itself, whatever the direction of the walk. */
  readonly forwardCompare: ComparePositions;
  /** Rows of one key that are read at most before the group is cut. */
  readonly groupRows: number;
}

abstract class SortedStream extends RegistryStream {
  protected readonly options: SortedStreamOptions;
  /** The next row to read (forwards), or the one behind it (backwards); null: not located yet. */
  protected at: number | null = null;
  protected exhausted = false;
  #generation: number;

  constructor(
    registry: VisibleRegistry,
    reader: ListReader,
    start: StreamStart,
    context: StreamContext,
    options: SortedStreamOptions,
  ) {
    super(registry, reader, start, context);
    this.options = options;
    this.#generation = reader.generation;
  }

  override get nextHint(): number {
    const { head } = this;
    const forward = this.context.direction === 'FORWARD';
    if (head !== null) return forward ? Math.max(0, head.hint - 1) : head.hint + 1;
    if (this.at === null) return this.start.hint;
    return forward ? this.at : this.at + 1;
  }

  /** Which claim this stream reads by: what weaker evidence refutes. */
  protected abstract readonly believed: ListOrder;
  protected abstract isBehindStart(row: CatalogRow): boolean;

  protected positionOf(row: CatalogRow): Position {
    return positionOfRow(row, this.reader.list.order, this.rank);
  }

  protected async locateStart(): Promise<number> {
    const { position, hint } = this.start;
    if (position !== null) return await this.locate(hint);
    if (this.context.direction === 'FORWARD') return 0;
    const first = await this.reader.load(0);
    this.check(first.rows, first.start);
    const end = await seekEnd(this.reader, Math.max(0, (this.reader.totalCount ?? 1) - 1));
    this.#checkEnds(
      first.rows.find((row) => row !== null),
      this.reader.rowAt(end - 1),
    );
    return end;
  }

  protected async locate(hint: number): Promise<number> {
    return await seekBoundary(this.reader, (row) => !this.isBehindStart(row), hint);
  }

  /** The next window's rows in walk order; empty when the list is exhausted in this direction. */
  protected async nextRows(): Promise<readonly PlacedRow[]> {
    this.at ??= await this.locateStart();
    const forward = this.context.direction === 'FORWARD';
    if (!forward && this.at <= 0) {
      this.exhausted = true;
      return [];
    }
    const index = Math.floor((forward ? this.at : this.at - 1) / this.reader.windowSize);
    const window = await this.reader.load(index);
    if (this.reader.generation !== this.#generation) {
      this.#generation = this.reader.generation;
      this.at = await this.relocate(this.at);
      return await this.nextRows();
    }
    this.check([window.before, ...window.rows], window.start);
    const placed: PlacedRow[] = [];
    for (const [place, row] of window.rows.entries()) {
      const offset = window.start + place;
      if (row !== null && (forward ? offset >= this.at : offset < this.at)) placed.push({ row, offset });
    }
    this.at = forward ? window.start + window.rows.length : window.start;
    this.exhausted = forward ? window.atEnd || window.rows.length === 0 : window.start === 0;
    return forward ? placed : placed.reverse();
  }

  /** Where to read on after a window was replaced. */
  protected abstract relocate(at: number): Promise<number>;

  protected check(rows: readonly (CatalogRow | null | undefined)[], start: number): void {
    const { order } = this.reader.list;
    const { traits } = this.reader;
    const evidence = inspectOrder(rows, order, this.options.forwardCompare);
    let { seen } = evidence;
    if (seen === 'TOTAL') traits.noteTiesInOrder(order, evidence.tiesInOrder);
    // A list that begins with missing keys either has no others, or puts them first. Reading the group whole shows it.
    const first = rows.find((row) => row !== null && row !== undefined);
    if (start === 0 && seen === 'TOTAL' && first && sortKeyOf(first, order) === null) seen = 'BY_KEY';
    traits.noteListOrder(order, seen);
    const known = traits.listOrder(order) ?? seen;
    if (isWeaker(known, this.believed)) throw new OrderWeakened(this.reader.source.info.name, known);
  }

  /** A list that begins with a missing key and ends with one that is there puts missing keys first. */
  #checkEnds(first: CatalogRow | null | undefined, last: CatalogRow | null | undefined): void {
    const { order } = this.reader.list;
    if (!first || !last || sortKeyOf(first, order) !== null || sortKeyOf(last, order) === null) return;
    this.reader.traits.noteListOrder(order, 'UNSORTED');
    throw new OrderWeakened(this.reader.source.info.name, 'UNSORTED');
  }

  protected toEntry(row: CatalogRow, hint: number): Entry {
    return { ...this.positionOf(row), row, stream: this, hint, relevance: null };
  }

  /** Whether reading one more window would go beyond what one page may scan here. */
  protected get scanIsUsedUp(): boolean {
    return this.refused > 0 && this.reader.record.rowsRead + this.reader.windowSize + 1 > this.context.scanRows;
  }
}

function isWeaker(seen: ListOrder, believed: ListOrder): boolean {
  if (believed === 'UNSORTED' || seen === believed) return false;
  return seen === 'UNSORTED' || (seen === 'BY_KEY' && believed === 'TOTAL');
}

export class TotalStream extends SortedStream {
  protected override readonly believed = 'TOTAL';
  /**
   * Set when the walk began in good faith and the registry was caught later: the walk goes on in the registry's own order
   * from the last row that was consumed, so that nothing is repeated or lost; new walks read it the slower way.
   */
  #asItIs = false;
  #held: Entry[] = [];
  #last: Position | null = null;

  protected override isBehindStart(row: CatalogRow): boolean {
    const { position } = this.start;
    if (position === null) return true;
    const order = this.options.forwardCompare(this.positionOf(row), position);
    return this.context.direction === 'FORWARD' ? order > 0 : order >= 0;
  }

  /**
   * For a walk that began in good faith: takes it up at the very row it stopped at, if that row is still there and if rows
   * behind it belong before the mark, so that a better reading would take them for consumed. Says whether it does. Read
   * `known`, the weaker way, the walk goes on in order otherwise.
   */
  async takeUpAsItIs(known: ListOrder): Promise<boolean> {
    const { hint, rowHash, position } = this.start;
    if (rowHash === null || hint === 0 || position === null) return false;
    const { reader, context } = this;
    const window = await reader.load(Math.floor((hint - 1) / reader.windowSize));
    if (hashRow(window.rows[hint - 1 - window.start]) !== rowHash) return false;
    const forward = context.direction === 'FORWARD';
    const next = forward ? hint : hint - 1;
    if (known === 'BY_KEY' && !(await this.#hasPassedOver(next, position))) return false;
    this.at = next;
    this.#asItIs = true;
    return true;
  }

  /** Whether a row of the position's key that was not consumed stands before it in the order of the walk. */
  async #hasPassedOver(next: number, position: Position): Promise<boolean> {
    const { reader, context } = this;
    const step = context.direction === 'FORWARD' ? 1 : -1;
    for (let offset = step === 1 ? next : next - 1; offset >= 0; offset += step) {
      const window = await reader.load(Math.floor(offset / reader.windowSize));
      const row = window.rows[offset - window.start];
      if (row === undefined) return false;
      if (row === null) continue;
      const place = this.positionOf(row);
      if (place.key !== position.key) return false;
      if (context.compare(place, position) <= 0) return true;
    }
    return false;
  }

  protected override check(rows: readonly (CatalogRow | null | undefined)[], start: number): void {
    if (!this.#asItIs) super.check(rows, start);
  }

  protected override async relocate(at: number): Promise<number> {
    const last = this.#last;
    if (this.#asItIs || last === null) return last === null ? await this.locateStart() : at;
    const forward = this.context.direction === 'FORWARD';
    const { forwardCompare } = this.options;
    return await seekBoundary(
      this.reader,
      (row) => {
        const order = forwardCompare(this.positionOf(row), last);
        return forward ? order <= 0 : order < 0;
      },
      at,
    );
  }

  protected override async readOn(): Promise<readonly Entry[] | 'END' | { readonly barrier: Position }> {
    while (!this.exhausted) {
      const entries: Entry[] = this.#held;
      this.#held = [];
      if (this.scanIsUsedUp && this.#last !== null) return entries.length > 0 ? entries : { barrier: this.#last };
      for (const { row, offset } of await this.nextRows()) {
        const entry = this.toEntry(row, offset + 1);
        // The same entry once more: a registry that repeats itself.
        if (this.#last?.name === row.name && this.context.compare(this.#last, entry) === 0) continue;
        this.#last = entry;
        if (this.context.accepts(row, this)) entries.push(entry);
      }
      this.#holdOpenTies(entries);
      if (entries.length > 0) return entries;
    }
    return 'END';
  }

  /**
   * Until the registry's ties were seen in order often enough, the ties at the end of a window wait for the next one: a row
   * that should have come before them may be there.
   */
  #holdOpenTies(entries: Entry[]): void {
    const { order } = this.reader.list;
    if (this.exhausted || this.#asItIs || order.field === 'NAME' || this.reader.traits.areTiesTrusted(order)) return;
    let open = entries.length;
    const key = this.#last?.key;
    while (open > 0 && entries[open - 1]?.key === key) open -= 1;
    this.#held = entries.splice(open);
  }
}

export class KeyedStream extends SortedStream {
  protected override readonly believed = 'BY_KEY';
  #group: PlacedRow[] = [];
  /** Everything up to here was given out or refused. */
  #done: Position | null = this.start.position;

  /** By key alone: the group of the position's key is read whole, and its consumed rows are skipped by their place. */
  protected override isBehindStart(row: CatalogRow): boolean {
    if (this.#done === null) return true;
    const { order } = this.reader.list;
    const compared = compareKeys(sortKeyOf(row, order), this.#done.key, order.direction === 'ASC' ? 1 : -1);
    return this.context.direction === 'FORWARD' ? compared >= 0 : compared > 0;
  }

  protected override async relocate(at: number): Promise<number> {
    this.#group = [];
    return this.#done === null ? await this.locateStart() : await this.locate(at);
  }

  protected override async readOn(): Promise<readonly Entry[] | 'END' | { readonly barrier: Position }> {
    while (!this.exhausted) {
      const done = this.#done;
      if (this.scanIsUsedUp && done !== null && done !== this.start.position) return { barrier: done };
      const entries = this.#takeWholeGroups(await this.nextRows());
      if (entries.length > 0) return entries;
    }
    return 'END';
  }

  /** Adds the rows to the open group; sorts and gives out every group that is complete by them. */
  #takeWholeGroups(rows: readonly PlacedRow[]): Entry[] {
    const { order } = this.reader.list;
    const keyAt = (index: number) => {
      const placed = this.#group[index];
      return placed === undefined ? undefined : sortKeyOf(placed.row, order);
    };
    this.#group.push(...rows);
    let whole = this.#group.length;
    if (!this.exhausted) {
      const open = keyAt(whole - 1);
      while (whole > 0 && keyAt(whole - 1) === open) whole -= 1;
      if (whole === 0 && this.#group.length >= this.options.groupRows) {
        throw new OrderWeakened(this.reader.source.info.name, 'UNSORTED');
      }
    }
    const names = new Set<string>();
    const entries: Entry[] = [];
    let groupStart = 0;
    for (let index = 0; index < whole; index += 1) {
      const placed = this.#group[index];
      if (placed === undefined) break;
      if (index === 0 || keyAt(index) !== keyAt(index - 1)) {
        groupStart = placed.offset;
        names.clear();
      }
      if (names.has(placed.row.name)) continue;
      names.add(placed.row.name);
      entries.push(this.toEntry(placed.row, groupStart));
    }
    this.#group.splice(0, whole);
    entries.sort(this.context.compare);
    const before = this.#done;
    const fresh = before === null ? entries : entries.filter((entry) => this.context.compare(entry, before) > 0);
    this.#done = fresh.at(-1) ?? before;
    return fresh.filter((entry) => this.context.accepts(entry.row, this));
  }
}

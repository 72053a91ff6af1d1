/**
 * What the streams of registries that sort have in common (totally: total-stream.ts; by the key, with ties in an order of
 * their own: keyed-stream.ts). What they claim is checked on every window; a claim that proves wrong throws OrderWeakened,
 * and the page starts again with the list read the slower way.
 */
import type { CatalogRow } from '../domain/template.ts';
import type { VisibleRegistry } from './answers.ts';
import { inspectOrder, positionOfRow } from './list-order.ts';
import type { ListReader, ListWindow } from './list-reader.ts';
import { type ComparePositions, type Position, sortKeyOf } from './order.ts';
import { seekBoundary, seekEnd } from './seek.ts';
import { type Entry, RegistryStream, type StreamContext, type StreamStart } from './stream.ts';
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

export interface PlacedRow {
  readonly row: CatalogRow;
  readonly offset: number;
}

interface SortedStreamOptions {
  /** The comparator of the order itself, whatever the direction of the walk. */
  readonly forwardCompare: ComparePositions;
  /** Rows of one key that are read at most before the group is cut. */
  readonly groupRows: number;
}

export abstract class SortedStream extends RegistryStream {
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
    this.check(first);
    const end = await seekEnd(this.reader, Math.max(0, (this.reader.totalCount ?? 1) - 1));
    this.#checkEnds(
      first.rows.find((row) => row !== null),
      this.reader.rowAt(end - 1),
    );
    return end;
  }

  protected async locate(hint: number): Promise<number> {
    const at = await seekBoundary(this.reader, (row) => !this.isBehindStart(row), hint);
    // A list that is not sorted after all leads a search for a place astray: what was read on the way must bear it out.
    for (const window of this.reader.windows.values()) this.check(window);
    return at;
  }

  /** The next window's rows in walk order; empty when the list is exhausted in this direction. */
  protected async nextRows(): Promise<readonly PlacedRow[]> {
    this.at ??= await this.locateStart();
    const forward = this.context.direction === 'FORWARD';
    if (!forward && this.at <= 0) {
      this.exhausted = true;
      return [];
    }
    const index = this.reader.indexOf(forward ? this.at : this.at - 1);
    const window = await this.reader.load(index);
    if (this.reader.generation !== this.#generation) {
      this.#generation = this.reader.generation;
      this.at = await this.relocate(this.at);
      return await this.nextRows();
    }
    this.check(window);
    const placed: PlacedRow[] = [];
    for (let place = 0; place < window.rows.length; place += 1) {
      const row = window.rows[place] ?? null;
      const offset = window.start + place;
      if (row !== null && (forward ? offset >= this.at : offset < this.at)) placed.push({ row, offset });
    }
    this.at = forward ? window.start + window.rows.length : window.start;
    this.exhausted = forward ? window.atEnd || window.rows.length === 0 : window.start === 0;
    return forward ? placed : placed.reverse();
  }

  /** Where to read on after a window was replaced. */
  protected abstract relocate(at: number): Promise<number>;

  protected check({ before, rows, start, atEnd }: ListWindow): void {
    const { order } = this.reader.list;
    const { traits } = this.reader;
    const { seen, tiesInOrder } = inspectOrder(rows, order, this.options.forwardCompare, before);
    if (seen === 'TOTAL') traits.noteTiesInOrder(order, tiesInOrder);
    traits.noteListOrder(order, seen);
    const known = traits.listOrder(order) ?? seen;
    if (isWeaker(known, this.believed)) throw new OrderWeakened(this.reader.source.info.name, known);
    // A list that begins with missing keys either has no others, or puts them first. Reading the group whole shows it; this
    // page alone does, since of another list of the same registry it says nothing.
    const first = rows.find((row) => row !== null) ?? null;
    const isSuspect = start === 0 && !atEnd && first !== null && sortKeyOf(first, order) === null;
    if (isSuspect && this.believed === 'TOTAL') throw new OrderWeakened(this.reader.source.info.name, 'BY_KEY');
  }

  /** A list that begins with a missing key and ends with one that is there puts missing keys first. */
  #checkEnds(first: CatalogRow | null | undefined, last: CatalogRow | null | undefined): void {
    const { order } = this.reader.list;
    if (!first || !last || sortKeyOf(first, order) !== null || sortKeyOf(last, order) === null) return;
    this.reader.traits.noteListOrder(order, 'UNSORTED');
    throw new OrderWeakened(this.reader.source.info.name, 'UNSORTED');
  }

  protected toEntry(row: CatalogRow, hint: number): Entry {
    // Written out: it is made for every row that is read.
    return {
      key: sortKeyOf(row, this.reader.list.order),
      tier: 0,
      nameLower: row.nameLower,
      name: row.name,
      rank: this.rank,
      windowStart: 0,
      score: 0,
      row,
      stream: this,
      hint,
      relevance: null,
    };
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

/** The stream of a registry that sorts by the key alone: rows of one key are read together and sorted here. */
import type { CatalogRow } from '../domain/template.ts';
import { compareKeys, type Position, sortKeyOf } from './order.ts';
import { OrderWeakened, type PlacedRow, SortedStream } from './sorted-stream.ts';
import type { Entry } from './stream.ts';

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

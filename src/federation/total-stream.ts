/** The stream of a registry that sorts totally, as the protocol demands of a server that says so. */
import type { CatalogRow } from '../domain/template.ts';
import type { ListWindow } from './list-reader.ts';
import type { Position } from './order.ts';
import { seekBoundary } from './seek.ts';
import { SortedStream } from './sorted-stream.ts';
import { type Entry, hashRow } from './stream.ts';
import type { ListOrder } from './traits.ts';

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
    const window = await reader.load(reader.indexOf(hint - 1));
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
      const window = await reader.load(reader.indexOf(offset));
      const row = window.rows[offset - window.start];
      if (row === undefined) return false;
      if (row === null) continue;
      const place = this.positionOf(row);
      if (place.key !== position.key) return false;
      if (context.compare(place, position) <= 0) return true;
    }
    return false;
  }

  protected override check(window: ListWindow): void {
    if (!this.#asItIs) super.check(window);
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
      if (this.scanIsUsedUp && this.#last !== null && this.#held.length === 0) return { barrier: this.#last };
      const rows = this.scanIsUsedUp && this.#last !== null ? [] : await this.nextRows();
      const entries: Entry[] = this.#held;
      this.#held = [];
      for (const { row, offset } of rows) {
        const entry = this.toEntry(row, offset + 1);
        // What is not behind the last one was given out before: the registry repeats itself, or was read over a change.
        if (!this.#asItIs && this.#last !== null && this.context.compare(this.#last, entry) >= 0) continue;
        if (this.#last?.name === row.name) continue;
        this.#last = entry;
        if (this.context.accepts(row, this)) entries.push(entry);
      }
      if (rows.length > 0) this.#holdOpenTies(entries);
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

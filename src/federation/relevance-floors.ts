/**
 * The floors of the windows of a relevance walk in one registry's list: the least score of all windows before each. They go
 * into cursors, so that neither the next page nor a walk back has to read what comes before.
 */
import type { ListReader } from './list-reader.ts';

/** No window came before: nothing is held back. One more than the highest score. */
export const NO_FLOOR = 65_536;

/** Where a relevance walk stands in one registry's list: the window of its last consumed row. */
export interface RelevancePlace {
  readonly windowStart: number;
  /** The floor of this window, then of the windows before it, nearest first; as many as are known. */
  readonly floors: readonly number[];
  /** The last of them is that of the list's first window, which is shorter than the others. */
  readonly reachesFirst: boolean;
  /**
   * Fingerprints that find the window again when rows came or went: of the row before it, its first two and its last three
   * rows. Empty where a cursor had no room for them.
   */
  readonly anchors: readonly (number | null)[];
}

/** A window as the floors know it. */
interface PlacedWindow {
  readonly start: number;
  /** How many windows of the walk stand before it, wherever it stands now: the first is shorter. null: not known. */
  readonly index: number | null;
  readonly floor: number;
}

export class WindowFloors {
  readonly #sizes: Pick<ListReader, 'firstSize' | 'windowSize'>;
  /** By window start, as far as they are known. */
  readonly #floors = new Map<number, number>([[0, NO_FLOOR]]);

  constructor(sizes: Pick<ListReader, 'firstSize' | 'windowSize'>) {
    this.#sizes = sizes;
  }

  /** The floor of the window at `start`; undefined: not known. */
  at(start: number): number | undefined {
    return this.#floors.get(start);
  }

  note(start: number, floor: number): void {
    this.#floors.set(start, floor);
  }

  /** Takes over what a cursor knew of the window that was found again at `start`. */
  noteAll(start: number, place: RelevancePlace): void {
    const index = indexOfPlace(place);
    let at = start;
    for (const [ago, floor] of place.floors.entries()) {
      if (ago > 0) at -= this.sizeBefore(at, index === null ? null : index - ago + 1);
      if (at > 0 || (at === 0 && ago === 0)) this.#floors.set(at, floor);
    }
  }

  /** What a cursor keeps: the floor of this window, then of those before it, nearest first. */
  upTo({ start, index, floor }: PlacedWindow): Pick<RelevancePlace, 'floors' | 'reachesFirst'> {
    const floors = [floor];
    for (let at = start, left = index; ; ) {
      if (left === 0) return { floors, reachesFirst: true };
      at -= this.sizeBefore(at, left);
      left = left === null ? (at === 0 ? 0 : null) : left - 1;
      const before = left === 0 ? NO_FLOOR : this.#floors.get(at);
      if (before === undefined) return { floors, reachesFirst: false };
      floors.push(before);
    }
  }

  /** How many rows the window before the one at `start` has, or had when the walk came by. */
  sizeBefore(start: number, index: number | null): number {
    const { firstSize, windowSize } = this.#sizes;
    return index === 1 || (index === null && start === firstSize) ? firstSize : windowSize;
  }
}

/** How many windows stand before the place's, wherever that stands now; null: not known. */
export function indexOfPlace({ floors, reachesFirst }: RelevancePlace): number | null {
  return reachesFirst ? floors.length - 1 : null;
}

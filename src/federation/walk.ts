/** Where each registry takes a walk up: an opened cursor, in terms of the registries that the caller sees now. */
import { hash } from 'node:crypto';
import type { RegistrySource } from '../domain/registry.ts';
import type { VisibleRegistry } from './answers.ts';
import { digestText } from './bytes.ts';
import { type CursorMark, type CursorPlace, type CursorState, registryIdOf } from './cursor.ts';
import type { ComparePositions, Position } from './order.ts';
import type { RelevancePlace } from './relevance-floors.ts';
import type { ListQuery } from './span-reader.ts';
import type { Direction, StreamStart } from './stream.ts';
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
  const identity = [list.query, list.criteria, list.order, sorted(registries), sorted(registryTypes), collapse, window];
  return hash('sha256', JSON.stringify(identity), 'buffer');
}

/**
 * The ranks of registries by their numbers in cursors; both lists are in resolution order. One that the caller may not see stands between those that the caller
 * sees, so that a place at one of its rows divides their rows as it did.
 */
export function rankRegistries(
  visible: readonly VisibleRegistry[],
  all: readonly RegistrySource[],
): ReadonlyMap<number, number> {
  const seen = new Map(visible.map(({ source, priority }) => [source.info.name, priority - 1]));
  const ranks = new Map<number, number>();
  let before = -1;
  for (const { info } of all) {
    const rank = seen.get(info.name);
    ranks.set(registryIdOf(info.name), rank ?? before + 0.5);
    before = rank ?? before;
  }
  return ranks;
}

/** Reads the name of a row again: near `hint` in the registry's list, the one that `isIt` knows. null: it is gone. */
export type FindName = (registryId: number, hint: number, isIt: (name: string) => boolean) => Promise<string | null>;

/** An opened cursor, in terms of the registries that the caller sees now. */
export class WalkStart {
  /** The last place that was shown; null at the beginning of a walk. */
  mark: Position | null;
  /** Rows of the first windows, as the walk began; null at its beginning. */
  readonly firstRows: number | null;
  readonly #state: CursorState | null;
  readonly #positions = new Map<CursorMark, Position>();
  readonly #direction: Direction;
  readonly #forwardCompare: ComparePositions;

  constructor(
    state: CursorState | null,
    ranks: ReadonlyMap<number, number>,
    direction: Direction,
    forwardCompare: ComparePositions,
  ) {
    this.#state = state;
    this.firstRows = state?.firstRows ?? null;
    this.#direction = direction;
    this.#forwardCompare = forwardCompare;
    for (const mark of marksOf(state)) {
      const registry = state?.registries.find((each) => each.registryId === mark.registryId);
      // A cursor may have had no room for where the registry stands.
      const windowStart = registry !== undefined && registry.floors.length > 0 ? registry.hint : mark.hint;
      this.#positions.set(mark, toPosition(mark, ranks.get(mark.registryId) ?? mark.rank - 0.5, windowStart));
    }
    this.mark = this.#positionOf(state?.mark ?? null);
  }

  /**
   * Names that the cursor had no room for are read again from their registry, where the row still is. Where it is gone, the
   * place is behind everything that begins alike, so that the walk goes on.
   */
  async resolveCutNames(findName: FindName): Promise<void> {
    await Promise.all([...this.#positions].map(([mark, position]) => this.#resolveCutName(mark, position, findName)));
  }

  async #resolveCutName(mark: CursorMark, position: Position, findName: FindName): Promise<void> {
    const { digest, text } = mark.name;
    if (digest === null) return;
    const isIt = (name: string) => name.startsWith(text) && digestText(name) === digest;
    const found = await findName(mark.registryId, mark.hint, isIt);
    const name = found ?? (this.#direction === 'FORWARD' ? `${text}\u{10ffff}` : text);
    const resolved: Position = { ...position, name, nameLower: name.toLowerCase() };
    this.#positions.set(mark, resolved);
    if (mark === this.#state?.mark) this.mark = resolved;
  }

  /** Where the named registry starts. One that is new, or that the cursor does not tell of, joins behind the mark. */
  startOf(registryName: string): RegistryStart {
    const id = registryIdOf(registryName);
    const known = this.#state?.registries.find((each) => each.registryId === id);
    if (known === undefined) return { position: this.mark, hint: 0, rowHash: null, readAs: null, place: null };
    const { hint, rowHash, readAs, floors, reachesFirst, anchors } = known;
    // A place without a floor is none: the registry was lost before it was read, or the cursor had no room for it.
    const place = readAs === null && floors.length > 0 ? { windowStart: hint, floors, reachesFirst, anchors } : null;
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
  const { key, tier, score, name, hint } = mark;
  return {
    key,
    tier,
    score,
    name: name.text,
    nameLower: name.text.toLowerCase(),
    rank,
    windowStart,
    hint,
  };
}

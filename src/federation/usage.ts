/** What is asked for most: the searches and look-ups that are worth keeping warm. */
import type { SearchRequest } from '../domain/search.ts';

/** A search from its beginning, and the registries that were asked, by name. */
export interface UsedSearch {
  readonly registries: readonly string[];
  readonly request: SearchRequest;
}

/** A look-up of a template (version null: the newest; registryName null: in resolution order), and the registries it went to. */
export interface UsedLookUp {
  readonly registries: readonly string[];
  readonly name: string;
  readonly version: string | null;
  readonly registryName: string | null;
}

/** Something that was used, and how often, as it counts today. */
export interface Used<T> {
  readonly key: string;
  readonly item: T;
  readonly count: number;
}

interface Counter<T> {
  readonly key: string;
  /** null once another has its place: copies of the map that it leaves behind as counters come and go must hold no items alive. */
  item: T | null;
  /** In weights as of the beginning of the scale. */
  weight: number;
  /** How much of it may be another's, whose place it took. */
  error: number;
}

/** Twice as many as are kept warm by default: what is rare must not push out what is frequent. */
const CAPACITY = 200;
/** What was used an hour ago counts for four fifths of what is used now, what was used yesterday for a 256th. */
const HALF_LIFE_MS = 3 * 60 * 60_000;
/** Weights grow with time; before they leave the range of numbers the scale begins anew. */
const LONGEST_SCALE = 500;
/** What was used less often than this, as it counts today, is not worth a call that nobody waits for. */
const LEAST_COUNT = 1;
/** Longer keys are not counted: what counts must take little room. */
const MAX_KEY_LENGTH = 4_000;

/**
 * The most used of many, in bounded room: SpaceSaving (Metwally, Agrawal, El Abbadi, "Efficient Computation of Frequent and
 * Top-k Elements in Data Streams", ICDT 2005), where each use weighs more than those before it (Cormode, Shkapenyuk,
 * Srivastava, Xu, "Forward Decay", ICDE 2009).
 */
export class TopUsed<T> {
  readonly #counters = new Map<string, Counter<T>>();
  readonly #now: () => number;
  #scaleFromMs: number;

  /** `now`: the wall clock, milliseconds. */
  constructor(now: () => number) {
    this.#now = now;
    this.#scaleFromMs = now();
  }

  /** Counts one use, or `count` of them as they counted `agoMs` milliseconds ago. `makeItem` is called for what has no counter yet. */
  note(key: string, makeItem: () => T, count = 1, agoMs = 0): void {
    const weight = count * this.#weightOfNow() * 2 ** -(Math.max(0, agoMs) / HALF_LIFE_MS);
    const known = this.#counters.get(key);
    if (known !== undefined) known.weight += weight;
    else if (key.length <= MAX_KEY_LENGTH) this.#admit(key, makeItem(), weight);
  }

  /** Those that were surely used, the most used first, `limit` at most. */
  list(limit: number): readonly Used<T>[] {
    const now = this.#weightOfNow();
    return [...this.#counters.values()]
      .flatMap(({ key, item, weight, error }) => (item === null ? [] : [{ key, item, count: (weight - error) / now }]))
      .filter(({ count }) => count > LEAST_COUNT)
      .sort((left, right) => right.count - left.count)
      .slice(0, limit);
  }

  /** A newcomer takes the place of the least, and its weight on top of its own: it may have been here before. */
  #admit(key: string, item: T, weight: number): void {
    let error = 0;
    if (this.#counters.size >= CAPACITY) {
      let least: Counter<T> | null = null;
      for (const counter of this.#counters.values())
        if (least === null || counter.weight < least.weight) least = counter;
      if (least !== null) {
        error = least.weight;
        least.item = null;
        this.#counters.delete(least.key);
      }
    }
    this.#counters.set(key, { key, item, weight: weight + error, error });
  }

  #weightOfNow(): number {
    const halfLives = (this.#now() - this.#scaleFromMs) / HALF_LIFE_MS;
    if (halfLives < LONGEST_SCALE) return 2 ** halfLives;
    for (const counter of this.#counters.values()) {
      counter.weight *= 2 ** -halfLives;
      counter.error *= 2 ** -halfLives;
    }
    this.#scaleFromMs = this.#now();
    return 1;
  }
}

/** What was used of a federation, whoever used it. */
export class Usage {
  readonly searches: TopUsed<UsedSearch>;
  readonly lookUps: TopUsed<UsedLookUp>;

  /** `now`: the wall clock, milliseconds. */
  constructor(now: () => number = Date.now) {
    this.searches = new TopUsed(now);
    this.lookUps = new TopUsed(now);
  }
}

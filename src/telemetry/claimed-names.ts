/** Names that are found where they are claimed by another registry: told once in a while, not with every row of every search. */

/** How long a name counts as told. */
const TOLD_MS = 3_600_000;
/** Names remembered of one registry: one that sends more has them counted again. */
const MAX_NAMES = 1_000;

/** Of one registry. `now` as `Date.now()`. */
export class ClaimedNames {
  readonly #now: () => number;
  /** When each was told; the oldest first. */
  readonly #told = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether the name is to be told: it was not in the last hour. */
  note(name: string): boolean {
    const nowMs = this.#now();
    const toldAtMs = this.#told.get(name);
    if (toldAtMs !== undefined && nowMs - toldAtMs < TOLD_MS) return false;
    this.#told.delete(name);
    const [oldest] = this.#told.keys();
    if (this.#told.size >= MAX_NAMES && oldest !== undefined) this.#told.delete(oldest);
    this.#told.set(name, nowMs);
    return true;
  }
}

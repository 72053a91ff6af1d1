/**
 * Counts over the last minute, in two numbers: what was counted in this minute of the clock, and in the one before, which
 * counts for the share of it that is less than a minute ago. Off by what an uneven minute makes of that share, and no more.
 * Whole numbers throughout, a count in milliseconds of the window: with fractions a wait that was told may prove too short.
 */
const WINDOW_MS = 60_000;

export class SlidingCount {
  readonly limit: number;
  #minute = -1;
  #current = 0;
  #previous = 0;

  constructor(limit: number) {
    this.limit = limit;
  }

  /** Counts, where that stays within the limit, and gives 0; otherwise after how many milliseconds it would. */
  tryAdd(amount: number, nowMs: number): number {
    if (this.#usedMs(nowMs) <= (this.limit - amount) * WINDOW_MS) {
      this.#current += amount;
      return 0;
    }
    return this.#waitMs(amount, nowMs);
  }

  /** Counts what is done already. */
  add(amount: number, nowMs: number): void {
    this.#roll(nowMs);
    this.#current += amount;
  }

  /** A whole number, not below 0. */
  remaining(nowMs: number): number {
    return Math.max(0, Math.floor(this.limit - this.#usedMs(nowMs) / WINDOW_MS));
  }

  /** When all that is counted by now has left the window, at the latest: milliseconds since the epoch. */
  resetAtMs(nowMs: number): number {
    this.#roll(nowMs);
    if (this.#current > 0) return (this.#minute + 2) * WINDOW_MS;
    return this.#previous > 0 ? (this.#minute + 1) * WINDOW_MS : nowMs;
  }

  /** Whether nothing of it counts any more. */
  isIdle(nowMs: number): boolean {
    this.#roll(nowMs);
    return this.#current === 0 && this.#previous === 0;
  }

  /** What counts, times the window. */
  #usedMs(nowMs: number): number {
    this.#roll(nowMs);
    return this.#current * WINDOW_MS + this.#previous * (WINDOW_MS - (nowMs % WINDOW_MS));
  }

  #roll(nowMs: number): void {
    const minute = Math.floor(nowMs / WINDOW_MS);
    if (minute === this.#minute) return;
    // A clock that was set back: what is counted stays, and leaves the window by the time that is told from now on. Waiting until
    // the clock has come to where it was could take a day.
    if (minute < this.#minute) {
      this.#minute = minute;
      return;
    }
    this.#previous = minute === this.#minute + 1 ? this.#current : 0;
    this.#current = 0;
    this.#minute = minute;
  }

  /** How long until what was counted in the minute before has shrunk enough; or what was in this one, in the next. */
  #waitMs(amount: number, nowMs: number): number {
    const passedMs = nowMs % WINDOW_MS;
    const room = this.limit - amount;
    if (this.#current <= room) return Math.max(1, shrinkMs(this.#previous, room - this.#current) - passedMs);
    return WINDOW_MS - passedMs + shrinkMs(this.#current, Math.max(0, room));
  }
}

/** How far into the next minute a count has shrunk to what there is room for. */
function shrinkMs(count: number, room: number): number {
  return WINDOW_MS - Math.min(WINDOW_MS, Math.floor((room * WINDOW_MS) / count));
}

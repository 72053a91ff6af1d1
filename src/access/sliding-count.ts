/**
 * Counts over the last minute, in two numbers: what was counted in this minute of the clock, and in the one before, which
 * counts for the share of it that is less than a minute ago. Off by what an uneven minute makes of that share, and no more.
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
    const used = this.#used(nowMs);
    if (used + amount <= this.limit) {
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
    return Math.max(0, Math.floor(this.limit - this.#used(nowMs)));
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

  #used(nowMs: number): number {
    this.#roll(nowMs);
    if (this.#previous === 0) return this.#current;
    return this.#current + this.#previous * (1 - (nowMs % WINDOW_MS) / WINDOW_MS);
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

  /** The share of a minute that has to pass until what was counted has shrunk enough. */
  #waitMs(amount: number, nowMs: number): number {
    const passedMs = nowMs % WINDOW_MS;
    const room = this.limit - amount;
    if (this.#current <= room)
      return Math.ceil((1 - (room - this.#current) / this.#previous) * WINDOW_MS - passedMs) || 1;
    const share = Math.max(0, 1 - Math.max(0, room) / this.#current);
    return Math.max(1, Math.ceil(WINDOW_MS - passedMs + share * WINDOW_MS));
  }
}

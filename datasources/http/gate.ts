import type { RegistryConfig } from '../../src/config/config.ts';

/** Background work leaves this share of the burst, and of the places, to those who wait. */
const BACKGROUND_RESERVE = 0.25;
/** A pause or a slow limit is looked at again this often. */
const LONGEST_WAIT_MS = 1_000;

/** Somebody at the door. */
export interface Visitor {
  /** No user waits for it (yet: one may join). */
  isBackground(): boolean;
  /** Whether anybody still waits for the call. */
  isWanted(): boolean;
  /** true: go on, with a token and a place taken. false: not wanted any more, nothing taken. */
  admit(admitted: boolean): void;
}

/**
 * The exact account of a registry's `rateLimit`: a token bucket (`requestsPerSecond`, up to `burst`), the places of
 * `concurrent`, and the pauses that the registry itself asks for. Decides synchronously whether a call may go now; who
 * may not waits at the door and is let in, in order, when a token or a place is free. Null: pauses alone.
 */
export class Gate {
  readonly #limit: NonNullable<RegistryConfig['rateLimit']> | null;
  readonly #visitors: Visitor[] = [];
  readonly #backgroundVisitors: Visitor[] = [];
  #tokens: number;
  #countedAtMs = performance.now();
  #inFlight = 0;
  #pausedUntilMs = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor(limit: RegistryConfig['rateLimit']) {
    this.#limit = limit;
    this.#tokens = limit?.burst ?? 0;
  }

  /** Takes a token and a place when both are free now. */
  tryEnter(background: boolean): boolean {
    if (!this.#mayEnter(background)) return false;
    this.#tokens -= 1;
    this.#inFlight += 1;
    return true;
  }

  /** Takes a token for a further attempt of a call that has its place. */
  tryTakeToken(): boolean {
    this.#refill();
    if (performance.now() < this.#pausedUntilMs || (this.#limit !== null && this.#tokens < 1)) return false;
    this.#tokens -= 1;
    return true;
  }

  /** Waits at the door until it is this visitor's turn. */
  stand(visitor: Visitor): void {
    (visitor.isBackground() ? this.#backgroundVisitors : this.#visitors).push(visitor);
    this.#open();
  }

  /** Gives the place back. */
  leave(): void {
    this.#inFlight -= 1;
    this.#open();
  }

  /** Nobody goes in before then (Retry-After). A shorter pause does not end a longer one. */
  pauseFor(durationMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, performance.now() + durationMs);
  }

  /** How long until the pause is over; 0 without one. */
  remainingPauseMs(): number {
    return Math.max(0, this.#pausedUntilMs - performance.now());
  }

  /** The least that a call must wait which has so many others before it. Places in use are not foreseen. */
  estimateWaitMs(before: number): number {
    if (this.#limit === null) return this.remainingPauseMs();
    this.#refill();
    const missing = before + 1 - this.#tokens;
    return Math.max(this.remainingPauseMs(), Math.ceil((missing / this.#limit.requestsPerSecond) * 1000), 0);
  }

  /** Sends everybody away who still stands here. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    for (const visitor of [...this.#visitors.splice(0), ...this.#backgroundVisitors.splice(0)]) visitor.admit(false);
  }

  #mayEnter(background: boolean): boolean {
    if (performance.now() < this.#pausedUntilMs) return false;
    const limit = this.#limit;
    if (limit === null) return true;
    this.#refill();
    const reserve = background ? Math.min(limit.burst - 1, limit.burst * BACKGROUND_RESERVE) : 0;
    return this.#tokens >= 1 + reserve && this.#inFlight < this.#countPlaces(background);
  }

  #refill(): void {
    const limit = this.#limit;
    const nowMs = performance.now();
    if (limit !== null) {
      const earned = ((nowMs - this.#countedAtMs) * limit.requestsPerSecond) / 1000;
      this.#tokens = Math.min(limit.burst, this.#tokens + earned);
    }
    this.#countedAtMs = nowMs;
  }

  /** Lets in whoever may go now, those that somebody waits for before the others. */
  #open(): void {
    this.#promote();
    this.#admitFrom(this.#visitors);
    if (this.#visitors.length === 0) this.#admitFrom(this.#backgroundVisitors);
    const next = this.#visitors[0] ?? this.#backgroundVisitors[0];
    if (next !== undefined && this.#timer === null) this.#openLater(next);
  }

  /** A user joined a call that was background work until then. */
  #promote(): void {
    for (let index = this.#backgroundVisitors.length - 1; index >= 0; index -= 1) {
      const visitor = this.#backgroundVisitors[index];
      if (visitor === undefined || visitor.isBackground()) continue;
      this.#backgroundVisitors.splice(index, 1);
      this.#visitors.push(visitor);
    }
  }

  #admitFrom(visitors: Visitor[]): void {
    for (let first = visitors[0]; first !== undefined; first = visitors[0]) {
      const wanted = first.isWanted();
      if (wanted && !this.tryEnter(first.isBackground())) return;
      visitors.shift();
      first.admit(wanted);
    }
  }

  /**
   * Looks again when the next token is there or the pause is over. Where a place is all that is missing, the one who gives
   * it back opens the door. The clock goes on between two looks: what was refused a moment ago may need no wait by now.
   */
  #openLater(next: Visitor): void {
    const background = next.isBackground();
    const reserve = background && this.#limit !== null ? this.#limit.burst * BACKGROUND_RESERVE : 0;
    const waitMs = this.estimateWaitMs(reserve);
    if (waitMs <= 0 && this.#inFlight >= this.#countPlaces(background)) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#open();
      },
      Math.min(Math.max(waitMs, 1), LONGEST_WAIT_MS),
    );
  }

  /** How many calls may be under way at once. */
  #countPlaces(background: boolean): number {
    if (this.#limit === null) return Number.POSITIVE_INFINITY;
    const { concurrent } = this.#limit;
    return background ? Math.max(1, Math.floor(concurrent * (1 - BACKGROUND_RESERVE))) : concurrent;
  }
}

/** What each caller may use of the gateway: requests and cost in a minute, and operations at one time. */
import type { CallerLimits } from '../config/config.ts';
import { RateLimited } from './errors.ts';
import { SlidingCount } from './sliding-count.ts';

/**
 * Callers that are remembered in each of two generations, some 200 bytes each. Whoever made no request for as long as it
 * takes to fill one is forgotten, and begins anew.
 */
const MAX_CALLERS = 50_000;
/** A caller that was not here for two windows has nothing to be remembered of. */
const GENERATION_MS = 120_000;

/** Of one caller. Times are milliseconds since the epoch. */
export class Quota {
  readonly #limits: CallerLimits;
  readonly #requests: SlidingCount | null;
  readonly #cost: SlidingCount | null;
  #running = 0;

  constructor(limits: CallerLimits) {
    this.#limits = limits;
    this.#requests = limits.requestsPerMinute === null ? null : new SlidingCount(limits.requestsPerMinute);
    this.#cost = limits.costPerMinute === null ? null : new SlidingCount(limits.costPerMinute);
  }

  /** Counts a request. Throws RateLimited. */
  takeRequest(nowMs: number): void {
    const waitMs = this.#requests?.tryAdd(1, nowMs) ?? 0;
    if (waitMs > 0) {
      throw new RateLimited(
        `A caller may send ${this.#limits.requestsPerMinute} requests in a minute; more were sent. Try again later.`,
        waitMs,
      );
    }
  }

  /** Counts the cost of an operation before anything of it is done. Throws RateLimited. */
  chargeCost(cost: number, nowMs: number): void {
    const waitMs = this.#cost?.tryAdd(cost, nowMs) ?? 0;
    if (waitMs > 0) {
      throw new RateLimited(
        `The operations of a caller may cost ${this.#limits.costPerMinute} in a minute; this one, of ${cost}, would be more. Try again later, or ask for less.`,
        waitMs,
      );
    }
  }

  /** Begins an operation, which `leave` must end. Throws RateLimited. */
  enter(): void {
    const { concurrent } = this.#limits;
    if (concurrent !== null && this.#running >= concurrent) {
      throw new RateLimited(
        `A caller may have ${concurrent} operations executed at one time; more were sent. Wait for some of them first.`,
        1000,
      );
    }
    this.#running += 1;
  }

  leave(): void {
    this.#running -= 1;
  }

  /** Of the cost; null where it is not limited. */
  readCost(nowMs: number): { readonly remaining: number; readonly resetAtMs: number } | null {
    const cost = this.#cost;
    return cost === null ? null : { remaining: cost.remaining(nowMs), resetAtMs: cost.resetAtMs(nowMs) };
  }

  /**
   * Names and values by turns, none where requests are not limited: draft-ietf-httpapi-ratelimit-headers-06, sections 3 and 5,
   * the version of these fields that clients know.
   */
  describe(nowMs: number): readonly string[] {
    const requests = this.#requests;
    if (requests === null) return [];
    const limit = String(requests.limit);
    return [
      'RateLimit-Limit',
      limit,
      'RateLimit-Remaining',
      String(requests.remaining(nowMs)),
      'RateLimit-Reset',
      String(Math.ceil((requests.resetAtMs(nowMs) - nowMs) / 1000)),
      'RateLimit-Policy',
      `${limit};w=60`,
    ];
  }
}

/** The quotas of all callers, by a key that stands for each. */
export class CallerQuotas {
  readonly #limits: CallerLimits;
  #young = new Map<string, Quota>();
  #old = new Map<string, Quota>();
  #turnedAtMs = Number.NEGATIVE_INFINITY;

  constructor(limits: CallerLimits) {
    this.#limits = limits;
  }

  of(key: string, nowMs: number): Quota {
    if (nowMs - this.#turnedAtMs >= GENERATION_MS) this.#turn(nowMs);
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const quota = this.#old.get(key) ?? new Quota(this.#limits);
    if (this.#young.size >= MAX_CALLERS) this.#turn(nowMs);
    this.#young.set(key, quota);
    return quota;
  }

  #turn(nowMs: number): void {
    this.#old = this.#young;
    this.#young = new Map();
    this.#turnedAtMs = nowMs;
  }
}

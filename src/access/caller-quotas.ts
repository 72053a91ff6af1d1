/** What each caller may use of the gateway: requests and cost in a minute, and operations at one time. */
import { hash } from 'node:crypto';
import type { CallerLimits } from '../config/config.ts';
import { RateLimited } from './errors.ts';
import { SlidingCount } from './sliding-count.ts';

/**
 * Callers that are remembered in each of two generations, some 400 bytes each. Whoever made no request for as long as it
 * takes to fill one is forgotten, and begins anew.
 */
const MAX_CALLERS = 50_000;
/** A caller that was not here for two windows has nothing to be remembered of. */
const GENERATION_MS = 120_000;

/** The key of a caller whom a text names: of one length, and no text that other processes need to be told. */
export function makeCallerKey(text: string): string {
  return hash('sha256', text, 'base64url').slice(0, KEY_LENGTH);
}

/** What a caller, by its key, has used in one process since it was last told. */
export interface UsageReport {
  readonly caller: string;
  readonly requests: number;
  readonly cost: number;
}

/** The way to the other processes of a gateway. What it brings is checked; what is lost on it is counted nowhere else. */
export interface UsageSharing {
  publish(reports: readonly UsageReport[]): void;
  /** Gives the function that ends it. */
  subscribe(listener: (reports: readonly UsageReport[]) => void): () => void;
}

/** Of 64 characters' worth of 6 bits: 132 bits, which nobody makes collide. */
const KEY_LENGTH = 22;
/** How long a process keeps to itself what callers use: so much more may get through, at the most, for each other process. */
const TELL_AFTER_MS = 250;
/** Callers in one message. */
const MOST_TOLD = 2000;

/** Of one caller. Times are milliseconds since the epoch. */
export class Quota {
  readonly key: string;
  readonly #onUse: ((quota: Quota) => void) | null;
  readonly #limits: CallerLimits;
  readonly #requests: SlidingCount | null;
  readonly #cost: SlidingCount | null;
  #running = 0;
  /** Used, and not told to other processes yet. */
  #requestsUntold = 0;
  #costUntold = 0;
  #isNoted = false;
  /** What `describe` gives; null where requests are not limited. */
  readonly #headers: string[] | null;
  /** Until the reset, as `#headers` has it: the same for many requests of a busy caller. */
  #toldSeconds = -1;

  /** `onUse`: told once of each use after `takeReport`; null: nobody wants to know. */
  constructor(limits: CallerLimits, key = '', onUse: ((quota: Quota) => void) | null = null) {
    this.key = key;
    this.#onUse = onUse;
    this.#limits = limits;
    this.#requests = limits.requestsPerMinute === null ? null : new SlidingCount(limits.requestsPerMinute);
    this.#cost = limits.costPerMinute === null ? null : new SlidingCount(limits.costPerMinute);
    this.#headers = this.#requests && writeHeaders(this.#requests.limit);
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
    this.#requestsUntold += 1;
    if (!this.#isNoted) this.#note();
  }

  /** What was used since the last report. */
  takeReport(): UsageReport {
    const report = { caller: this.key, requests: this.#requestsUntold, cost: this.#costUntold };
    this.#requestsUntold = 0;
    this.#costUntold = 0;
    this.#isNoted = false;
    return report;
  }

  /** Counts what the caller has used at other processes. */
  addElsewhere({ requests, cost }: UsageReport, nowMs: number): void {
    this.#requests?.add(requests, nowMs);
    this.#cost?.add(cost, nowMs);
  }

  #note(): void {
    this.#isNoted = true;
    this.#onUse?.(this);
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
    this.#costUntold += cost;
    if (!this.#isNoted) this.#note();
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
   * the version of these fields that clients know. The same list each time: it holds until it is asked for again.
   */
  describe(nowMs: number): readonly string[] {
    const requests = this.#requests;
    const headers = this.#headers;
    if (requests === null || headers === null) return NO_HEADERS;
    headers[REMAINING_AT] = String(requests.remaining(nowMs));
    const seconds = Math.ceil((requests.resetAtMs(nowMs) - nowMs) / 1000);
    if (seconds !== this.#toldSeconds) headers[RESET_AT] = String(seconds);
    this.#toldSeconds = seconds;
    return headers;
  }
}

const NO_HEADERS: readonly string[] = Object.freeze([]);
/** Places of what changes in the list of headers. */
const REMAINING_AT = 3;
const RESET_AT = 5;

function writeHeaders(limit: number): string[] {
  return [
    ...['RateLimit-Limit', String(limit), 'RateLimit-Remaining', '', 'RateLimit-Reset', ''],
    ...['RateLimit-Policy', `${limit};w=60`],
  ];
}

/** The quotas of all callers, by a key that stands for each. */
export class CallerQuotas {
  readonly #limits: CallerLimits;
  #young = new Map<string, Quota>();
  #old = new Map<string, Quota>();
  #turnedAtMs = Number.NEGATIVE_INFINITY;

  readonly #sharing: UsageSharing | null;
  /** Have used something since it was last told. */
  #untold: Quota[] = [];
  #timer: NodeJS.Timeout | null = null;

  /** `sharing` null: this is the only process. */
  constructor(limits: CallerLimits, sharing: UsageSharing | null = null) {
    this.#limits = limits;
    this.#sharing = sharing;
  }

  /** Whether anything is limited: otherwise nobody needs to be counted. */
  get isLimiting(): boolean {
    const { requestsPerMinute, costPerMinute, concurrent } = this.#limits;
    return requestsPerMinute !== null || costPerMinute !== null || concurrent !== null;
  }

  /** Takes what callers have used at another process. */
  hear(reports: readonly UsageReport[], nowMs: number): void {
    for (const report of reports) this.of(report.caller, nowMs).addElsewhere(report, nowMs);
  }

  /** Tells other processes what was used here since the last time. */
  tell(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    const quotas = this.#untold;
    this.#untold = [];
    for (let from = 0; from < quotas.length; from += MOST_TOLD) {
      this.#sharing?.publish(quotas.slice(from, from + MOST_TOLD).map((quota) => quota.takeReport()));
    }
  }

  readonly #onUse = (quota: Quota): void => {
    this.#untold.push(quota);
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => this.tell(), TELL_AFTER_MS);
    this.#timer.unref();
  };

  of(key: string, nowMs: number): Quota {
    if (Math.abs(nowMs - this.#turnedAtMs) >= GENERATION_MS) this.#turn(nowMs);
    const known = this.#young.get(key);
    if (known !== undefined) return known;
    const quota = this.#old.get(key) ?? new Quota(this.#limits, key, this.#sharing === null ? null : this.#onUse);
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

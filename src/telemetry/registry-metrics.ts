import type { RegistryFailure } from '../domain/errors.ts';
import type { CircuitView, RegistryMetrics } from '../domain/registry.ts';
import type { CacheOutcome } from '../domain/search.ts';
import { LatencyHistogram } from './latency-histogram.ts';

/** Five minutes in parts of five seconds, an hour in parts of a minute: what a window may be too long by. */
const FINE = { partMs: 5_000, parts: 61 };
const COARSE = { partMs: 60_000, parts: 61 };
const FINE_REACH_MS = 300_000;

/** Counts what happens with one registry and tells it for the last minutes. Fed by events; no layer imports it. */
export class RegistryMeter {
  readonly #now: () => number;
  readonly #fine: Ring;
  readonly #coarse: Ring;
  #inFlight = 0;

  /** `now` as `Date.now()`. */
  constructor(now: () => number) {
    this.#now = now;
    this.#fine = new Ring(FINE.partMs, FINE.parts);
    this.#coarse = new Ring(COARSE.partMs, COARSE.parts);
  }

  onCacheOutcome(outcome: CacheOutcome): void {
    this.#count((part) => {
      if (outcome === 'HIT') part.cacheHits += 1;
      else part.cacheMisses += 1;
    });
  }

  onAttemptStart(): void {
    this.#inFlight += 1;
  }

  onAttemptEnd(tookMs: number, failure: RegistryFailure | null): void {
    this.#inFlight -= 1;
    this.#count((part) => {
      part.requests += 1;
      part.latencies.record(tookMs);
      if (isGoodAnswer(failure)) part.successes += 1;
      if (failure !== null) countFailure(part, failure);
    });
  }

  onRetry(): void {
    this.#count((part) => {
      part.retries += 1;
    });
  }

  onRateLimitRefusal(): void {
    this.#count((part) => {
      part.rateLimitHits += 1;
    });
  }

  onCircuitChange({ state }: CircuitView): void {
    if (state !== 'OPEN') return;
    this.#count((part) => {
      part.circuitOpens += 1;
    });
  }

  /** Sums up the last `windowMs` (an hour at most). `queued` is what the limiter holds now. */
  read(windowMs: number, queued: number): RegistryMetrics {
    const ring = windowMs <= FINE_REACH_MS ? this.#fine : this.#coarse;
    const sum = new Part();
    for (const part of ring.since(this.#now() - windowMs)) sum.add(part);
    const lookups = sum.cacheHits + sum.cacheMisses;
    return {
      requests: sum.requests,
      successRate: sum.requests === 0 ? null : sum.successes / sum.requests,
      responseTime: sum.latencies.summarize(),
      cacheHitRate: lookups === 0 ? null : sum.cacheHits / lookups,
      cacheHits: sum.cacheHits,
      cacheMisses: sum.cacheMisses,
      authFailures: sum.authFailures,
      rateLimitHits: sum.rateLimitHits,
      timeouts: sum.timeouts,
      retries: sum.retries,
      circuitOpens: sum.circuitOpens,
      inFlight: this.#inFlight,
      queued,
    };
  }

  /** The attempts that ended in the last `windowMs` (five minutes at most), and how many of them failed. */
  countCalls(windowMs: number): { readonly calls: number; readonly failures: number } {
    let calls = 0;
    let failures = 0;
    for (const { requests, successes } of this.#fine.since(this.#now() - windowMs)) {
      calls += requests;
      failures += requests - successes;
    }
    return { calls, failures };
  }

  #count(change: (part: Part) => void): void {
    const nowMs = this.#now();
    change(this.#fine.at(nowMs));
    change(this.#coarse.at(nowMs));
  }
}

/** A 404, 409 or 4xx about the request is a good answer of the registry; so is a success. */
export function isGoodAnswer(failure: RegistryFailure | null): boolean {
  switch (failure?.type) {
    case undefined:
    case 'NOT_FOUND':
    case 'CONFLICT':
    case 'INVALID':
    case 'READ_ONLY':
      return true;
    default:
      return false;
  }
}

function countFailure(part: Part, failure: RegistryFailure): void {
  switch (failure.type) {
    case 'NOT_FOUND':
    case 'CONFLICT':
    case 'INVALID':
    case 'READ_ONLY':
      return;
    case 'AUTHENTICATION':
    case 'AUTHORIZATION':
      part.authFailures += 1;
      return;
    case 'RATE_LIMIT':
      part.rateLimitHits += 1;
      return;
    case 'TIMEOUT':
      part.timeouts += 1;
      return;
    case 'CONNECTION':
    case 'CIRCUIT_OPEN':
    case 'PROTOCOL':
    case 'SERVER':
    case 'TLS':
      return;
  }
}

const COUNTERS = [
  'requests',
  'successes',
  'cacheHits',
  'cacheMisses',
  'authFailures',
  'rateLimitHits',
  'timeouts',
  'retries',
  'circuitOpens',
] as const;

class Part {
  readonly latencies = new LatencyHistogram();
  requests = 0;
  successes = 0;
  cacheHits = 0;
  cacheMisses = 0;
  authFailures = 0;
  rateLimitHits = 0;
  timeouts = 0;
  retries = 0;
  circuitOpens = 0;

  add(other: Part): void {
    for (const counter of COUNTERS) this[counter] += other[counter];
    this.latencies.add(other.latencies);
  }
}

/** The last parts of time, each replaced when its turn comes again. */
class Ring {
  readonly #partMs: number;
  readonly #slots: ({ readonly number: number; readonly part: Part } | null)[];

  constructor(partMs: number, parts: number) {
    this.#partMs = partMs;
    this.#slots = new Array(parts).fill(null);
  }

  at(timeMs: number): Part {
    const number = Math.floor(timeMs / this.#partMs);
    const index = number % this.#slots.length;
    const slot = this.#slots[index];
    if (slot != null && slot.number === number) return slot.part;
    const part = new Part();
    this.#slots[index] = { number, part };
    return part;
  }

  /** Every part that ends after this time. */
  since(timeMs: number): readonly Part[] {
    const first = Math.floor(timeMs / this.#partMs);
    return this.#slots
      .filter((slot) => slot !== null && slot.number > first - 1)
      .map((slot) => slot?.part ?? new Part());
  }
}

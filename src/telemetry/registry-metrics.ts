import type { RegistryErrorType, RegistryFailure } from '../domain/errors.ts';
import type { CircuitView, LatencySummary, RegistryMetrics } from '../domain/registry.ts';
import type { CacheOutcome } from '../domain/search.ts';
import { LatencyHistogram } from './latency-histogram.ts';
import { Windows } from './windows.ts';

/** How an attempt ended; OK where it brought an answer, a 404 or the like too. */
export type AttemptOutcome = 'OK' | RegistryErrorType;
/** What the cache was asked for. */
export type CacheLayerName = 'SEARCH' | 'TEMPLATE' | 'CATALOG';

export const ATTEMPT_OUTCOMES: readonly AttemptOutcome[] = [
  ...(['OK', 'CONNECTION', 'TIMEOUT', 'AUTHENTICATION', 'AUTHORIZATION', 'RATE_LIMIT'] as const),
  ...(['CIRCUIT_OPEN', 'NOT_FOUND', 'CONFLICT', 'INVALID', 'READ_ONLY', 'PROTOCOL', 'SERVER', 'TLS'] as const),
];
export const CACHE_LAYERS: readonly CacheLayerName[] = ['SEARCH', 'TEMPLATE', 'CATALOG'];
export const CACHE_OUTCOMES: readonly CacheOutcome[] = ['HIT', 'MISS', 'STALE', 'BYPASS'];

/** All that was counted of a registry since its gateway started, and what is under way. */
export interface RegistryTotals {
  readonly latencies: LatencyHistogram;
  readonly retries: number;
  /** Calls that the limiter refused here. */
  readonly refusals: number;
  readonly circuitOpens: number;
  readonly claimedNames: number;
  readonly inFlight: number;
  readonly queued: number;
  countAttempts(outcome: AttemptOutcome): number;
  countLookups(layer: CacheLayerName, outcome: CacheOutcome): number;
}

/** Counts what happens with one registry and tells it for the last minutes. Fed by events; no layer imports it. */
export class RegistryMeter {
  readonly #windows: Windows<Part>;
  #inFlight = 0;

  /** `now` as `Date.now()`. */
  constructor(now: () => number) {
    this.#windows = new Windows(now, () => new Part());
  }

  onCacheOutcome(outcome: CacheOutcome, layer: CacheLayerName): void {
    this.#windows.current.lookups[layer][outcome] += 1;
  }

  onAttemptStart(): void {
    this.#inFlight += 1;
  }

  onAttemptEnd(tookMs: number, failure: RegistryFailure | null): void {
    this.#inFlight -= 1;
    const part = this.#windows.current;
    part.attempts[failure === null ? 'OK' : failure.type] += 1;
    part.latencies.record(tookMs);
  }

  onRetry(): void {
    this.#windows.current.retries += 1;
  }

  onRateLimitRefusal(): void {
    this.#windows.current.refusals += 1;
  }

  onCircuitChange({ state }: CircuitView): void {
    if (state === 'OPEN') this.#windows.current.circuitOpens += 1;
  }

  onClaimedName(): void {
    this.#windows.current.claimedNames += 1;
  }

  /** Sums up the last `windowMs` (an hour at most). `queued` is what the limiter holds now. */
  read(windowMs: number, queued: number): RegistryMetrics {
    return new Reading(this.#windows.since(windowMs), this.#inFlight, queued);
  }

  /** The attempts that ended in the last `windowMs` (an hour at most), and how many of them failed. */
  countCalls(windowMs: number): { readonly calls: number; readonly failures: number } {
    let calls = 0;
    let failures = 0;
    for (const part of this.#windows.since(windowMs)) {
      calls += part.requests;
      failures += part.requests - part.successes;
    }
    return { calls, failures };
  }

  /** Everything since the start. `queued` is what the limiter holds now. */
  readTotals(queued: number): RegistryTotals {
    const { attempts, lookups, latencies, retries, refusals, circuitOpens, claimedNames } = this.#windows.total();
    return {
      ...{ latencies, retries, refusals, circuitOpens, claimedNames, queued, inFlight: this.#inFlight },
      countAttempts: (outcome) => attempts[outcome],
      countLookups: (layer, outcome) => lookups[layer][outcome],
    };
  }
}

/** Whether the registry gave an answer: a 404, 409 or 4xx about the request is a good one. */
export function isGoodAnswer(failure: RegistryFailure | null): boolean {
  return failure === null || GOOD_FAILURES.has(failure.type);
}

const GOOD_FAILURES: ReadonlySet<RegistryErrorType> = new Set(['NOT_FOUND', 'CONFLICT', 'INVALID', 'READ_ONLY']);

type Counts<Names extends string> = Record<Names, number>;

const startAttempts = (): Counts<AttemptOutcome> => ({
  ...{ OK: 0, CONNECTION: 0, TIMEOUT: 0, AUTHENTICATION: 0, AUTHORIZATION: 0, RATE_LIMIT: 0, CIRCUIT_OPEN: 0 },
  ...{ NOT_FOUND: 0, CONFLICT: 0, INVALID: 0, READ_ONLY: 0, PROTOCOL: 0, SERVER: 0, TLS: 0 },
});
const startLookups = (): Counts<CacheOutcome> => ({ HIT: 0, MISS: 0, STALE: 0, BYPASS: 0 });

/** What was counted in one part of time. */
class Part {
  readonly latencies = new LatencyHistogram();
  readonly attempts = startAttempts();
  readonly lookups = { SEARCH: startLookups(), TEMPLATE: startLookups(), CATALOG: startLookups() };
  retries = 0;
  refusals = 0;
  circuitOpens = 0;
  claimedNames = 0;

  get requests(): number {
    return this.latencies.total;
  }

  get successes(): number {
    let successes = this.attempts.OK;
    for (const type of GOOD_FAILURES) successes += this.attempts[type];
    return successes;
  }

  add(other: Part): void {
    this.latencies.add(other.latencies);
    for (const outcome of ATTEMPT_OUTCOMES) this.attempts[outcome] += other.attempts[outcome];
    for (const layer of CACHE_LAYERS) {
      for (const outcome of CACHE_OUTCOMES) this.lookups[layer][outcome] += other.lookups[layer][outcome];
    }
    this.retries += other.retries;
    this.refusals += other.refusals;
    this.circuitOpens += other.circuitOpens;
    this.claimedNames += other.claimedNames;
  }
}

/** A window, summed up when somebody looks: who asks for a rate does not pay for percentiles. */
class Reading implements RegistryMetrics {
  readonly inFlight: number;
  readonly queued: number;
  readonly #over: Part;
  readonly #underWay: Part;

  constructor([over, underWay]: readonly [over: Part, underWay: Part], inFlight: number, queued: number) {
    this.#over = over;
    this.#underWay = underWay;
    this.inFlight = inFlight;
    this.queued = queued;
  }

  get requests(): number {
    return this.#sum((part) => part.requests);
  }

  get successRate(): number | null {
    const { requests } = this;
    return requests === 0 ? null : this.#sum((part) => part.successes) / requests;
  }

  get responseTime(): LatencySummary {
    const latencies = new LatencyHistogram();
    latencies.add(this.#over.latencies);
    latencies.add(this.#underWay.latencies);
    return latencies.summarize();
  }

  get cacheHitRate(): number | null {
    const { cacheHits, cacheMisses } = this;
    return cacheHits + cacheMisses === 0 ? null : cacheHits / (cacheHits + cacheMisses);
  }

  get cacheHits(): number {
    return this.#sum(({ lookups }) => lookups.SEARCH.HIT + lookups.TEMPLATE.HIT + lookups.CATALOG.HIT);
  }

  get cacheMisses(): number {
    return this.#sum(
      ({ lookups }) => countMisses(lookups.SEARCH) + countMisses(lookups.TEMPLATE) + countMisses(lookups.CATALOG),
    );
  }

  get authFailures(): number {
    return this.#sum(({ attempts }) => attempts.AUTHENTICATION + attempts.AUTHORIZATION);
  }

  /** There and here. */
  get rateLimitHits(): number {
    return this.#sum(({ attempts, refusals }) => attempts.RATE_LIMIT + refusals);
  }

  get timeouts(): number {
    return this.#sum(({ attempts }) => attempts.TIMEOUT);
  }

  get retries(): number {
    return this.#sum(({ retries }) => retries);
  }

  get claimedNames(): number {
    return this.#sum(({ claimedNames }) => claimedNames);
  }

  get circuitOpens(): number {
    return this.#sum(({ circuitOpens }) => circuitOpens);
  }

  #sum(read: (part: Part) => number): number {
    return read(this.#over) + read(this.#underWay);
  }
}

/** All that was no hit. */
function countMisses({ MISS, STALE, BYPASS }: Counts<CacheOutcome>): number {
  return MISS + STALE + BYPASS;
}

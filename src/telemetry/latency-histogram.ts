import type { LatencySummary } from '../domain/registry.ts';

/**
 * Upper bounds of the buckets, in milliseconds: geometric, so that each is at most 8.1 % wider than the one before and a
 * percentile at most 4 % off; stepped so that 1, 2.5, 5 and 10 times each power of ten are among them, where other
 * histograms have theirs. From 0.1 ms to beyond four minutes, longer than any call may take.
 */
const BOUNDS_MS: readonly number[] = makeBounds();
const BUCKETS = BOUNDS_MS.length + 1;

function makeBounds(): number[] {
  const bounds = [0.1];
  for (let decade = -1; decade <= 4; decade += 1) {
    for (const [from, to, steps] of [
      [1, 2.5, 12],
      [2.5, 5, 9],
      [5, 10, 9],
    ] as const) {
      for (let step = 1; step <= steps; step += 1) {
        // The last one exactly, whatever powers make of it.
        const bound = step === steps ? to : from * (to / from) ** (step / steps);
        bounds.push(Number((bound * 10 ** decade).toPrecision(12)));
      }
    }
  }
  for (let step = 1; step <= 12; step += 1) bounds.push(Number((100_000 * 2.5 ** (step / 12)).toPrecision(12)));
  return bounds;
}

/** A histogram as data: counts by bucket, those that are not 0 alone. */
export interface HistogramState {
  readonly counts: readonly (readonly [bucket: number, count: number])[];
  readonly sumMs: number;
  readonly maxMs: number;
}

/** Counts durations in fixed buckets, so that windows can be added up and percentiles still be read. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(BUCKETS);
  /** The buckets that may hold something: most durations lie close together. */
  #lowest = BUCKETS;
  #highest = -1;
  #total = 0;
  #sumMs = 0;
  #maxMs = 0;

  /** How many durations there are. */
  get total(): number {
    return this.#total;
  }

  get sumMs(): number {
    return this.#sumMs;
  }

  record(durationMs: number): void {
    const bucket = findBucket(durationMs);
    this.#put(bucket, 1);
    this.#sumMs += durationMs;
    if (durationMs > this.#maxMs) this.#maxMs = durationMs;
  }

  add(other: LatencyHistogram): void {
    if (other.#total === 0) return;
    const counts = this.#counts;
    const added = other.#counts;
    for (let bucket = other.#lowest, last = other.#highest; bucket <= last; bucket += 1) {
      counts[bucket] = (counts[bucket] ?? 0) + (added[bucket] ?? 0);
    }
    this.#lowest = Math.min(this.#lowest, other.#lowest);
    this.#highest = Math.max(this.#highest, other.#highest);
    this.#total += other.#total;
    this.#sumMs += other.#sumMs;
    this.#maxMs = Math.max(this.#maxMs, other.#maxMs);
  }

  /** Milliseconds; null without samples. */
  summarize(): LatencySummary {
    if (this.#total === 0) return { mean: null, p50: null, p95: null, p99: null, max: null };
    return {
      mean: this.#sumMs / this.#total,
      p50: this.#readPercentile(0.5),
      p95: this.#readPercentile(0.95),
      p99: this.#readPercentile(0.99),
      max: this.#maxMs,
    };
  }

  /** How many took no longer than each of these buckets' bounds, which must grow (`findBound`): exact. */
  countUpTo(buckets: readonly number[]): number[] {
    let count = 0;
    let next = 0;
    return buckets.map((last) => {
      for (; next <= last; next += 1) count += this.#counts[next] ?? 0;
      return count;
    });
  }

  toState(): HistogramState {
    const counts: [number, number][] = [];
    this.#counts.forEach((count, bucket) => {
      if (count > 0) counts.push([bucket, count]);
    });
    return { counts, sumMs: this.#sumMs, maxMs: this.#maxMs };
  }

  /** Adds what a state holds. Buckets that there are none of are passed over. */
  addState({ counts, sumMs, maxMs }: HistogramState): void {
    for (const [bucket, count] of counts) if (bucket >= 0 && bucket < BUCKETS) this.#put(bucket, count);
    this.#sumMs += sumMs;
    this.#maxMs = Math.max(this.#maxMs, maxMs);
  }

  #put(bucket: number, count: number): void {
    this.#counts[bucket] = (this.#counts[bucket] ?? 0) + count;
    this.#total += count;
    if (bucket < this.#lowest) this.#lowest = bucket;
    if (bucket > this.#highest) this.#highest = bucket;
  }

  /** The middle of the bucket in which the percentile falls, never more than the longest. */
  #readPercentile(share: number): number {
    const wanted = Math.ceil(this.#total * share);
    let seen = 0;
    for (let bucket = this.#lowest; bucket <= this.#highest; bucket += 1) {
      seen += this.#counts[bucket] ?? 0;
      if (seen >= wanted) return Math.min(this.#maxMs, readMiddle(bucket));
    }
    return this.#maxMs;
  }
}

/** The bucket that has this bound, in milliseconds. Throws a RangeError where none has. */
export function findBound(boundMs: number): number {
  const bucket = BOUNDS_MS.indexOf(boundMs);
  if (bucket < 0) throw new RangeError(`boundMs must be the bound of a bucket, got ${boundMs}`);
  return bucket;
}

/** The first bucket whose bound is no less. */
function findBucket(durationMs: number): number {
  let low = 0;
  let high = BOUNDS_MS.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (durationMs <= (BOUNDS_MS[middle] ?? Number.POSITIVE_INFINITY)) high = middle;
    else low = middle + 1;
  }
  return low;
}

function readMiddle(bucket: number): number {
  const upper = BOUNDS_MS[bucket];
  const lower = BOUNDS_MS[bucket - 1];
  if (upper === undefined) return Number.POSITIVE_INFINITY;
  return lower === undefined ? upper : Math.sqrt(lower * upper);
}

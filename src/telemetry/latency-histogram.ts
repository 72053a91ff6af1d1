import type { LatencySummary } from '../domain/registry.ts';

/** From here on, each bucket is 8 % wider than the one before: a percentile is at most 4 % off. */
const LEAST_MS = 0.1;
const GROWTH = Math.log(1.08);
/** Reaches beyond two minutes, longer than any call may take. */
const BUCKETS = 184;

/** Counts durations on a logarithmic scale, so that windows can be added up and percentiles still be read. */
export class LatencyHistogram {
  readonly #counts = new Uint32Array(BUCKETS);
  #total = 0;
  #sumMs = 0;
  #maxMs = 0;

  record(durationMs: number): void {
    const bucket = durationMs <= LEAST_MS ? 0 : Math.ceil(Math.log(durationMs / LEAST_MS) / GROWTH);
    const index = Math.min(BUCKETS - 1, bucket);
    this.#counts[index] = (this.#counts[index] ?? 0) + 1;
    this.#total += 1;
    this.#sumMs += durationMs;
    this.#maxMs = Math.max(this.#maxMs, durationMs);
  }

  add(other: LatencyHistogram): void {
    for (let index = 0; index < BUCKETS; index += 1) {
      this.#counts[index] = (this.#counts[index] ?? 0) + (other.#counts[index] ?? 0);
    }
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

  /** The middle of the bucket in which the percentile falls, never more than the longest. */
  #readPercentile(share: number): number {
    const wanted = Math.ceil(this.#total * share);
    let seen = 0;
    for (let index = 0; index < BUCKETS; index += 1) {
      seen += this.#counts[index] ?? 0;
      if (seen >= wanted) return Math.min(this.#maxMs, LEAST_MS * Math.exp(GROWTH * (index - 0.5)));
    }
    return this.#maxMs;
  }
}

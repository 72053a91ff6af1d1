/**
 * What the gateway counts of its own work, over the last minute, five minutes and hour. Memory is bounded: one slice for
 * ten seconds, of which the last hour's are kept.
 */
import type { LatencySummary } from '../domain/registry.ts';
import { LatencyHistogram } from './latency-histogram.ts';

const SLICE_MS = 10_000;
const HOUR_MS = 3_600_000;
const SLICE_COUNT = HOUR_MS / SLICE_MS;
/** Templates counted in one slice; later ones of the same ten seconds are left out. */
const MAX_TEMPLATES_PER_SLICE = 200;

interface ViewedTemplate {
  readonly name: string;
  readonly registryName: string;
}

interface Slice {
  readonly startMs: number;
  readonly latencies: LatencyHistogram;
  searches: number;
  operations: number;
  failedOperations: number;
  readonly errors: Map<string, number>;
  readonly views: Map<string, ViewedTemplate & { views: number }>;
}

interface GatewayMetricsReading {
  readonly searches: number;
  readonly responseTime: LatencySummary;
  readonly errorRate: number | null;
  readonly errors: readonly { readonly name: string; readonly count: number }[];
  readonly popularTemplates: readonly (ViewedTemplate & { readonly views: number })[];
}

export interface GatewayMetrics {
  /** A search that was answered, and how long it took in milliseconds. */
  countSearch(tookMs: number): void;
  /** An operation that came to its end, with the codes of its errors. */
  countOperation(errorCodes: readonly string[]): void;
  /** A template that was looked up. */
  countView(template: ViewedTemplate): void;
  /** What was counted in the last `windowMs` milliseconds, an hour at most; true to ten seconds. */
  read(windowMs: number): GatewayMetricsReading;
}

/** Makes the counters. `now` is the clock, in milliseconds. */
export function createGatewayMetrics(now: () => number = Date.now): GatewayMetrics {
  let slices: Slice[] = [];

  function currentSlice(): Slice {
    const startMs = Math.floor(now() / SLICE_MS) * SLICE_MS;
    const last = slices.at(-1);
    if (last !== undefined && last.startMs >= startMs) return last;
    const slice = startSlice(startMs);
    slices = [...slices.slice(-(SLICE_COUNT - 1)), slice];
    return slice;
  }

  return {
    countSearch(tookMs) {
      const slice = currentSlice();
      slice.searches += 1;
      slice.latencies.record(tookMs);
    },
    countOperation(errorCodes) {
      const slice = currentSlice();
      slice.operations += 1;
      if (errorCodes.length > 0) slice.failedOperations += 1;
      for (const code of errorCodes) slice.errors.set(code, (slice.errors.get(code) ?? 0) + 1);
    },
    countView({ name, registryName }) {
      const { views } = currentSlice();
      const key = `${registryName} ${name}`;
      const known = views.get(key);
      if (known !== undefined) known.views += 1;
      else if (views.size < MAX_TEMPLATES_PER_SLICE) views.set(key, { name, registryName, views: 1 });
    },
    read(windowMs) {
      const sinceMs = now() - windowMs;
      return readSlices(slices.filter((slice) => slice.startMs + SLICE_MS > sinceMs));
    },
  };
}

function startSlice(startMs: number): Slice {
  return {
    startMs,
    latencies: new LatencyHistogram(),
    searches: 0,
    operations: 0,
    failedOperations: 0,
    errors: new Map(),
    views: new Map(),
  };
}

function readSlices(slices: readonly Slice[]): GatewayMetricsReading {
  const operations = sum(slices, (slice) => slice.operations);
  const latencies = new LatencyHistogram();
  for (const slice of slices) latencies.add(slice.latencies);
  return {
    searches: sum(slices, (slice) => slice.searches),
    responseTime: latencies.summarize(),
    errorRate: operations === 0 ? null : sum(slices, (slice) => slice.failedOperations) / operations,
    errors: countErrors(slices),
    popularTemplates: countViews(slices),
  };
}

function sum(slices: readonly Slice[], read: (slice: Slice) => number): number {
  return slices.reduce((total, slice) => total + read(slice), 0);
}

function countErrors(slices: readonly Slice[]): { name: string; count: number }[] {
  const counts = new Map<string, number>();
  for (const slice of slices) {
    for (const [name, count] of slice.errors) counts.set(name, (counts.get(name) ?? 0) + count);
  }
  return [...counts]
    .map(([name, count]) => ({ name, count }))
    .sort((a, b) => b.count - a.count || (a.name < b.name ? -1 : 1));
}

function countViews(slices: readonly Slice[]): (ViewedTemplate & { views: number })[] {
  const totals = new Map<string, ViewedTemplate & { views: number }>();
  for (const slice of slices) {
    for (const [key, view] of slice.views) {
      const total = totals.get(key);
      if (total === undefined) totals.set(key, { ...view });
      else total.views += view.views;
    }
  }
  return [...totals.values()].sort((a, b) => b.views - a.views || (a.name < b.name ? -1 : 1));
}

import { describe, expect, it } from 'vitest';
import { RegistryFailure } from '../../src/domain/errors.ts';
import { LatencyHistogram } from '../../src/telemetry/latency-histogram.ts';
import { RegistryMeter } from '../../src/telemetry/registry-metrics.ts';

describe('the latencies of a registry', () => {
  it('have percentiles within four per cent of the true ones', () => {
    const histogram = new LatencyHistogram();
    for (let ms = 1; ms <= 1_000; ms += 1) histogram.record(ms);
    const { mean, p50, p95, p99, max } = histogram.summarize();
    expect(mean).toBe(500.5);
    expect(max).toBe(1_000);
    for (const [given, truth] of [
      [p50, 500],
      [p95, 950],
      [p99, 990],
    ] as const) {
      expect(Math.abs((given ?? 0) / truth - 1)).toBeLessThan(0.041);
    }
  });

  it('are null without samples, and bear extremes', () => {
    const histogram = new LatencyHistogram();
    expect(histogram.summarize()).toEqual({ mean: null, p50: null, p95: null, p99: null, max: null });
    histogram.record(0);
    histogram.record(1e9);
    expect(histogram.summarize().max).toBe(1e9);
  });
});

describe('the metrics of a registry', () => {
  it('count what happened, each failure in its place', () => {
    const meter = new RegistryMeter(() => 1_000_000);
    meter.onCacheOutcome('HIT', 'SEARCH');
    meter.onCacheOutcome('MISS', 'SEARCH');
    meter.onCacheOutcome('STALE', 'SEARCH');
    for (const failure of ['AUTHENTICATION', 'RATE_LIMIT', 'TIMEOUT', 'NOT_FOUND', 'SERVER'] as const) {
      meter.onAttemptStart();
      meter.onAttemptEnd(10, new RegistryFailure(failure, 'r'));
    }
    meter.onAttemptStart();
    meter.onRetry();
    meter.onRateLimitRefusal();
    const circuit = { operation: 'SEARCH', sinceMs: 0, nextAttemptAtMs: null } as const;
    meter.onCircuitChange({ ...circuit, state: 'OPEN' });
    meter.onCircuitChange({ ...circuit, state: 'HALF_OPEN' });
    expect(meter.read(60_000, 4)).toMatchObject({
      requests: 5,
      successRate: 0.2,
      cacheHitRate: 1 / 3,
      cacheHits: 1,
      cacheMisses: 2,
      authFailures: 1,
      rateLimitHits: 2,
      timeouts: 1,
      retries: 1,
      circuitOpens: 1,
      claimedNames: 0,
      inFlight: 1,
      queued: 4,
    });
  });

  it('are those of the last minute, five minutes or hour, and forget what is older', () => {
    let nowMs = 10_000_000;
    const meter = new RegistryMeter(() => nowMs);
    const attempt = (): void => {
      meter.onAttemptStart();
      meter.onAttemptEnd(1, null);
    };
    const read = () => [60_000, 300_000, 3_600_000].map((windowMs) => meter.read(windowMs, 0).requests);
    attempt();
    expect(read()).toEqual([1, 1, 1]);
    nowMs += 70_000;
    attempt();
    expect(read()).toEqual([1, 2, 2]);
    nowMs += 400_000;
    expect(read()).toEqual([0, 0, 2]);
    nowMs += 3_700_000;
    expect(read()).toEqual([0, 0, 0]);
    attempt();
    expect(read()).toEqual([1, 1, 1]);
  });
});

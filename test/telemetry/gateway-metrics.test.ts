import { describe, expect, it } from 'vitest';
import { createGatewayMetrics } from '../../src/telemetry/gateway-metrics.ts';

const MINUTE_MS = 60_000;

function createClock() {
  const clock = { nowMs: 1_000_000 };
  return { clock, metrics: createGatewayMetrics(() => clock.nowMs) };
}

describe('what the gateway counts', () => {
  it('is nothing before the first operation', () => {
    const { metrics } = createClock();
    expect(metrics.read(MINUTE_MS)).toEqual({
      searches: 0,
      responseTime: { mean: null, p50: null, p95: null, p99: null, max: null },
      errorRate: null,
      errors: [],
      popularTemplates: [],
    });
  });

  it('leaves a window when its time has passed', () => {
    const { clock, metrics } = createClock();
    metrics.countSearch(10);
    clock.nowMs += 3 * MINUTE_MS;
    metrics.countSearch(30);
    expect([MINUTE_MS, 5 * MINUTE_MS].map((windowMs) => metrics.read(windowMs).searches)).toEqual([1, 2]);
    expect(metrics.read(5 * MINUTE_MS).responseTime).toMatchObject({ mean: 20, max: 30 });
    clock.nowMs += 61 * MINUTE_MS;
    expect(metrics.read(60 * MINUTE_MS).searches).toBe(0);
  });

  it('tells the share of operations with errors, and the errors by their codes', () => {
    const { metrics } = createClock();
    for (const codes of [[], [], ['BAD_CURSOR'], ['REGISTRY_ERROR', 'BAD_CURSOR']]) metrics.countOperation(codes);
    const { errorRate, errors } = metrics.read(MINUTE_MS);
    expect(errorRate).toBe(0.5);
    expect(errors).toEqual([
      { name: 'BAD_CURSOR', count: 2 },
      { name: 'REGISTRY_ERROR', count: 1 },
    ]);
  });

  it('adds up the views of a template over time, the most popular first', () => {
    const { clock, metrics } = createClock();
    for (const name of ['a', 'b', 'b']) {
      metrics.countView({ name, registryName: 'official' });
      clock.nowMs += MINUTE_MS;
    }
    expect(metrics.read(10 * MINUTE_MS).popularTemplates).toEqual([
      { name: 'b', registryName: 'official', views: 2 },
      { name: 'a', registryName: 'official', views: 1 },
    ]);
  });

  it('remembers a bounded number of templates, however many are looked up', () => {
    const { metrics } = createClock();
    for (let index = 0; index < 10_000; index += 1) metrics.countView({ name: `n${index}`, registryName: 'official' });
    expect(metrics.read(MINUTE_MS).popularTemplates.length).toBeLessThanOrEqual(200);
  });
});

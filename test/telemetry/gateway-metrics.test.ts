import { describe, expect, it } from 'vitest';
import { createGatewayMetrics } from '../../src/telemetry/gateway-metrics.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const seesAll = () => true;

function createClock() {
  const clock = { nowMs: 1_000_000 };
  return { clock, metrics: createGatewayMetrics(() => clock.nowMs) };
}

const toErrors = (...codes: string[]) => codes.map((code) => ({ code, registryNames: [] }));

describe('what the gateway counts', () => {
  it('is nothing before the first operation', () => {
    const { metrics } = createClock();
    expect(metrics.read(MINUTE_MS, seesAll)).toEqual({
      searches: 0,
      responseTime: { mean: null, p50: null, p95: null, p99: null, max: null },
      errorRate: null,
      errors: [],
      installations: [],
      popularTemplates: [],
    });
  });

  it('leaves a window when its time has passed', () => {
    const { clock, metrics } = createClock();
    metrics.countSearch(10);
    clock.nowMs += 3 * MINUTE_MS;
    metrics.countSearch(30);
    const readSearches = (windowMs: number) => metrics.read(windowMs, seesAll).searches;
    expect([MINUTE_MS, 5 * MINUTE_MS, HOUR_MS].map(readSearches)).toEqual([1, 2, 2]);
    expect(metrics.read(5 * MINUTE_MS, seesAll).responseTime).toMatchObject({ mean: 20, max: 30 });
    clock.nowMs += 58 * MINUTE_MS;
    expect([MINUTE_MS, 5 * MINUTE_MS, HOUR_MS].map(readSearches)).toEqual([0, 0, 1]);
    clock.nowMs += 3 * MINUTE_MS;
    expect(readSearches(HOUR_MS)).toBe(0);
    expect(metrics.readTotals(seesAll).searches.total).toBe(2);
  });

  it('has percentiles of all durations of a window together, which no mean of parts would give', () => {
    const { clock, metrics } = createClock();
    // A busy minute of fast searches, and a calm one with slow ones: the mean of both minutes' medians would be 505.
    for (let search = 0; search < 99; search += 1) metrics.countSearch(10);
    clock.nowMs += MINUTE_MS;
    metrics.countSearch(1_000);
    for (const windowMs of [5 * MINUTE_MS, HOUR_MS]) {
      const { mean, p50, p99, max } = metrics.read(windowMs, seesAll).responseTime;
      expect([mean, max]).toEqual([19.9, 1_000]);
      expect(Math.abs((p50 ?? 0) / 10 - 1)).toBeLessThan(0.041);
      expect(Math.abs((p99 ?? 0) / 10 - 1)).toBeLessThan(0.041);
    }
  });

  it('tells the share of operations with errors, and the errors by their codes', () => {
    const { metrics } = createClock();
    for (const codes of [[], [], ['BAD_CURSOR'], ['REGISTRY_ERROR', 'BAD_CURSOR']]) {
      metrics.countOperation(toErrors(...codes));
    }
    const { errorRate, errors } = metrics.read(MINUTE_MS, seesAll);
    expect(errorRate).toBe(0.5);
    expect(errors).toEqual([
      { name: 'BAD_CURSOR', count: 2 },
      { name: 'REGISTRY_ERROR', count: 1 },
    ]);
  });

  it('adds up the views and installations of a template over time, the most popular first', () => {
    const { clock, metrics } = createClock();
    for (const name of ['a', 'b', 'b']) {
      metrics.countView({ name, registryName: 'official' });
      metrics.countInstallation(name === 'a' ? 'FAILED' : 'SUCCEEDED', { name, registryName: 'official' });
      clock.nowMs += MINUTE_MS;
    }
    const { popularTemplates, installations } = metrics.read(10 * MINUTE_MS, seesAll);
    expect(popularTemplates).toEqual([
      { name: 'b', registryName: 'official', views: 2, installations: 2 },
      { name: 'a', registryName: 'official', views: 1, installations: 0 },
    ]);
    expect(installations).toEqual([
      { name: 'SUCCEEDED', count: 2 },
      { name: 'FAILED', count: 1 },
    ]);
  });

  it('remembers a bounded number of templates, however many are looked up, and of one registry whatever is asked of others', () => {
    const { clock, metrics } = createClock();
    for (let index = 0; index < 10_000; index += 1) metrics.countView({ name: `n${index}`, registryName: 'crowded' });
    metrics.countView({ name: 'seldom', registryName: 'official' });
    clock.nowMs += MINUTE_MS;
    for (const windowMs of [5 * MINUTE_MS, HOUR_MS]) {
      const { popularTemplates } = metrics.read(windowMs, seesAll);
      expect(popularTemplates.length).toBeLessThanOrEqual(201);
      expect(popularTemplates).toContainEqual({ name: 'seldom', registryName: 'official', views: 1, installations: 0 });
    }
    expect(metrics.readTotals(seesAll).views).toContainEqual(['crowded', 10_000]);
  });

  it('tells a caller nothing of registries that they may not see', () => {
    const { metrics } = createClock();
    const failed = (...registryNames: string[]) => ({ code: 'REGISTRY_ERROR', registryNames });
    metrics.countView({ name: 'a', registryName: 'official' });
    metrics.countView({ name: 'b', registryName: 'hidden' });
    metrics.countInstallation('SUCCEEDED', { name: 'b', registryName: 'hidden' });
    metrics.countOperation([failed('official')]);
    metrics.countOperation([failed('hidden', 'official')]);
    metrics.countOperation([failed('hidden')]);
    metrics.countOperation([failed('hidden'), ...toErrors('BAD_CURSOR')]);
    const reading = metrics.read(MINUTE_MS, (name) => name !== 'hidden');
    expect(reading).toMatchObject({
      errorRate: 0.5,
      errors: [
        { name: 'BAD_CURSOR', count: 1 },
        { name: 'REGISTRY_ERROR', count: 1 },
      ],
      installations: [],
      popularTemplates: [{ name: 'a' }],
    });
    expect(metrics.read(MINUTE_MS, seesAll)).toMatchObject({ errorRate: 1, errors: [{ count: 4 }, { count: 1 }] });
    expect(metrics.readTotals((name) => name !== 'hidden').views).toEqual([['official', 1]]);
  });

  it('keeps a bounded number of kinds of errors', () => {
    const { metrics } = createClock();
    for (let index = 0; index < 5_000; index += 1) {
      metrics.countOperation([{ code: 'REGISTRY_ERROR', registryNames: [`r${index}`] }]);
    }
    const [errors] = metrics.exportSlices().map((slice) => slice.errors);
    expect(errors?.length).toBeLessThanOrEqual(201);
    expect(metrics.read(MINUTE_MS, seesAll).errors).toEqual([{ name: 'REGISTRY_ERROR', count: 5_000 }]);
  });

  it('can be kept as JSON and taken up again, in windows as if it had gone on', () => {
    const { clock, metrics } = createClock();
    for (let minute = 0; minute < 70; minute += 1) {
      metrics.countSearch(minute + 1);
      metrics.countOperation(minute % 2 === 0 ? [] : [{ code: 'REGISTRY_ERROR', registryNames: ['official'] }]);
      metrics.countView({ name: `n${minute % 3}`, registryName: 'official' });
      metrics.countInstallation('SUCCEEDED', { name: 'n1', registryName: 'official' });
      clock.nowMs += MINUTE_MS;
    }
    metrics.countSearch(5);
    const kept = JSON.parse(JSON.stringify(metrics.exportSlices()));
    const next = createGatewayMetrics(() => clock.nowMs);
    next.restoreSlices(kept);
    for (const windowMs of [5 * MINUTE_MS, HOUR_MS]) {
      expect(next.read(windowMs, seesAll)).toEqual(metrics.read(windowMs, seesAll));
    }
    expect(next.readTotals(seesAll).operations).toBe(0);
    clock.nowMs += 2 * HOUR_MS;
    const late = createGatewayMetrics(() => clock.nowMs);
    late.restoreSlices(kept);
    expect(late.read(HOUR_MS, seesAll).searches).toBe(0);
  });
});

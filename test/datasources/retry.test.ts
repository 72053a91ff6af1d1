import { describe, expect, it } from 'vitest';
import { failureOf, openFaultySource } from '../helpers/faulty-registry-source.ts';

const CONFIG = {
  timeouts: { search: 200 },
  cache: { search: 0, staleIfError: 0 },
  circuit: { volumeThreshold: 10_000 },
  retry: { attempts: 2, baseDelay: 1, maxDelay: 5 },
} as const;

describe('a call that failed', () => {
  it.each([{ status: 502 }, { status: 503 }, { status: 504 }, 'reset'] as const)(
    'is made again as often as configured: %j',
    async (mode) => {
      await using faulty = await openFaultySource({}, CONFIG);
      await faulty.registry.setMode(mode);
      await failureOf(faulty.search());
      expect(faulty.registry.arrivalsAt()).toHaveLength(3);
      expect(faulty.source.readMetrics(60_000)).toMatchObject({ requests: 3, retries: 2 });
    },
  );

  it.each([400, 401, 403, 404, 429, 500])('is not made again after a %i', async (status) => {
    await using faulty = await openFaultySource({}, CONFIG);
    await faulty.registry.setMode({ status });
    await failureOf(faulty.search());
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
  });

  it('succeeds when a further attempt does, and counts as a success', async () => {
    await using faulty = await openFaultySource({}, { ...CONFIG, retry: { attempts: 1, baseDelay: 40, maxDelay: 40 } });
    await faulty.registry.setMode('hang');
    const call = faulty.search();
    await faulty.registry.whenArrived(1);
    await faulty.registry.setMode('ok');
    expect((await call).value.rows).toHaveLength(3);
    expect(faulty.registry.arrivalsAt()).toHaveLength(2);
  });

  it('is not made again beyond the deadline of everybody who waits', async () => {
    await using faulty = await openFaultySource({}, { ...CONFIG, timeouts: { search: 60 } });
    await faulty.registry.setMode('hang');
    await failureOf(faulty.search({ deadlineMs: performance.now() + 50 }));
    // The attempt goes on to its own timeout; a later call on another path shows that nothing followed it.
    await failureOf(faulty.search({ offset: 7, deadlineMs: performance.now() + 55 }));
    expect(faulty.registry.arrivalsAt()).toHaveLength(2);
  });

  it('is not made again before the registry said so, nor when that is later than the longest delay', async () => {
    await using faulty = await openFaultySource({}, CONFIG);
    await faulty.registry.setMode({ status: 503, retryAfter: '30' });
    expect((await failureOf(faulty.search())).retryAfterMs).toBe(30_000);
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
  });

  it('takes from a budget: a registry that always fails is asked a fifth more often, not three times', async () => {
    await using faulty = await openFaultySource({ mode: { status: 502 } }, CONFIG);
    for (let offset = 0; offset < 200; offset += 1) await failureOf(faulty.search({ offset }));
    const retries = faulty.registry.arrivalsAt().length - 200;
    expect(retries).toBeGreaterThanOrEqual(40);
    expect(retries).toBeLessThanOrEqual(50);
  });
});

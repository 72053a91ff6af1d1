import { describe, expect, it, vi } from 'vitest';
import { PATIENT } from '../helpers/clock-bound.ts';
import { type FaultySource, failureOf, openFaultySource } from '../helpers/faulty-registry-source.ts';

const CONFIG = {
  timeouts: { search: 300 },
  cache: { search: 0, staleIfError: 0 },
  circuit: { volumeThreshold: 4, resetTimeout: 60_000 },
} as const;

/** opossum's own timer makes it so. */
async function whenHalfOpen({ source }: FaultySource): Promise<void> {
  await vi.waitFor(() => expect(source.canAnswer()).toBe(true), { ...PATIENT, interval: 5 });
}

describe('the circuit of a registry', () => {
  it('opens after the failures of its window, and then refuses without asking', async () => {
    await using faulty = await openFaultySource({}, CONFIG);
    await faulty.registry.setMode({ status: 500 });
    for (let offset = 0; offset < 4; offset += 1) {
      expect((await failureOf(faulty.search({ offset }))).type).toBe('SERVER');
    }
    const refusal = await failureOf(faulty.search({ offset: 9 }));
    expect(refusal).toMatchObject({ type: 'CIRCUIT_OPEN', refusedHere: true });
    expect(refusal.retryAfterMs).toBeGreaterThan(50_000);
    expect(refusal.retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(faulty.registry.arrivalsAt()).toHaveLength(4);
    expect(faulty.source.canAnswer()).toBe(false);
    expect(faulty.source.readHealth()).toMatchObject({
      status: 'DEGRADED',
      message: 'Calls failed repeatedly: SEARCH. They are tried again by themselves; the log says why.',
      circuits: [{ operation: 'SEARCH', state: 'OPEN' }, { state: 'CLOSED' }, { state: 'CLOSED' }, { state: 'CLOSED' }],
    });
    expect(faulty.source.readMetrics(60_000)).toMatchObject({ requests: 4, successRate: 0, circuitOpens: 1 });
  });

  it('of the search leaves look-ups alone', async () => {
    await using faulty = await openFaultySource({}, CONFIG);
    await faulty.registry.setMode({ status: 500 }, (path) => path.endsWith('/search'));
    for (let offset = 0; offset < 5; offset += 1) await failureOf(faulty.search({ offset }));
    const { value } = await faulty.source.fetchTemplate('template-00001', null, {
      deadlineMs: Number.POSITIVE_INFINITY,
    });
    expect(value?.name).toBe('template-00001');
  });

  it.each([400, 401, 403, 404, 409, 422])('is not opened by a %i, which speaks of the request', async (status) => {
    await using faulty = await openFaultySource({}, CONFIG);
    await faulty.registry.setMode({ status });
    for (let offset = 0; offset < 8; offset += 1) await failureOf(faulty.search({ offset }));
    expect(faulty.registry.arrivalsAt()).toHaveLength(8);
    expect(faulty.source.canAnswer()).toBe(true);
  });

  it('is not opened by less than the threshold of failures', async () => {
    await using faulty = await openFaultySource({}, CONFIG);
    for (let offset = 0; offset < 6; offset += 1) await faulty.search({ offset });
    await faulty.registry.setMode({ status: 500 });
    for (let offset = 6; offset < 12; offset += 1) {
      expect((await failureOf(faulty.search({ offset }))).type).toBe('SERVER');
    }
    expect(faulty.source.canAnswer()).toBe(true);
  });

  it('lets one probe through when its time is over, and closes when that succeeds', async () => {
    await using faulty = await openFaultySource({}, { ...CONFIG, circuit: { volumeThreshold: 2, resetTimeout: 50 } });
    await faulty.registry.setMode({ status: 500 });
    for (let offset = 0; offset < 2; offset += 1) await failureOf(faulty.search({ offset }));
    faulty.registry.forgetArrivals();
    await faulty.registry.setMode({ slowMs: 50 });
    await whenHalfOpen(faulty);
    const outcomes = await Promise.allSettled([0, 1, 2, 3, 4].map((offset) => faulty.search({ offset })));
    expect(outcomes.map((outcome) => outcome.status)).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
      'rejected',
      'rejected',
    ]);
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
    await Promise.all([5, 6, 7].map((offset) => faulty.search({ offset })));
    expect(faulty.source.readHealth().circuits[0]).toMatchObject({ state: 'CLOSED', nextAttemptAtMs: null });
  });

  it('opens again when the probe fails', async () => {
    await using faulty = await openFaultySource({}, { ...CONFIG, circuit: { volumeThreshold: 2, resetTimeout: 50 } });
    await faulty.registry.setMode({ status: 500 });
    for (let offset = 0; offset < 2; offset += 1) await failureOf(faulty.search({ offset }));
    await whenHalfOpen(faulty);
    expect((await failureOf(faulty.search({ offset: 3 }))).type).toBe('SERVER');
    expect((await failureOf(faulty.search({ offset: 4 }))).type).toBe('CIRCUIT_OPEN');
  });

  it('is not opened by callers that leave: their calls go on and succeed', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 60 } }, CONFIG);
    const leaving = [0, 1, 2, 3, 4, 5].map((offset) =>
      failureOf(faulty.search({ offset, deadlineMs: performance.now() + 20 })),
    );
    for (const failure of await Promise.all(leaving)) expect(failure.type).toBe('TIMEOUT');
    await faulty.search({ offset: 9 });
    expect(faulty.source.readMetrics(60_000)).toMatchObject({ timeouts: 0, successRate: 1, circuitOpens: 0 });
  });

  it('gives an old answer while it is open', async () => {
    await using faulty = await openFaultySource({}, { ...CONFIG, cache: { search: 0 } });
    await faulty.search();
    await faulty.registry.setMode('reset');
    // The good call counts too: five calls with four failures open it.
    for (let offset = 1; offset < 5; offset += 1) await failureOf(faulty.search({ offset }));
    const answer = await faulty.search();
    expect([answer.cache, answer.staleBecause?.type]).toEqual(['STALE', 'CIRCUIT_OPEN']);
  });
});

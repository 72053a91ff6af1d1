import { describe, expect, it } from 'vitest';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import { failureOf, openFaultySource } from '../helpers/faulty-registry-source.ts';
import { countUnpaid } from '../helpers/unpaid-arrivals.ts';

const CONFIG = { cache: { search: 0, staleIfError: 0 } } as const;

describe("a registry's rate limit", () => {
  it('is kept exactly: the burst at once, then so many a second', async () => {
    const rateLimit = { requestsPerSecond: 50, burst: 10, concurrent: 100, maxQueue: 100 };
    await using faulty = await openFaultySource({}, { ...CONFIG, rateLimit });
    const startedAtMs = performance.now();
    await Promise.all(Array.from({ length: 40 }, (_, offset) => faulty.search({ offset })));
    const tookMs = performance.now() - startedAtMs;
    // Thirty of forty waited for a token each, twenty milliseconds apart.
    expect(tookMs).toBeGreaterThanOrEqual(595);
    expect(tookMs).toBeLessThan(3_000);
    const arrivals = faulty.registry.arrivalsAt();
    expect(arrivals).toHaveLength(40);
    // A timer may be early by a millisecond: a twentieth of a token.
    expect(countUnpaid(arrivals, startedAtMs, rateLimit)).toBeLessThanOrEqual(0.05);
  });

  it('serves those who wait in the order they came', async () => {
    // Ten milliseconds from one call to the next: two that go out together might arrive in either order.
    const rateLimit = { requestsPerSecond: 100, burst: 1, concurrent: 1, maxQueue: 100 };
    await using faulty = await openFaultySource({}, { ...CONFIG, rateLimit });
    await Promise.all(Array.from({ length: 30 }, (_, offset) => faulty.search({ offset })));
    const order = faulty.registry.arrivalsAt().map((arrival) => Number(arrival.query.get('offset')));
    expect(order).toEqual(order.toSorted((a, b) => a - b));
  });

  it('never has more calls under way than `concurrent`', async () => {
    const rateLimit = { requestsPerSecond: 10_000, burst: 10_000, concurrent: 3, maxQueue: 100 };
    await using faulty = await openFaultySource({ mode: { slowMs: 30 } }, { ...CONFIG, rateLimit });
    await Promise.all(Array.from({ length: 12 }, (_, offset) => faulty.search({ offset })));
    expect(faulty.registry.mostAtOnce).toBe(3);
    expect(faulty.registry.arrivalsAt()).toHaveLength(12);
  });

  it('refuses, with the time to wait, once the queue is full', async () => {
    const rateLimit = { requestsPerSecond: 10, burst: 1, concurrent: 1, maxQueue: 2 };
    await using faulty = await openFaultySource({}, { ...CONFIG, rateLimit });
    const outcomes = await Promise.allSettled([0, 1, 2, 3].map((offset) => faulty.search({ offset })));
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'fulfilled', 'fulfilled', 'rejected']);
    const [, , , refused] = outcomes;
    expect(refused?.status === 'rejected' && refused.reason).toMatchObject({
      type: 'RATE_LIMIT',
      refusedHere: true,
      message: 'The registry "faulty" was not asked: its rate limit is used up.',
    });
    expect(refused?.status === 'rejected' && refused.reason.retryAfterMs).toBeGreaterThan(0);
    expect(faulty.source.readMetrics(60_000)).toMatchObject({ rateLimitHits: 1, requests: 3 });
  });

  it('refuses at once what could not be had before the deadline', async () => {
    const rateLimit = { requestsPerSecond: 1, burst: 1, concurrent: 10, maxQueue: 100 };
    await using faulty = await openFaultySource({}, { ...CONFIG, rateLimit });
    await faulty.search();
    const failure = await failureOf(faulty.search({ offset: 1, deadlineMs: performance.now() + 200 }));
    expect(failure).toMatchObject({ type: 'RATE_LIMIT', refusedHere: true });
    expect(failure.retryAfterMs).toBeGreaterThan(200);
  });

  it('does not send a call for which nobody waits any more when its turn comes', async () => {
    const rateLimit = { requestsPerSecond: 1_000, burst: 1_000, concurrent: 1, maxQueue: 100 };
    await using faulty = await openFaultySource({ mode: { slowMs: 100 } }, { ...CONFIG, rateLimit });
    const first = faulty.search({ offset: 0 });
    expect((await failureOf(faulty.search({ offset: 1, deadlineMs: performance.now() + 40 }))).type).toBe('TIMEOUT');
    await first;
    await faulty.search({ offset: 2 });
    expect(faulty.registry.arrivalsAt().map((arrival) => arrival.query.get('offset'))).toEqual(['0', '2']);
  });

  it('counts further attempts too', async () => {
    const rateLimit = { requestsPerSecond: 0.001, burst: 2, concurrent: 10, maxQueue: 100 };
    const retry = { attempts: 5, baseDelay: 1, maxDelay: 1 };
    await using faulty = await openFaultySource({ mode: { status: 503 } }, { ...CONFIG, rateLimit, retry });
    await failureOf(faulty.search());
    expect(faulty.registry.arrivalsAt()).toHaveLength(2);
  });

  it('lets background work wait while others need what is there', async () => {
    // A token every hundred milliseconds: a busy machine neither fills the account meanwhile nor turns arrivals round.
    const rateLimit = { requestsPerSecond: 10, burst: 4, concurrent: 10, maxQueue: 100 };
    await using faulty = await openFaultySource({}, { ...CONFIG, rateLimit });
    const background = [0, 1, 2, 3].map((offset) => faulty.search({ offset, background: true }));
    const waitedFor = [4, 5, 6, 7].map((offset) => faulty.search({ offset }));
    await Promise.all([...background, ...waitedFor]);
    const order = faulty.registry.arrivalsAt().map((arrival) => Number(arrival.query.get('offset')));
    expect(order.slice(-1)).toEqual([3]);
    expect(order.indexOf(7)).toBeLessThan(order.indexOf(3));
  });

  it('lets background work go when a user waits for the same', CLOCK_BOUND, async () => {
    const rateLimit = { requestsPerSecond: 1, burst: 4, concurrent: 10, maxQueue: 100 };
    await using faulty = await openFaultySource({ mode: { slowMs: 20 } }, { ...CONFIG, rateLimit });
    const background = [0, 1, 2, 3].map((offset) => faulty.search({ offset, background: true }));
    const startedAtMs = performance.now();
    await faulty.search({ offset: 3 });
    expect(performance.now() - startedAtMs).toBeLessThan(700);
    await Promise.all(background);
    expect(faulty.registry.arrivalsAt()).toHaveLength(4);
  });

  it(
    'lets it go at once, whatever is kept for users, and however much other background work waits before it',
    CLOCK_BOUND,
    async () => {
      // Background work may touch six of the eight tokens; the next one for it is there in a second.
      const rateLimit = { requestsPerSecond: 1, burst: 8, concurrent: 100, maxQueue: 100 };
      await using faulty = await openFaultySource({}, { ...CONFIG, rateLimit });
      const offsetsSeen = () => faulty.registry.arrivalsAt().map((arrival) => Number(arrival.query.get('offset')));
      await Promise.all([0, 1, 2, 3, 4, 5].map((offset) => faulty.search({ offset, background: true })));
      const deadlineMs = performance.now() + 30_000;
      const waiting = Array.from({ length: 12 }, (_, offset) =>
        faulty.search({ offset: offset + 100, background: true, deadlineMs }),
      );
      const ended = Promise.allSettled(waiting);
      // The last but for one waits in the room, behind those at the gate; the first one stands there.
      await Promise.all([faulty.search({ offset: 110 }), faulty.search({ offset: 100 })]);
      expect(offsetsSeen().slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5]);
      expect(offsetsSeen().slice(6, 8).sort()).toEqual([100, 110]);
      await faulty.opened.close();
      const outcomes = (await ended).map(({ status }) => status);
      expect(outcomes.filter((status) => status === 'fulfilled').length).toBe(offsetsSeen().length - 6);
    },
  );
});

describe('a registry that asks for a pause', () => {
  it('is left alone until its Retry-After is over', async () => {
    await using faulty = await openFaultySource({ mode: { status: 429, retryAfter: '30' } }, CONFIG);
    expect(await failureOf(faulty.search())).toMatchObject({
      type: 'RATE_LIMIT',
      statusCode: 429,
      retryAfterMs: 30_000,
    });
    await faulty.registry.setMode('ok');
    const refusal = await failureOf(faulty.search({ offset: 1 }));
    expect(refusal).toMatchObject({ type: 'RATE_LIMIT', refusedHere: true, statusCode: null });
    expect(refusal.retryAfterMs).toBeGreaterThan(29_000);
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
  });

  it('may say until when with a date', async () => {
    const retryAfter = new Date(Date.now() + 60_000).toUTCString();
    await using faulty = await openFaultySource({ mode: { status: 503, retryAfter } }, CONFIG);
    const { retryAfterMs } = await failureOf(faulty.search());
    expect(retryAfterMs).toBeGreaterThan(58_000);
    expect(retryAfterMs).toBeLessThanOrEqual(60_000);
    expect(await failureOf(faulty.search({ offset: 1 }))).toMatchObject({ type: 'RATE_LIMIT', refusedHere: true });
  });

  it('is asked by those whose deadline lies behind the pause, when it is over', async () => {
    await using faulty = await openFaultySource({ mode: { status: 429, retryAfter: '1' } }, CONFIG);
    await failureOf(faulty.search());
    await faulty.registry.setMode('ok');
    const startedAtMs = performance.now();
    expect((await faulty.search({ offset: 1 })).value.rows).toHaveLength(2);
    expect(performance.now() - startedAtMs).toBeGreaterThan(900);
  });
});

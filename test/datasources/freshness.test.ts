/** Answers near and past the end of their lifetimes. The clock is the test's; sockets and timers are real. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Refreshes } from '../../datasources/http/refreshes.ts';
import type { AnswerHead } from '../../src/domain/cache.ts';
import { PATIENT } from '../helpers/clock-bound.ts';
import { failureOf, makeRows, openFaultySource } from '../helpers/faulty-registry-source.ts';

const SECOND_MS = 1_000;
const LIFETIME = { cache: { search: 60_000, staleWhileRevalidate: 10_000, staleIfError: 100_000 } } as const;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 });
  // Nobody is drawn to refresh early, unless a test says so.
  vi.spyOn(Math, 'random').mockReturnValue(0.999_999);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
});

function pass(seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * SECOND_MS);
}

type Faulty = Awaited<ReturnType<typeof openFaultySource>>;

/** Waits for what the event loop brings; `vi.waitFor` would move the clock. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when the answer of the latest refresh is in the cache: it can be had as fresh. */
function whenRefreshed(faulty: Faulty): Promise<void> {
  return until(async () => (await faulty.search({ deadlineMs: performance.now() - 1 })).cache === 'HIT');
}

describe('an answer a little past its lifetime', () => {
  it('is given at once with its age, and asked for again by one of a thousand', async () => {
    await using faulty = await openFaultySource({}, LIFETIME);
    const first = await faulty.search();
    pass(61);
    await faulty.registry.setMode({ slowMs: 30 });
    faulty.registry.insert(...makeRows(4).slice(3));
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => faulty.search()));
    for (const answer of answers) {
      expect(answer).toMatchObject({
        ...{ cache: 'STALE', staleBecause: null, freshUntilMs: 0, fetchedAtMs: first.fetchedAtMs },
      });
    }
    await whenRefreshed(faulty);
    expect((await faulty.search()).value.rows).toHaveLength(4);
    expect(faulty.registry.arrivalsAt()).toHaveLength(2);
  });

  it('is past use when it is staler than that, and who comes then waits', async () => {
    await using faulty = await openFaultySource({}, LIFETIME);
    await faulty.search();
    pass(71);
    expect((await faulty.search()).cache).toBe('MISS');
  });

  it('is not given to who wants nothing from before a time, who joins the refresh', async () => {
    await using faulty = await openFaultySource({}, LIFETIME);
    const first = await faulty.search();
    pass(61);
    await faulty.registry.setMode({ slowMs: 30 });
    const notBeforeMs = first.fetchedAtMs + 1;
    const [stale, fresh] = await Promise.all([faulty.search(), faulty.search({ notBeforeMs })]);
    expect([stale.cache, fresh.cache]).toEqual(['STALE', 'MISS']);
    expect(fresh.fetchedAtMs).toBeGreaterThanOrEqual(notBeforeMs);
    expect(faulty.registry.arrivalsAt()).toHaveLength(2);
  });

  it('suffers nothing from a refresh that fails, which is not tried again for a while', async () => {
    await using faulty = await openFaultySource({}, LIFETIME);
    await faulty.search();
    pass(60);
    await faulty.registry.setMode({ status: 500 });
    expect((await faulty.search()).cache).toBe('STALE');
    await faulty.registry.whenArrived(2);
    await until(() => faulty.source.readMetrics(60_000).inFlight === 0);
    pass(1);
    expect(await faulty.search()).toMatchObject({ cache: 'STALE', staleBecause: null });
    expect(faulty.registry.arrivalsAt()).toHaveLength(2);
    // Past its use the failure is met, and told.
    pass(10);
    expect((await faulty.search()).staleBecause?.type).toBe('SERVER');
  });

  it('is forgotten when its refresh is told that it is not for us', async () => {
    await using faulty = await openFaultySource({}, LIFETIME);
    await faulty.search();
    pass(61);
    await faulty.registry.setMode({ status: 403 });
    expect((await faulty.search()).cache).toBe('STALE');
    await faulty.registry.whenArrived(2);
    await vi.waitFor(async () => expect((await failureOf(faulty.search())).type).toBe('AUTHORIZATION'), {
      ...PATIENT,
      interval: 5,
    });
  });

  it('is refreshed by a 304 without a body', async () => {
    await using faulty = await openFaultySource({ etags: true }, LIFETIME);
    const first = await faulty.search();
    pass(61);
    const stale = await faulty.search();
    expect(stale.cache).toBe('STALE');
    await whenRefreshed(faulty);
    const again = await faulty.search();
    // Nothing was parsed anew: it is the very value.
    expect(again.value).toBe(stale.value);
    expect(again.fetchedAtMs).toBe(first.fetchedAtMs + 61 * SECOND_MS);
    expect(faulty.registry.arrivalsAt().map(({ headers }) => headers['if-none-match'])).toEqual([undefined, '"g0"']);
  });
});

describe("a registry's own word on its answers", () => {
  it.each([
    // After: its max-age, what it allows beyond it.
    ['max-age=30', 31, 'MISS'],
    ['max-age=30, stale-while-revalidate=5', 31, 'STALE'],
    ['max-age=30, stale-while-revalidate=5', 36, 'MISS'],
    ['max-age=30, stale-while-revalidate=500', 39, 'STALE'],
    ['max-age=30, stale-while-revalidate=500', 41, 'MISS'],
    ['max-age=30, stale-while-revalidate=5, must-revalidate', 31, 'MISS'],
    ['must-revalidate', 59, 'HIT'],
    ['must-revalidate', 61, 'MISS'],
    // It grants more than is configured: that is overrun as configured.
    ['max-age=3600', 61, 'STALE'],
    ['max-age=65', 66, 'MISS'],
  ])('%s: %i seconds later it is %s', async (header, seconds, outcome) => {
    await using faulty = await openFaultySource({ headers: { 'cache-control': header } }, LIFETIME);
    await faulty.search();
    pass(seconds);
    expect((await faulty.search()).cache).toBe(outcome);
  });

  it.each([
    ['max-age=30', 100, true],
    ['max-age=30, stale-if-error=20', 49, true],
    ['max-age=30, stale-if-error=20', 51, false],
    ['max-age=30, stale-if-error=9999', 131, false],
    ['max-age=30, must-revalidate', 31, false],
    ['no-cache', 1, false],
  ])('%s: whether it stands in %i seconds later for what cannot be had: %s', async (header, seconds, standsIn) => {
    await using faulty = await openFaultySource({ headers: { 'cache-control': header } }, LIFETIME);
    await faulty.search();
    pass(seconds);
    await faulty.registry.setMode('reset');
    if (standsIn) expect((await faulty.search()).staleBecause?.type).toBe('CONNECTION');
    else expect((await failureOf(faulty.search())).type).toBe('CONNECTION');
  });
});

describe('an answer about to pass its lifetime', () => {
  it('is asked for again early by whoever is drawn, while all are answered as before', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 50 } }, LIFETIME);
    await faulty.search();
    pass(59);
    vi.mocked(Math.random).mockReturnValue(Number.MIN_VALUE);
    const answers = await Promise.all(Array.from({ length: 1_000 }, () => faulty.search()));
    expect(new Set(answers.map(({ cache }) => cache))).toEqual(new Set(['HIT']));
    await faulty.registry.whenArrived(2);
    await until(() => faulty.source.readMetrics(60_000).inFlight === 0);
    expect(faulty.registry.arrivalsAt()).toHaveLength(2);
  });

  const head = (freshUntilMs: number, tookMs: number): AnswerHead => ({
    ...{ isAbsent: false, etag: null, mediaType: '', reprDigest: null, askedAtMs: 0, fetchedAtMs: 0 },
    ...{ freshUntilMs, reuseUntilMs: 0, standInUntilMs: 0, keepUntilMs: 0, tookMs },
  });

  it('is refreshed the earlier the longer its registry takes, and never long before', () => {
    const shareDue = (leftMs: number, tookMs: number) => {
      const draws = Array.from({ length: 1_000 }, (_, index) => (index + 0.5) / 1_000);
      const due = draws.filter((draw) => new Refreshes(() => draw).isDue(head(leftMs, tookMs), 0));
      return due.length / draws.length;
    };
    // The paper's density: e^(-left / took).
    expect(shareDue(100, 100)).toBeCloseTo(Math.exp(-1), 2);
    expect(shareDue(200, 100)).toBeCloseTo(Math.exp(-2), 2);
    expect(shareDue(100, 1_000)).toBeCloseTo(Math.exp(-0.1), 2);
    expect(shareDue(10_000, 100)).toBe(0);
    expect(shareDue(0, 100)).toBe(1);
  });

  it('is one of few that are refreshed at one time', () => {
    const refreshes = new Refreshes();
    const answer = { refreshNotBeforeMs: 0 };
    expect(Array.from({ length: 6 }, () => refreshes.tryBegin(answer, 1))).toEqual([
      true,
      true,
      true,
      true,
      false,
      false,
    ]);
    refreshes.end();
    expect(refreshes.tryBegin(answer, 1)).toBe(true);
  });
});

describe('answers that are none', () => {
  it.each([
    'html',
    'truncated',
    'wrong-shape',
    'empty-with-error',
    'not-json',
    { status: 500 },
    { status: 503 },
  ] as const)('%o is not kept, and what was kept stays', async (mode) => {
    await using faulty = await openFaultySource({ mode }, LIFETIME);
    await failureOf(faulty.search());
    await faulty.registry.setMode('ok');
    expect(await faulty.search()).toMatchObject({ cache: 'MISS', value: { totalCount: 3 } });
    pass(80);
    await faulty.registry.setMode(mode);
    expect(await faulty.search()).toMatchObject({ cache: 'STALE', value: { totalCount: 3 } });
  });
});

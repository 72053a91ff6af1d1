import { describe, expect, it } from 'vitest';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import { failureOf, makeRows, openFaultySource } from '../helpers/faulty-registry-source.ts';

const NO_LIFETIME = { cache: { search: 0 } } as const;

describe('equal searches at once', () => {
  it('ask the registry once, however many they are', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 30 } }, NO_LIFETIME);
    const answers = await Promise.all(Array.from({ length: 500 }, () => faulty.search()));
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
    expect(new Set(answers.map((answer) => answer.value)).size).toBe(1);
  });

  it('share a failure as they share an answer', async () => {
    await using faulty = await openFaultySource({ mode: { status: 500 } }, NO_LIFETIME);
    await Promise.all(Array.from({ length: 50 }, () => failureOf(faulty.search())));
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
  });

  it('do not share a call that began before what one of them allows', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 40 } }, NO_LIFETIME);
    const first = faulty.search();
    await faulty.registry.whenArrived(1);
    await Promise.all([first, faulty.search({ notBeforeMs: Date.now() + 1 })]);
    expect(faulty.registry.arrivalsAt()).toHaveLength(2);
  });

  it('share a call that begins for those who want nothing from before the next millisecond', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 30 } });
    const notBeforeMs = Date.now() + 1;
    await Promise.all(Array.from({ length: 50 }, () => faulty.search({ notBeforeMs })));
    expect((await faulty.search({ notBeforeMs })).cache).toBe('HIT');
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
  });

  it('do not put what an earlier call brings in the place of what a later one has brought', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 60 } });
    const early = faulty.search();
    await faulty.registry.whenArrived(1);
    await faulty.registry.setMode('ok');
    const late = await faulty.search({ notBeforeMs: Date.now() + 1 });
    await early;
    expect(await faulty.search()).toMatchObject({ cache: 'HIT', fetchedAtMs: late.fetchedAtMs });
  });

  it('wait each to their own deadline, and the call goes on and fills the cache', CLOCK_BOUND, async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 120 } });
    const startedAtMs = performance.now();
    const early = failureOf(faulty.search({ deadlineMs: performance.now() + 30 }));
    const late = faulty.search();
    expect(await early).toMatchObject({ type: 'TIMEOUT', refusedHere: false });
    expect(performance.now() - startedAtMs).toBeLessThan(100);
    expect((await late).cache).toBe('MISS');
    expect((await faulty.search()).cache).toBe('HIT');
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
  });

  it('are not begun for a caller whose deadline has passed', async () => {
    await using faulty = await openFaultySource();
    expect((await failureOf(faulty.search({ deadlineMs: performance.now() - 1 }))).type).toBe('TIMEOUT');
    expect(faulty.registry.arrivalsAt()).toHaveLength(0);
  });
});

describe('the cache of answers', () => {
  it('gives the same answer while it is fresh, and from its second use on the same object', async () => {
    await using faulty = await openFaultySource();
    const answers = [await faulty.search(), await faulty.search(), await faulty.search()];
    expect(answers.map(({ cache }) => cache)).toEqual(['MISS', 'HIT', 'HIT']);
    const [first, second, third] = answers.map(({ value }) => value);
    expect(second?.rows.map((row) => row?.template)).toEqual(first?.rows.map((row) => row?.template));
    expect(third).toBe(second);
    expect(faulty.registry.arrivalsAt()).toHaveLength(1);
  });

  it('answers a hit at a deadline that has passed', async () => {
    await using faulty = await openFaultySource();
    await faulty.search();
    expect((await faulty.search({ deadlineMs: performance.now() - 1 })).cache).toBe('HIT');
  });

  it('gives nothing that was asked for before the time that a caller allows, though it came after it', async () => {
    await using faulty = await openFaultySource({ mode: { slowMs: 40 } });
    const early = faulty.search();
    await faulty.registry.whenArrived(1);
    const notBeforeMs = Date.now() + 1;
    expect((await early).fetchedAtMs).toBeGreaterThanOrEqual(notBeforeMs);
    expect((await faulty.search({ notBeforeMs })).cache).toBe('MISS');
  });

  it('uses nothing again without a lifetime', async () => {
    await using faulty = await openFaultySource({}, NO_LIFETIME);
    expect([(await faulty.search()).cache, (await faulty.search()).cache]).toEqual(['MISS', 'MISS']);
  });

  it.each([
    ['max-age=0', 2],
    ['no-cache', 2],
    ['no-store', 2],
    ['private, max-age=60', 1],
    ['max-age=999999999', 1],
  ])('heeds Cache-Control: %s', async (value, arrivals) => {
    await using faulty = await openFaultySource({ headers: { 'cache-control': value } });
    await faulty.search();
    await faulty.search();
    expect(faulty.registry.arrivalsAt()).toHaveLength(arrivals);
  });

  it('keeps nothing of an answer that must not be stored, not even for a failure', async () => {
    await using faulty = await openFaultySource({ headers: { 'cache-control': 'no-store' } });
    expect((await faulty.search()).cache).toBe('BYPASS');
    await faulty.registry.setMode('reset');
    expect((await failureOf(faulty.search())).type).toBe('CONNECTION');
  });

  it('asks conditionally for what it has, and a 304 makes it fresh again', async () => {
    await using faulty = await openFaultySource({ etags: true }, NO_LIFETIME);
    const first = await faulty.search();
    const second = await faulty.search();
    expect(faulty.registry.arrivalsAt()[1]?.headers['if-none-match']).toBe('"g0"');
    expect(second.value).toEqual(first.value);
    expect(second.fetchedAtMs).toBeGreaterThanOrEqual(first.fetchedAtMs);
    faulty.registry.insert(...makeRows(4).slice(3));
    expect((await faulty.search()).value.rows).toHaveLength(4);
  });

  it('keeps a word that there is no such template, for a minute at most', async () => {
    await using faulty = await openFaultySource();
    const look = () => faulty.source.fetchTemplate('none', null, { deadlineMs: Number.POSITIVE_INFINITY });
    expect(await look()).toMatchObject({ value: null, cache: 'MISS' });
    expect(await look()).toMatchObject({ value: null, cache: 'HIT' });
    expect(faulty.registry.arrivalsAt('/templates/none')).toHaveLength(1);
  });
});

describe('when a registry fails', () => {
  it('its old answer is given at the deadline, no later, while the call goes on', CLOCK_BOUND, async () => {
    await using faulty = await openFaultySource({}, { ...NO_LIFETIME, timeouts: { search: 5_000 } });
    const first = await faulty.search();
    await faulty.registry.setMode('hang');
    const startedAtMs = performance.now();
    const answer = await faulty.search({ deadlineMs: performance.now() + 80 });
    expect(performance.now() - startedAtMs).toBeLessThan(180);
    expect(answer).toMatchObject({ cache: 'STALE', value: first.value, fetchedAtMs: first.fetchedAtMs });
    expect(answer.staleBecause?.type).toBe('TIMEOUT');
  });

  it.each([401, 403, 404])('nothing old stands in for a %i, then or later', async (status) => {
    await using faulty = await openFaultySource({}, NO_LIFETIME);
    await faulty.search();
    await faulty.registry.setMode({ status });
    expect((await failureOf(faulty.search())).statusCode).toBe(status);
    await faulty.registry.setMode('reset');
    expect((await failureOf(faulty.search())).type).toBe('CONNECTION');
  });

  it('nothing is older than staleIfError', async () => {
    await using faulty = await openFaultySource({}, { cache: { search: 0, staleIfError: 1 } });
    const { fetchedAtMs } = await faulty.search();
    while (Date.now() <= fetchedAtMs + 1) await faulty.source.fetchCategories({ deadlineMs: Number.POSITIVE_INFINITY });
    await faulty.registry.setMode('reset');
    expect((await failureOf(faulty.search())).type).toBe('CONNECTION');
  });

  it('an answer too old for the caller still stands in', async () => {
    await using faulty = await openFaultySource();
    const first = await faulty.search();
    await faulty.registry.setMode('reset');
    const answer = await faulty.search({ notBeforeMs: first.fetchedAtMs + 1 });
    expect([answer.cache, answer.staleBecause?.type]).toEqual(['STALE', 'CONNECTION']);
  });

  it('a look-up of a name that it did not have says so still', async () => {
    await using faulty = await openFaultySource({}, { cache: { template: 0 } });
    const look = () => faulty.source.fetchTemplate('none', null, { deadlineMs: Number.POSITIVE_INFINITY });
    await look();
    await faulty.registry.setMode('reset');
    expect(await look()).toMatchObject({ value: null, cache: 'STALE' });
  });

  it('failures are no answers and are not kept', async () => {
    await using faulty = await openFaultySource({ mode: { status: 500 } });
    await failureOf(faulty.search());
    await faulty.registry.setMode('ok');
    expect((await faulty.search()).value.rows).toHaveLength(3);
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import type { Arrival } from '../helpers/faulty-registry.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../helpers/faulty-registry.ts';
import type { RegistryConfigOverrides } from '../helpers/faulty-registry-config.ts';
import { failureOf, makeRows } from '../helpers/faulty-registry-source.ts';
import { RedisServer, redisIsMissing, waitUntil } from '../helpers/redis.ts';
import { countUnpaid } from '../helpers/unpaid-arrivals.ts';
import { type Replica, startReplicas } from './replica.ts';

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

const UNCACHED = { cache: { search: 0, staleIfError: 0, staleWhileRevalidate: 0 } } as const;

async function startAll(count: number, overrides: RegistryConfigOverrides) {
  const redis = await RedisServer.start();
  const registry = await startFaultyRegistry({ rows: makeRows(3) });
  open.push(redis, registry);
  const replicas = await startReplicas(count, redis.url, registry.url, { ...UNCACHED, ...overrides });
  open.push(...replicas);
  registry.arrivals.length = 0;
  const [one, other] = replicas;
  if (one === undefined || other === undefined) throw new Error('two replicas were to be started');
  return { redis, registry, replicas, one, other };
}

const searchesOf = (registry: FaultyRegistry) => registry.arrivals.filter(({ path }) => path.includes('search'));

/** So many different searches at each replica at once. */
function askAll(replicas: readonly Replica[], count: number, deadlineMs = 10_000) {
  return Promise.allSettled(
    replicas.flatMap((replica, rank) =>
      Array.from({ length: count }, (_, number) =>
        replica.search(1 + rank * count + number, { deadlineMs: performance.now() + deadlineMs }),
      ),
    ),
  );
}

/** The most arrivals within any span of this length. */
function countDensest(arrivals: readonly Arrival[], spanMs: number): number {
  return Math.max(
    ...arrivals.map(({ atMs }) => arrivals.filter((other) => other.atMs >= atMs && other.atMs < atMs + spanMs).length),
  );
}

describe.skipIf(redisIsMissing !== null)("a registry's rate limit over replicas", () => {
  it('is kept by the sum of what they ask, and used up', CLOCK_BOUND, async () => {
    const rateLimit = { requestsPerSecond: 50, burst: 20, concurrent: 100, maxQueue: 100 };
    const { registry, replicas } = await startAll(3, { rateLimit });
    const startedMs = performance.now();
    const outcomes = await askAll(replicas, 25);
    expect(outcomes.every(({ status }) => status === 'fulfilled')).toBe(true);
    const tookMs = performance.now() - startedMs;
    // Fifty-five of seventy-five waited for a token each, twenty milliseconds apart.
    expect(tookMs).toBeGreaterThan(1_050);
    expect(tookMs).toBeLessThan(2_500);
    // A token more for timers that are early and for what each replica rounds.
    expect(countUnpaid(searchesOf(registry), startedMs, rateLimit)).toBeLessThanOrEqual(1);
  });

  it('has never more calls under way than `concurrent`, all replicas together', async () => {
    const rateLimit = { requestsPerSecond: 10_000, burst: 10_000, concurrent: 3, maxQueue: 100 };
    const { registry, replicas } = await startAll(3, { rateLimit });
    await registry.setMode({ slowMs: 30 });
    await askAll(replicas, 6);
    expect(registry.mostAtOnce).toBeLessThanOrEqual(3);
    expect(searchesOf(registry)).toHaveLength(18);
  });

  it(
    'is kept by shares while the Redis server is gone, and does not begin anew when it comes back empty',
    CLOCK_BOUND,
    async () => {
      const rateLimit = { requestsPerSecond: 50, burst: 10, concurrent: 100, maxQueue: 100 };
      const { redis, registry, replicas } = await startAll(2, { rateLimit });
      await askAll(replicas, 10);
      await redis.kill();
      await waitUntil(() => replicas.every(({ cluster }) => cluster.readState().state === 'DOWN'));
      await askAll(replicas, 20);
      await redis.start();
      await Promise.all(replicas.map((replica) => replica.whenUp()));
      await askAll(replicas, 20);
      // What is at hand in the moment of a change may be used beside the share: half a burst.
      expect(countDensest(searchesOf(registry), 200)).toBeLessThanOrEqual(10 + 10 + 5 + 1);
    },
  );

  it('gives the tokens of a process that is gone to the others', async () => {
    const rateLimit = { requestsPerSecond: 100, burst: 100, concurrent: 2, maxQueue: 100 };
    const { registry, one, other } = await startAll(2, { rateLimit });
    await registry.setMode('hang');
    one.search(1).catch(() => undefined);
    one.search(2).catch(() => undefined);
    await registry.whenArrived(2);
    await one.cluster.close();
    await registry.setMode('ok');
    expect((await other.search(3)).value.totalCount).toBe(3);
  });
});

describe.skipIf(redisIsMissing !== null)('what one replica finds out', () => {
  it('opens the circuit of another at its first failure', async () => {
    const { registry, one, other } = await startAll(2, {});
    await registry.setMode({ status: 500 });
    for (let offset = 0; offset < 6; offset += 1) await one.search(offset).catch(() => undefined);
    await waitUntil(() => one.source.readHealth().circuits[0]?.state === 'OPEN');
    registry.arrivals.length = 0;
    await waitUntil(async () => (await failureOf(other.search(7))).type === 'CIRCUIT_OPEN');
    expect(searchesOf(registry).length).toBeLessThan(5);
  });

  it('closes no circuit of another that can reach the registry', async () => {
    const { registry, one, other } = await startAll(2, {});
    await one.cluster.publish({ kind: 'CIRCUIT', registry: 'another', operation: 'SEARCH', state: 'OPEN' });
    await registry.setMode({ status: 500 });
    for (let offset = 0; offset < 6; offset += 1) await one.search(offset).catch(() => undefined);
    await registry.setMode('ok');
    expect((await other.search(8)).value.totalCount).toBe(3);
    expect(other.source.readHealth().circuits.every(({ state }) => state === 'CLOSED')).toBe(true);
  });

  it('makes all leave a registry alone that asked for a pause', async () => {
    const { registry, one, other } = await startAll(2, {});
    await registry.setMode({ status: 429, retryAfter: '30' });
    await failureOf(one.search());
    await registry.setMode('ok');
    registry.arrivals.length = 0;
    await waitUntil(async () => {
      const failure = await other.search(1).then(
        () => null,
        (error: unknown) => error,
      );
      return failure !== null;
    });
    expect(await failureOf(other.search(2))).toMatchObject({ type: 'RATE_LIMIT', refusedHere: true });
  });
});

describe.skipIf(redisIsMissing !== null)('a window of time over replicas', () => {
  it('gives no more than its limit, and says what is left', async () => {
    const { one, other } = await startAll(2, {});
    const take = (replica: Replica, key = 'caller') => replica.cluster.budgets.takeFromWindow(key, 3, 60_000);
    expect(await take(one)).toMatchObject({ isTaken: true, left: 2 });
    expect(await take(other)).toMatchObject({ isTaken: true, left: 1 });
    expect(await take(one)).toMatchObject({ isTaken: true, left: 0 });
    const refused = await take(other);
    expect(refused).toMatchObject({ isTaken: false, left: 0 });
    expect(refused?.resetsInMs).toBeGreaterThan(0);
    expect(await take(other, 'another')).toMatchObject({ isTaken: true });
  });
});

import { afterEach, describe, expect, it } from 'vitest';
import { CacheFolder } from '../cache/answers.ts';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { makeRows } from '../helpers/faulty-registry-source.ts';
import { RedisServer, redisIsMissing, waitUntil } from '../helpers/redis.ts';
import { TcpProxy } from '../helpers/tcp-proxy.ts';
import { Replica, startReplicas } from './replica.ts';

if (redisIsMissing !== null) console.warn(redisIsMissing);

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

async function startAll(count: number, slowMs = 0) {
  const redis = await RedisServer.start();
  const registry = await startFaultyRegistry({ rows: makeRows(3), mode: slowMs > 0 ? { slowMs } : 'ok' });
  open.push(redis, registry);
  const replicas = await startReplicas(count, redis.url, registry.url);
  open.push(...replicas);
  registry.arrivals.length = 0;
  const [one, other] = replicas;
  if (one === undefined || other === undefined) throw new Error('two replicas were to be started');
  return { redis, registry, replicas, one, other };
}

const countSearches = (registry: FaultyRegistry) =>
  registry.arrivals.filter(({ path }) => path.includes('search')).length;

/** The registry's list changes; nobody is told. */
function change(registry: FaultyRegistry): void {
  registry.catalog.insert({ name: 'new', version: '1', category: 'ml', marketplace: { downloads: 1_000_000 } });
}

const knows = async (replica: Replica) => (await replica.names()).includes('new');

describe.skipIf(redisIsMissing !== null)('replicas that share a Redis server', () => {
  it('have what one of them has asked for', async () => {
    const { registry, one, other } = await startAll(2);
    expect((await one.search()).cache).toBe('MISS');
    const { cache, value } = await other.search();
    expect(cache).toBe('HIT');
    expect(value.rows.map((row) => row?.name)).toEqual(await one.names());
    expect(countSearches(registry)).toBe(1);
  });

  it('ask once for what all of them want at one time', async () => {
    const { registry, replicas } = await startAll(3, 60);
    const answers = await Promise.all([...replicas, ...replicas].map((replica) => replica.search()));
    expect(answers.map(({ value }) => value.rows.length)).toEqual([3, 3, 3, 3, 3, 3]);
    expect(countSearches(registry)).toBe(1);
  });

  it('ask themselves when the one that asks is gone, and lose the lease at most', CLOCK_BOUND, async () => {
    const { registry, one, other } = await startAll(2, 20);
    await registry.setMode('hang');
    one.search().catch(() => undefined);
    await registry.whenArrived(1);
    await one.cluster.close();
    await registry.setMode('ok');
    const startedMs = performance.now();
    expect((await other.search()).value.rows).toHaveLength(3);
    expect(performance.now() - startedMs).toBeLessThan(1_200);
  });

  it('all learn of an invalidation, and take no answer from before it from each other', async () => {
    const { registry, one, other } = await startAll(2);
    await one.search();
    await other.search();
    change(registry);
    expect(await knows(other)).toBe(false);
    await one.cache.invalidate({ registry: 'faulty' });
    expect(await knows(one)).toBe(true);
    await waitUntil(() => knows(other));
  });

  it('do not tell back what they were told', async () => {
    const { one, other } = await startAll(2);
    let heard = 0;
    other.cache.onInvalidated(() => {
      heard += 1;
    });
    await one.cache.invalidate({ registry: 'faulty' });
    await other.cache.invalidate({ registry: 'faulty', template: 'x' });
    await one.cluster.catchUp();
    await other.cluster.catchUp();
    expect(heard).toBe(2);
    expect(one.cluster.position.sequence).toBe(2);
  });

  it('keep what an invalidation does not concern', async () => {
    const { registry, one, other } = await startAll(2);
    await one.search();
    await one.cache.invalidate({ registry: 'another' });
    expect((await other.search()).cache).toBe('HIT');
    expect(countSearches(registry)).toBe(1);
  });

  it('find what was invalidated while one of them was stopped gone from its file as well', async () => {
    const { redis, registry, one } = await startAll(2);
    using folder = new CacheFolder();
    const start = async () => {
      const replica = new Replica(redis.url, registry.url, {}, { file: folder.file });
      open.push(replica);
      await replica.whenUp();
      await replica.cache.whenListed();
      return replica;
    };
    const before = await start();
    await before.search();
    expect((await before.source.fetchVersions('template-00001', { deadlineMs: performance.now() + 2_000 })).cache).toBe(
      'MISS',
    );
    await open.pop()?.[Symbol.asyncDispose]();
    const between = await start();
    registry.arrivals.length = 0;
    await between.search();
    expect(countSearches(registry)).toBe(0);
    await open.pop()?.[Symbol.asyncDispose]();
    change(registry);
    await one.cache.invalidate({ registry: 'faulty', layer: 'SEARCH' });
    const after = await start();
    expect(await knows(after)).toBe(true);
    registry.arrivals.length = 0;
    // What was not spoken of is still there.
    await after.source.fetchVersions('template-00001', { deadlineMs: performance.now() + 2_000 });
    expect(registry.arrivals).toEqual([]);
  });

  it('believe nothing that somebody without their secret has written', async () => {
    const { redis, registry, one } = await startAll(2);
    await one.search();
    const stranger = new Replica(redis.url, registry.url, {}, { secrets: ['another secret: 0123456789abcdef'] });
    open.push(stranger);
    await stranger.whenUp();
    expect((await stranger.search()).cache).toBe('MISS');
    await stranger.cache.invalidate({});
    await one.cluster.catchUp();
    expect((await one.search()).cache).toBe('HIT');
  });
});

describe.skipIf(redisIsMissing !== null)('when the Redis server goes and comes', () => {
  it('what was invalidated meanwhile is told afterwards, also when the server has forgotten everything', async () => {
    const { redis, registry, one, other } = await startAll(2);
    await one.search();
    await other.search();
    await redis.kill();
    await waitUntil(() => one.cluster.readState().state === 'DOWN' && other.cluster.readState().state === 'DOWN');
    change(registry);
    await one.cache.invalidate({ registry: 'faulty' });
    expect(one.cluster.readState().untoldInvalidations).toBe(1);
    expect(await knows(other)).toBe(false);
    await redis.start();
    await Promise.all([one.whenUp(), other.whenUp()]);
    await waitUntil(() => knows(other));
    expect(one.cluster.readState().untoldInvalidations).toBe(0);
  });

  it('what was told and is forgotten by the server before all have heard it is told again', async () => {
    const { redis, registry, one } = await startAll(2);
    const proxy = await TcpProxy.start(redis.port);
    open.push(proxy);
    const other = new Replica(`redis://127.0.0.1:${proxy.port}`, registry.url);
    open.push(other);
    await other.whenUp();
    await other.search();
    proxy.cut();
    await waitUntil(() => other.cluster.readState().state === 'DOWN');
    change(registry);
    await one.cache.invalidate({ registry: 'faulty' });
    expect(one.cluster.readState().untoldInvalidations).toBe(0);
    await redis.kill();
    await redis.start();
    proxy.mend();
    await Promise.all([one.whenUp(), other.whenUp()]);
    await waitUntil(() => knows(other));
  });

  it('every question is answered within its time, from local means', CLOCK_BOUND, async () => {
    const { redis, one, other } = await startAll(2);
    const tookMs: number[] = [];
    let offset = 0;
    const askBoth = async () => {
      for (const replica of [one, other]) {
        const startedMs = performance.now();
        offset += 1;
        expect((await replica.search(offset)).value.totalCount).toBe(3);
        tookMs.push(performance.now() - startedMs);
      }
    };
    await askBoth();
    redis.freeze();
    for (let count = 0; count < 20; count += 1) await askBoth();
    expect(one.cluster.readState().state).not.toBe('UP');
    redis.thaw();
    await Promise.all([one.whenUp(), other.whenUp()]);
    await askBoth();
    await redis.kill();
    for (let count = 0; count < 20; count += 1) await askBoth();
    await redis.start();
    await Promise.all([one.whenUp(), other.whenUp()]);
    await askBoth();
    // Whoever finds the server silent waits for it a few times, and then no more.
    expect(Math.max(...tookMs)).toBeLessThan(600);
    expect(tookMs.filter((ms) => ms > 60).length).toBeLessThanOrEqual(8);
  });

  it('a replica that was never told where the log is begins with nothing of before', async () => {
    const { redis, registry, one } = await startAll(2);
    await one.search();
    await redis.kill();
    const late = new Replica(redis.url, registry.url);
    open.push(late);
    expect((await late.search()).cache).toBe('MISS');
    await redis.start();
    await late.whenUp();
    await late.search();
    expect(late.cluster.readState()).toMatchObject({ state: 'UP', untoldInvalidations: 0 });
  });
});

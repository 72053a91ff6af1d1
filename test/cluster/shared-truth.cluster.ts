/** Whatever happens in whatever order: when all can reach each other again nobody gives what an invalidation has spoken of. */
import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, it } from 'vitest';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { makeRows } from '../helpers/faulty-registry-source.ts';
import { createRandom } from '../helpers/random.ts';
import { RedisServer, redisIsMissing } from '../helpers/redis.ts';
import { type Replica, startReplicas } from './replica.ts';

const WINDOWS = 4;
const STEPS = 60;

const open: AsyncDisposable[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
});

describe.skipIf(redisIsMissing !== null)('answers that replicas share', () => {
  it.each([1, 2, 3, 4, 5, 6, 7, 8])('are true after any history (%d)', async (seed) => {
    const random = createRandom(seed);
    const below = (count: number) => Math.floor(random() * count);
    const redis = await RedisServer.start();
    const registry = await startFaultyRegistry({ rows: makeRows(3), mode: { slowMs: 3 } });
    open.push(redis, registry);
    const replicas = await startReplicas(3, redis.url, registry.url);
    open.push(...replicas);
    const pick = (): Replica => {
      const replica = replicas[below(replicas.length)];
      if (replica === undefined) throw new Error('there must be a replica');
      return replica;
    };
    const changed: string[] = [];
    const underWay: Promise<unknown>[] = [];
    let server: 'RUNS' | 'FROZEN' | 'GONE' = 'RUNS';
    const mend = async () => {
      if (server === 'FROZEN') redis.thaw();
      if (server === 'GONE') await redis.start();
      server = 'RUNS';
    };
    for (let step = 0; step < STEPS; step += 1) {
      const chance = random();
      if (chance < 0.6) underWay.push(pick().search(below(WINDOWS)));
      else if (chance < 0.85) {
        const name = `new-${step}`;
        registry.catalog.insert({ name, version: '1', category: 'ml', marketplace: { downloads: 1_000_000 + step } });
        changed.push(name);
        underWay.push(pick().cache.invalidate({ registry: 'faulty', template: name }));
      } else if (chance < 0.9) await mend();
      else if (chance < 0.95 && server === 'RUNS') {
        redis.freeze();
        server = 'FROZEN';
      } else if (server === 'RUNS') {
        await redis.kill();
        server = 'GONE';
      }
      await wait(below(40));
    }
    await Promise.all(underWay);
    await mend();
    await Promise.all(replicas.map((replica) => replica.whenUp()));
    // Each has told what it had to tell before it was up; now each hears it.
    await Promise.all(replicas.map((replica) => replica.cluster.catchUp()));
    expect(replicas.map(({ cluster }) => cluster.readState().untoldInvalidations)).toEqual([0, 0, 0]);
    expect(changed.length).toBeGreaterThan(5);
    for (let offset = 0; offset < WINDOWS; offset += 1) {
      const expected = registry.catalog.rows.length;
      const seen = await Promise.all(replicas.map((replica) => replica.search(offset)));
      expect(seen.map(({ value }) => value.totalCount)).toEqual([expected, expected, expected]);
    }
  });
});

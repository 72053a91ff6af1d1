import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createGatewayMetrics } from '../../src/telemetry/gateway-metrics.ts';
import { StoredCounts } from '../../src/usage/stored-counts.ts';
import { createDatabase, type DatabaseKind, QUIET, type TestDatabase } from '../audit/databases.ts';
import { startPostgres, type TestPostgres } from '../helpers/postgres.ts';

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;
const everything = () => true;

let postgres: TestPostgres | null = null;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres?.[Symbol.asyncDispose]());

/** A process that counts, at a time that the test moves. */
async function startProcess(database: TestDatabase, clock: { nowMs: number }, place = 'here') {
  const metrics = createGatewayMetrics(() => clock.nowMs);
  const storage = await database.open();
  const counts = new StoredCounts({ storage, metrics, place, log: QUIET, now: () => clock.nowMs });
  await counts.restore();
  const use = (count: number) => {
    for (let time = 0; time < count; time += 1) {
      metrics.countSearch(5);
      metrics.countOperation([{ code: 'BAD_CURSOR', registryNames: [] }]);
      metrics.countView({ registryName: 'uni', name: 'org/popular' });
      metrics.countInstallation('SUCCEEDED', { registryName: 'uni', name: 'org/popular' });
    }
  };
  const read = (windowMs = HOUR_MS) => {
    const { searches, errors, popularTemplates, installations } = metrics.read(windowMs, everything);
    const [popular] = popularTemplates;
    return {
      searches,
      errors: errors[0]?.count ?? 0,
      views: popular?.views ?? 0,
      installations: installations.find(({ name }) => name === 'SUCCEEDED')?.count ?? 0,
    };
  };
  return { counts, metrics, use, read };
}

const all = (count: number) => ({ searches: count, errors: count, views: count, installations: count });

describe.each<DatabaseKind>(['sqlite', 'postgres'])('what a gateway counts, in %s', (kind) => {
  const promise = (name: string, test: (clock: { nowMs: number }) => Promise<void>) =>
    it(name, async ({ skip }) => {
      if (kind === 'postgres' && postgres === null) skip();
      await test({ nowMs: 1_000 * HOUR_MS });
    });

  promise('is counted on after a restart, as often as that is', async (clock) => {
    await using database = await createDatabase(kind, postgres);
    for (let start = 0; start < 4; start += 1) {
      const { counts, use, read } = await startProcess(database, clock);
      expect(read()).toEqual(all(start * 3));
      use(1);
      clock.nowMs += 2 * MINUTE_MS;
      use(2);
      await counts.write();
      await counts.close();
      expect(read()).toEqual(all((start + 1) * 3));
    }
    clock.nowMs += 2 * MINUTE_MS;
    const { read } = await startProcess(database, clock);
    expect(read()).toEqual(all(12));
    expect(read(MINUTE_MS)).toEqual(all(0));
  });

  promise('is counted on after a kill, but for the last seconds', async (clock) => {
    await using database = await createDatabase(kind, postgres);
    const killed = await startProcess(database, clock);
    killed.use(5);
    await killed.counts.write();
    killed.use(7);
    const next = await startProcess(database, clock);
    expect(next.read()).toEqual(all(5));
  });

  promise('is not counted twice: of what is gone, one process takes over each minute', async (clock) => {
    await using database = await createDatabase(kind, postgres);
    const first = await startProcess(database, clock, 'one');
    first.use(10);
    await first.counts.close();
    const replicas = await Promise.all(['a', 'b', 'c'].map((place) => startProcess(database, clock, place)));
    const searches = replicas.map(({ read }) => read().searches).toSorted((one, other) => one - other);
    expect(searches).toEqual([0, 0, 10]);
    for (const { use, counts } of replicas) {
      use(1);
      await counts.write();
    }
    // They live: nobody takes over what is theirs.
    expect((await startProcess(database, clock, 'd')).read()).toEqual(all(0));
    clock.nowMs += 200_000;
    expect((await startProcess(database, clock, 'e')).read()).toEqual(all(13));
  });

  promise('is forgotten after an hour, and then the database has nothing of it', async (clock) => {
    await using database = await createDatabase(kind, postgres);
    const first = await startProcess(database, clock);
    first.use(4);
    await first.counts.close();
    clock.nowMs += 3 * HOUR_MS;
    const second = await startProcess(database, clock);
    expect(second.read()).toEqual(all(0));
    second.use(1);
    await second.counts.write();
    const rows = await (await database.open()).db.selectFrom('usage_slices').select('start_ms').execute();
    expect(rows.every(({ start_ms }) => start_ms > clock.nowMs - HOUR_MS)).toBe(true);
    expect(rows.length).toBeGreaterThan(0);
  });

  promise('goes on in memory while the database refuses, and is written when it does not any more', async (clock) => {
    await using database = await createDatabase(kind, postgres);
    const { counts, use, read } = await startProcess(database, clock);
    const { db } = await database.open();
    await db.schema.alterTable('usage_slices').renameTo('away').execute();
    use(2);
    await counts.write();
    expect(read()).toEqual(all(2));
    await db.schema.alterTable('away').renameTo('usage_slices').execute();
    await counts.close();
    expect((await startProcess(database, clock)).read()).toEqual(all(2));
  });

  promise('is passed over where it is damaged', async (clock) => {
    await using database = await createDatabase(kind, postgres);
    const first = await startProcess(database, clock);
    first.use(3);
    await first.counts.close();
    const { db } = await database.open();
    const [row] = await db.selectFrom('usage_slices').selectAll().execute();
    if (row === undefined) throw new TypeError('there must be a slice');
    for (const slice of ['{', '{}', row.slice.replace('"operations":3', '"operations":"x"')]) {
      await db
        .insertInto('usage_slices')
        .values({ ...row, slice })
        .execute();
    }
    expect((await startProcess(database, clock)).read()).toEqual(all(3));
  });
});

import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fromRow } from '../../src/audit/chain.ts';
import { hashEvent } from '../../src/audit/event-hash.ts';
import { pruneTrail, TrailBroken } from '../../src/audit/retention.ts';
import { ChainSigner } from '../../src/audit/signature.ts';
import { StoredTrail } from '../../src/audit/stored-trail.ts';
import { type VerifyOptions, verifyTrail } from '../../src/audit/verify.ts';
import { openStorage, type Storage } from '../../src/storage/storage.ts';
import type { AuditChainRow, AuditEventRow } from '../../src/storage/tables.ts';
import { startPostgres, type TestPostgres } from '../helpers/postgres.ts';
import { createDatabase, type DatabaseKind, QUIET, SECRET } from './databases.ts';

const EVENTS = 12;
const DAY_MS = 86_400_000;
const ORIGIN = { actor: 'tester', requestId: null };
const ALL: VerifyOptions = { anchor: null, expected: null, fromSequence: 1 };
const SIGNER = new ChainSigner([SECRET]);

const openTrail = (storage: Storage, secrets: readonly string[] = [SECRET], now: () => number = Date.now) =>
  new StoredTrail({ storage, settings: { secrets, retentionMs: null }, anchorPath: null, log: QUIET, now });

async function fill(storage: Storage, count: number, secrets?: readonly string[]): Promise<void> {
  const trail = openTrail(storage, secrets);
  for (let index = 0; index < count; index += 1) {
    await trail.append(
      { action: 'content.download', registryName: 'uni', template: `t-${index}`, outcome: 'SUCCEEDED' },
      { actor: index % 2 === 0 ? 'one' : 'other', requestId: `request-${index}` },
    );
  }
  await trail.close();
}

const judge = (storage: Storage, options: Partial<VerifyOptions> = {}, secrets = [SECRET]) =>
  verifyTrail(storage, new ChainSigner(secrets), { ...ALL, ...options });

async function expectWhole(storage: Storage, events: number): Promise<void> {
  expect(await judge(storage)).toMatchObject({ events, faults: [] });
}

interface Contents {
  readonly rows: readonly AuditEventRow[];
  readonly chain: AuditChainRow;
}

async function read({ db }: Storage): Promise<Contents> {
  const rows = await db.selectFrom('audit_events').selectAll().orderBy('sequence').execute();
  return { rows, chain: await db.selectFrom('audit_chain').selectAll().executeTakeFirstOrThrow() };
}

async function write({ db }: Storage, { rows, chain }: Contents): Promise<void> {
  await db.transaction().execute(async (transaction) => {
    await transaction.deleteFrom('audit_events').execute();
    if (rows.length > 0)
      await transaction
        .insertInto('audit_events')
        .values([...rows])
        .execute();
    await transaction.updateTable('audit_chain').set(chain).execute();
  });
}

/** As somebody would who knows how the chain is made, and has no secret: all hashes fit again. */
function rechain(rows: readonly AuditEventRow[]): AuditEventRow[] {
  let previous = '0'.repeat(64);
  return rows.map((row, index) => {
    const event = { ...fromRow(row), sequence: index + 1, previousHash: previous };
    previous = hashEvent(event);
    return { ...row, sequence: index + 1, previous_hash: event.previousHash, hash: previous };
  });
}

const place = fc.integer({ min: 0, max: EVENTS - 1 });
const TEXTS = [
  'actor',
  'action',
  'registry_name',
  'template',
  'version',
  'request_id',
  'detail',
  'hash',
  'previous_hash',
] as const;

/** What may be done to the rows; the same rows again are no change. */
const rowChange: fc.Arbitrary<(rows: readonly AuditEventRow[]) => AuditEventRow[]> = fc.oneof(
  fc.tuple(place, fc.constantFrom(...TEXTS), fc.oneof(fc.string(), fc.constant(null))).map(
    ([at, column, value]) =>
      (rows: readonly AuditEventRow[]) =>
        rows.map((row, index) =>
          index === at ? { ...row, [column]: value ?? (column === 'version' ? null : '') } : row,
        ),
  ),
  fc.tuple(place, fc.constantFrom('at_ms', 'occurrences'), fc.integer({ min: 1, max: 2 ** 31 - 1 })).map(
    ([at, column, by]) =>
      (rows: readonly AuditEventRow[]) =>
        rows.map((row, index) => (index === at ? { ...row, [column]: by } : row)),
  ),
  place.map((at) => (rows: readonly AuditEventRow[]) => rows.filter((_, index) => index !== at)),
  place.map((from) => (rows: readonly AuditEventRow[]) => rows.slice(0, from)),
  place.map((to) => (rows: readonly AuditEventRow[]) => rows.slice(to + 1)),
  fc.tuple(place, place).map(([one, other]) => (rows: readonly AuditEventRow[]) => {
    const swapped = [...rows];
    const [first, second] = [rows[one], rows[other]];
    if (first === undefined || second === undefined) return swapped;
    swapped[one] = { ...second, sequence: first.sequence };
    swapped[other] = { ...first, sequence: second.sequence };
    return swapped;
  }),
  place.map((at) => (rows: readonly AuditEventRow[]) => {
    const row = rows[at];
    return row === undefined ? [...rows] : [...rows, { ...row, sequence: EVENTS + 1 }];
  }),
);

const chainChange: fc.Arbitrary<(chain: AuditChainRow, rows: readonly AuditEventRow[]) => AuditChainRow> = fc.oneof(
  fc.constant((chain: AuditChainRow) => chain),
  // Moves the end, or the beginning, to where the rows are now.
  fc.constant((chain: AuditChainRow, rows: readonly AuditEventRow[]) => {
    const last = rows.at(-1);
    return { ...chain, head_sequence: last?.sequence ?? 0, head_hash: last?.hash ?? chain.base_hash };
  }),
  fc.constant((chain: AuditChainRow, rows: readonly AuditEventRow[]) => {
    const first = rows[0];
    return { ...chain, base_sequence: (first?.sequence ?? 1) - 1, base_hash: first?.previous_hash ?? chain.base_hash };
  }),
);

describe('a trail that somebody changed who can write to its database', () => {
  let storage: Storage;
  let original: Contents;
  beforeAll(async () => {
    storage = await openStorage({ kind: 'sqlite', path: ':memory:' }, QUIET);
    await fill(storage, EVENTS);
    original = await read(storage);
  });
  afterAll(() => storage.close());

  it('never verifies: whatever was edited, removed, doubled or put in another order, with its hashes made again or not', async () => {
    await fc.assert(
      fc.asyncProperty(rowChange, chainChange, fc.boolean(), async (changeRows, changeChain, makesHashes) => {
        const changed = changeRows(original.rows);
        const rows = makesHashes ? rechain(changed) : changed;
        const chain = changeChain(original.chain, rows);
        fc.pre(JSON.stringify([rows, chain]) !== JSON.stringify([original.rows, original.chain]));
        await write(storage, { rows, chain });
        expect((await judge(storage)).faults).not.toEqual([]);
      }),
      { numRuns: 400 },
    );
    await write(storage, original);
    await expectWhole(storage, EVENTS);
  });

  it.each([
    ['an edit', 5, (rows: AuditEventRow[]) => rows.map((row) => (row.sequence === 5 ? { ...row, actor: 'x' } : row))],
    ['a removal', 7, (rows: AuditEventRow[]) => rows.filter(({ sequence }) => sequence !== 7)],
    ['a removal at the end', 11, (rows: AuditEventRow[]) => rows.slice(0, 10)],
    ['a removal at the beginning', 1, (rows: AuditEventRow[]) => rows.slice(3)],
    ['a removal of all', 1, () => []],
  ])('is told with the first event that is not as it was: %s', async (_, sequence, change) => {
    await write(storage, { ...original, rows: change([...original.rows]) });
    expect((await judge(storage)).faults[0]?.sequence).toBe(sequence);
    await write(storage, original);
  });

  it('is not vouched for by what is appended later: the chain says from where on it is proven', async () => {
    const rows = rechain(original.rows.map((row) => (row.sequence === 3 ? { ...row, actor: 'x' } : row)));
    const chain = { ...original.chain, head_hash: rows.at(-1)?.hash ?? '' };
    await write(storage, { rows, chain });
    await fill(storage, 2);
    const { faults } = await judge(storage);
    expect(faults).toMatchObject([{ sequence: EVENTS + 1, problem: expect.stringContaining('unproven') }]);
    await write(storage, original);
  });

  it('put back to an older state is told by what the data directory remembers, or somebody noted', async () => {
    await fill(storage, 3);
    const { head } = await judge(storage);
    await expectWhole(storage, EVENTS + 3);
    expect((await judge(storage, { expected: head })).faults).toEqual([]);
    await write(storage, original);
    await expectWhole(storage, EVENTS);
    const missing = [{ sequence: EVENTS + 1, problem: expect.stringContaining('missing') }];
    expect((await judge(storage, { expected: head })).faults).toMatchObject(missing);
    expect((await judge(storage, { anchor: { ...head, database: storage.place } })).faults).toMatchObject(missing);
    await fill(storage, 3);
    await expectWhole(storage, EVENTS + 3);
    const other = await judge(storage, { expected: { ...head, hash: 'f'.repeat(64) } });
    expect(other.faults).toMatchObject([{ sequence: EVENTS + 3 }]);
    await write(storage, original);
  });
});

let postgres: TestPostgres | null = null;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres?.[Symbol.asyncDispose]());

describe.each<DatabaseKind>(['sqlite', 'postgres'])('a trail in %s', (kind) => {
  const promise = (name: string, test: () => Promise<void>) =>
    it(name, async ({ skip }) => {
      if (kind === 'postgres' && postgres === null) skip();
      await test();
    });

  promise('verifies while it is empty, and while events are appended and deleted beside', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    await expectWhole(storage, 0);
    let nowMs = 1_000;
    const trail = openTrail(await database.open(), [SECRET], () => nowMs);
    let isDone = false;
    const appending = (async () => {
      for (let round = 0; round < 30; round += 1) {
        nowMs += 1_000;
        await Promise.all(
          Array.from({ length: 40 }, () => trail.append({ action: 'circuit.reset', outcome: 'SUCCEEDED' }, ORIGIN)),
        );
        if (round % 10 === 9) await pruneTrail(storage, SIGNER, { beforeMs: nowMs - 5_000, nowMs });
      }
      isDone = true;
    })();
    while (!isDone) expect((await judge(storage)).faults).toEqual([]);
    await appending;
    expect(await judge(storage)).toMatchObject({ firstSequence: 963, faults: [], head: { sequence: 1_203 } });
  });

  promise('begins at a signed place when old events were deleted, says so, and goes on', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    let nowMs = 100 * DAY_MS;
    const trail = openTrail(storage, [SECRET], () => nowMs);
    for (let day = 0; day < 10; day += 1) {
      await trail.append({ action: 'circuit.reset', outcome: 'SUCCEEDED' }, ORIGIN);
      nowMs += DAY_MS;
    }
    // Every replica does it; one does the work.
    const counts = await Promise.all(
      [1, 2, 3].map(async () => pruneTrail(await database.open(), SIGNER, { beforeMs: 104 * DAY_MS, nowMs })),
    );
    expect(counts.toSorted()).toEqual([0, 0, 4]);
    await trail.append({ action: 'circuit.reset', outcome: 'SUCCEEDED' }, ORIGIN);
    const { rows } = await read(storage);
    expect(rows.map(({ sequence, action }) => [sequence, action])).toEqual([
      ...[5, 6, 7, 8, 9, 10].map((sequence) => [sequence, 'circuit.reset']),
      [11, 'audit.prune'],
      [12, 'circuit.reset'],
    ]);
    expect(await judge(storage)).toMatchObject({ firstSequence: 5, events: 8, faults: [] });
    // Who deletes more, and says that the rest begins there, has no signature for it.
    await storage.db.deleteFrom('audit_events').where('sequence', '=', 5).execute();
    const base = { base_sequence: 5, base_hash: rows[0]?.hash ?? '' };
    await storage.db.updateTable('audit_chain').set(base).execute();
    expect((await judge(storage)).faults).not.toEqual([]);
  });

  promise('is not shortened where it does not verify: it is evidence', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    await fill(storage, 5);
    await storage.db.updateTable('audit_events').set({ actor: 'x' }).where('sequence', '=', 2).execute();
    await expect(pruneTrail(storage, SIGNER, { beforeMs: Date.now() + DAY_MS, nowMs: Date.now() })).rejects.toThrow(
      TrailBroken,
    );
    expect((await read(storage)).rows).toHaveLength(5);
  });

  promise('goes on under a new secret as long as the old one is in the list', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    const next = 'another secret: 0123456789abcdef';
    await fill(storage, 3);
    await fill(storage, 3, [next, SECRET]);
    expect((await judge(storage, {}, [next, SECRET])).faults).toEqual([]);
    expect((await judge(storage, {}, [next])).faults).toEqual([]);
    expect((await judge(storage, {}, [SECRET])).faults).toMatchObject([{ sequence: 6 }]);
    await fill(storage, 1, ['a third one: 0123456789abcdef0123']);
    expect((await judge(storage, {}, ['a third one: 0123456789abcdef0123'])).faults).toMatchObject([{ sequence: 7 }]);
  });
});

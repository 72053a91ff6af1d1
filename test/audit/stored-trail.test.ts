import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { fromRow } from '../../src/audit/chain.ts';
import { hashEvent } from '../../src/audit/event-hash.ts';
import { ALL_EVENTS } from '../../src/audit/read-events.ts';
import { StoredTrail } from '../../src/audit/stored-trail.ts';
import type { AuditCriteria, AuditEvent } from '../../src/domain/audit.ts';
import { AuditUnavailable } from '../../src/domain/audit.ts';
import { BadCursor } from '../../src/domain/errors.ts';
import { GENESIS_HASH } from '../../src/storage/migrations.ts';
import type { Storage } from '../../src/storage/storage.ts';
import { startPostgres, type TestPostgres } from '../helpers/postgres.ts';
import { createDatabase, type DatabaseKind, QUIET, SECRET } from './databases.ts';

const ALL = ALL_EVENTS;
const ORIGIN = { actor: 'tester', requestId: 'request-1' };

const openTrail = (storage: Storage, now: () => number = Date.now) =>
  new StoredTrail({ storage, settings: { secrets: [SECRET], retentionMs: null }, anchorPath: null, log: QUIET, now });

async function listEvents({ db }: Storage): Promise<AuditEvent[]> {
  return (await db.selectFrom('audit_events').selectAll().orderBy('sequence').execute()).map(fromRow);
}

/** Without gaps from the first, each with the hash of the one before it. */
function expectUnbroken(events: readonly AuditEvent[]): void {
  let previousHash = GENESIS_HASH;
  events.forEach((event, index) => {
    expect(event).toMatchObject({ sequence: index + 1, previousHash, hash: hashEvent(event) });
    previousHash = event.hash;
  });
}

let postgres: TestPostgres | null = null;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres?.[Symbol.asyncDispose]());

describe.each<DatabaseKind>(['sqlite', 'postgres'])('the audit trail in %s', (kind) => {
  const promise = (name: string, test: () => Promise<void>) =>
    it(name, async ({ skip }) => {
      if (kind === 'postgres' && postgres === null) skip();
      await test();
    });

  promise('has each acknowledged event, in one chain from the first on', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    const trail = openTrail(storage);
    const entry = { action: 'template.publish', registryName: 'uni', template: 'a', version: '1' } as const;
    await trail.append({ ...entry, outcome: 'SUCCEEDED' }, ORIGIN);
    await trail.append({ action: 'cache.invalidate', outcome: 'FAILED', detail: 'layer SEARCH' }, ORIGIN);
    await trail.close();
    const events = await listEvents(storage);
    expect(events).toMatchObject([
      { sequence: 1, actor: 'tester', requestId: 'request-1', ...entry, outcome: 'SUCCEEDED', occurrences: 1 },
      { sequence: 2, action: 'cache.invalidate', registryName: null, template: null, detail: 'layer SEARCH' },
    ]);
    expectUnbroken(events);
  });

  promise('goes on with the same chain after a restart', async () => {
    await using database = await createDatabase(kind, postgres);
    for (let start = 0; start < 3; start += 1) {
      const trail = openTrail(await database.open());
      await trail.append({ action: 'circuit.reset', outcome: 'SUCCEEDED' }, ORIGIN);
      await trail.close();
    }
    const events = await listEvents(await database.open());
    expect(events).toHaveLength(3);
    expectUnbroken(events);
  });

  promise('shares commits among many that append at once, and acknowledges each', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    const transaction = vi.spyOn(storage.db, 'transaction');
    const trail = openTrail(storage);
    await Promise.all(
      Array.from({ length: 500 }, (_, index) =>
        trail.append({ action: 'content.download', template: `t-${index}`, outcome: 'SUCCEEDED' }, ORIGIN),
      ),
    );
    expect(transaction.mock.calls.length).toBeLessThan(5);
    const events = await listEvents(storage);
    expect(events.map(({ template }) => template)).toEqual(Array.from({ length: 500 }, (_, index) => `t-${index}`));
    expectUnbroken(events);
  });

  promise('is one chain without forks however many replicas append to it', async () => {
    await using database = await createDatabase(kind, postgres);
    const storages = await Promise.all([database.open(), database.open(), database.open()]);
    const trails = storages.map((storage) => openTrail(storage));
    await Promise.all(
      trails.map(async (trail, replica) => {
        for (let round = 0; round < 20; round += 1) {
          const append = (index: number) =>
            trail.append(
              { action: 'content.download', template: `${replica}-${round}-${index}`, outcome: 'SUCCEEDED' },
              ORIGIN,
            );
          await Promise.all([append(0), append(1), append(2)]);
        }
      }),
    );
    const events = await listEvents(await database.open());
    expect(new Set(events.map(({ template }) => template)).size).toBe(180);
    expectUnbroken(events);
  });

  promise('keeps any text as it was, as far as a database can', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    const trail = openTrail(storage);
    const template = `"'\\ \u{1f980} ${'x'.repeat(2_000)}`;
    await trail.append(
      { action: 'content.download', template, version: '\ud800\u0000;--', outcome: 'SUCCEEDED' },
      ORIGIN,
    );
    const events = await listEvents(storage);
    expect(events[0]).toMatchObject({ template: template.slice(0, 1_000), version: '\ufffd\ufffd;--' });
    expectUnbroken(events);
  });

  promise('counts what happens often: one event for a minute, a caller and a registry', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    let nowMs = 60_000 * 1_000;
    const trail = openTrail(storage, () => nowMs);
    const view = { action: 'template.view', registryName: 'uni', outcome: 'SUCCEEDED' } as const;
    for (let time = 0; time < 1_000; time += 1) trail.count(view, 'one');
    trail.count(view, 'other');
    trail.count({ ...view, registryName: 'open' }, 'one');
    await trail.writeCounts();
    expect(await listEvents(storage)).toEqual([]);
    nowMs += 60_000;
    trail.count(view, 'one');
    await trail.close();
    expect(await listEvents(storage)).toMatchObject([
      { actor: 'one', registryName: 'uni', occurrences: 1_000, atMs: 60_000_000 },
      { actor: 'one', registryName: 'open', occurrences: 1 },
      { actor: 'other', registryName: 'uni', occurrences: 1 },
      { actor: 'one', registryName: 'uni', occurrences: 1, atMs: 60_060_000 },
    ]);
  });

  promise('gives refusals an event each while they are few, and counts a flood of them', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    const trail = openTrail(storage);
    await Promise.all(
      Array.from({ length: 3_000 }, () => trail.deny({ detail: 'no proof' }, { ...ORIGIN, actor: 'anonymous' })),
    );
    await trail.deny({ detail: 'needs the role "admin"' }, ORIGIN);
    await trail.close();
    const events = await listEvents(storage);
    expect(events.length).toBeLessThan(50);
    expect(events.reduce((total, { occurrences }) => total + occurrences, 0)).toBe(3_001);
    expect(events.filter(({ actor }) => actor === 'tester')).toMatchObject([
      { outcome: 'DENIED', action: 'access.deny' },
    ]);
  });

  promise('reads pages from the newest event to the oldest, whatever is appended meanwhile', async () => {
    await using database = await createDatabase(kind, postgres);
    const trail = openTrail(await database.open());
    const append = (index: number, registryName: string | null) =>
      trail.append({ action: 'content.download', registryName, template: `t-${index}`, outcome: 'SUCCEEDED' }, ORIGIN);
    for (let index = 0; index < 10; index += 1) await append(index, index % 2 === 0 ? 'open' : 'hidden');
    await append(10, null);
    const seen: (string | null)[] = [];
    let after: string | null = null;
    do {
      const page = await trail.read(ALL, { first: 2, after }, ['open']);
      expect(await page.countAll()).toBeGreaterThanOrEqual(6);
      seen.push(...page.events.map(({ template }) => template));
      await append(100, 'open');
      const last = page.events.at(-1);
      after = page.hasNextPage && last !== undefined ? page.cursorOf(last) : null;
    } while (after !== null);
    expect(seen).toEqual(['t-10', 't-8', 't-6', 't-4', 't-2', 't-0']);
  });

  promise('shows no gap and no name to who may not see a registry', async () => {
    await using database = await createDatabase(kind, postgres);
    const trail = openTrail(await database.open());
    const append = (registryName: string | null) =>
      trail.append({ action: 'content.download', registryName, outcome: 'SUCCEEDED' }, ORIGIN);
    await append('hidden');
    for (const name of ['open', 'hidden', 'hidden', 'open', null, 'hidden', 'open']) await append(name);
    await trail.noteConfiguration('f', [
      'added: hidden, open',
      'removed: gone',
      'changed: hidden',
      'other parts: auth',
    ]);
    const read = (criteria: Partial<AuditCriteria>, names: readonly string[]) =>
      trail.read({ ...ALL, ...criteria }, { first: 100, after: null }, names);
    const { events } = await read({}, ['open']);
    expect(events).toHaveLength(5);
    const hashes = [...events.map(({ hash }) => hash), '0'.repeat(64)];
    expect(events.map(({ previousHash }) => previousHash)).toEqual(hashes.slice(1));
    expect(events[0]?.detail).toBe('fingerprint f; added: open; other parts: auth');
    const ofOpen = await read({ registryName: 'open' }, ['open']);
    expect(ofOpen.events.map(({ previousHash }) => previousHash)).toEqual([2, 4, 5].map((at) => hashes[at]));
    // Who sees them all sees the chain as it is.
    const whole = await read({}, ['open', 'hidden']);
    expect(whole.events.slice(1).map(({ hash }) => hash)).toEqual(
      whole.events.slice(0, -1).map(({ previousHash }) => previousHash),
    );
    expect(whole.events[0]?.detail).toBe('fingerprint f; added: hidden, open; changed: hidden; other parts: auth');
  });

  promise('finds what fits every criterion, and counts it', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    let nowMs = 1_000;
    const trail = openTrail(storage, () => nowMs);
    for (const actor of ['one', 'other']) {
      for (const template of ['a', 'b']) {
        const entry = { action: 'content.download', registryName: 'uni', template, outcome: 'SUCCEEDED' } as const;
        await trail.append(entry, { actor, requestId: null });
        nowMs += 1_000;
      }
    }
    const find = async (criteria: Partial<AuditCriteria>) => {
      const page = await trail.read({ ...ALL, ...criteria }, { first: 100, after: null }, ['uni']);
      expect(await page.countAll()).toBe(page.events.length);
      return page.events.map(({ sequence }) => sequence);
    };
    expect(await find({})).toEqual([4, 3, 2, 1]);
    expect(await find({ actor: 'one' })).toEqual([2, 1]);
    expect(await find({ template: 'b' })).toEqual([4, 2]);
    expect(await find({ actor: 'other', template: 'b' })).toEqual([4]);
    expect(await find({ sinceMs: 2_000, untilMs: 4_000 })).toEqual([3, 2]);
    expect(await find({ action: 'template.publish' })).toEqual([]);
    expect(await find({ registryName: 'uni' })).toEqual([4, 3, 2, 1]);
  });

  promise('takes no cursor but its own, for the same criteria', async () => {
    await using database = await createDatabase(kind, postgres);
    const trail = openTrail(await database.open());
    await trail.append({ action: 'circuit.reset', outcome: 'SUCCEEDED' }, ORIGIN);
    const page = await trail.read(ALL, { first: 1, after: null }, []);
    const [event] = page.events;
    if (event === undefined) throw new TypeError('there must be an event');
    const cursor = page.cursorOf(event);
    expect((await trail.read(ALL, { first: 1, after: cursor }, [])).events).toEqual([]);
    const flipped = cursor.slice(0, -1) + (cursor.endsWith('A') ? 'B' : 'A');
    for (const after of ['', 'nonsense', flipped, `${cursor}AAAA`]) {
      await expect(trail.read(ALL, { first: 1, after }, [])).rejects.toThrow(BadCursor);
    }
    await expect(trail.read({ ...ALL, actor: 'x' }, { first: 1, after: cursor }, [])).rejects.toThrow(BadCursor);
  });

  promise('acknowledges nothing that it could not write', async () => {
    await using database = await createDatabase(kind, postgres);
    const storage = await database.open();
    const trail = openTrail(storage);
    await storage.db.schema.alterTable('audit_events').renameTo('away').execute();
    await expect(trail.append({ action: 'circuit.reset', outcome: 'SUCCEEDED' }, ORIGIN)).rejects.toThrow(
      AuditUnavailable,
    );
    trail.count({ action: 'template.view', registryName: 'uni', outcome: 'SUCCEEDED' }, 'one');
    await trail.writeCounts(true);
    await storage.db.schema.alterTable('away').renameTo('audit_events').execute();
    await trail.append({ action: 'circuit.reset', outcome: 'SUCCEEDED' }, ORIGIN);
    await trail.close();
    const events = await listEvents(storage);
    expect(events.map(({ action }) => action)).toEqual(['circuit.reset', 'template.view']);
    expectUnbroken(events);
  });
});

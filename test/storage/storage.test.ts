import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStorage } from '../../src/storage/storage.ts';
import { createDatabase, type DatabaseKind, QUIET } from '../audit/databases.ts';
import { startPostgres, type TestPostgres } from '../helpers/postgres.ts';

let postgres: TestPostgres | null = null;
let folder = '';
beforeAll(async () => {
  postgres = await startPostgres();
  folder = mkdtempSync(join(tmpdir(), 'marketplace-storage-'));
}, 60_000);
afterAll(async () => {
  await postgres?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

describe.each<DatabaseKind>(['sqlite', 'postgres'])('a database of %s', (kind) => {
  const promise = (name: string, test: () => Promise<void>) =>
    it(name, async ({ skip }) => {
      if (kind === 'postgres' && postgres === null) skip();
      await test();
    });

  promise('is brought to this version once, however many open it at once', async () => {
    await using database = await createDatabase(kind, postgres);
    const storages = await Promise.all([1, 2, 3, 4].map(() => database.open()));
    for (const { db } of storages) {
      expect(await db.selectFrom('audit_chain').selectAll().execute()).toMatchObject([{ id: 1, head_sequence: 0 }]);
    }
  });

  promise('of a newer version is not opened, and not changed', async () => {
    await using database = await createDatabase(kind, postgres);
    const { db } = await database.open();
    const newer = { name: '9999_later', timestamp: '2100-01-01T00:00:00.000Z' };
    // A table of kysely's own, which ours do not tell of.
    await db
      .insertInto('kysely_migration' as never)
      .values(newer as never)
      .execute();
    await expect(database.open()).rejects.toThrow('is of a newer version of the gateway');
  });

  promise('takes back all of a transaction that fails', async () => {
    await using database = await createDatabase(kind, postgres);
    const { db } = await database.open();
    const failing = db.transaction().execute(async (transaction) => {
      await transaction.updateTable('audit_chain').set({ head_sequence: 7 }).execute();
      throw new Error('half way');
    });
    await expect(failing).rejects.toThrow('half way');
    expect(await db.selectFrom('audit_chain').select('head_sequence').execute()).toEqual([{ head_sequence: 0 }]);
  });

  promise('gives numbers as numbers', async () => {
    await using database = await createDatabase(kind, postgres);
    const { db } = await database.open();
    await db
      .updateTable('audit_chain')
      .set({ head_sequence: 2 ** 53 - 1 })
      .execute();
    const { count, max } = await db
      .selectFrom('audit_chain')
      .select(({ fn }) => [fn.countAll<number>().as('count'), fn.max('head_sequence').as('max')])
      .executeTakeFirstOrThrow();
    expect([count, max]).toEqual([1, 2 ** 53 - 1]);
  });
});

describe('a database that cannot be opened', () => {
  it('is told with its path and what to do', async () => {
    const path = join(folder, 'a-folder');
    mkdirSync(path);
    await expect(openStorage({ kind: 'sqlite', path }, QUIET)).rejects.toThrow(
      new RegExp(`^The database ${path} cannot be opened \\(.*\\)\\. Make its folder writable`),
    );
  });

  it('is told without the password', async () => {
    const url = 'postgres://somebody:hunter2@127.0.0.1:1/x?connect_timeout=1';
    // Its port is nobody's, and refused at once: the start waits for a server that may come up, and gives up in time.
    const error = await openStorage({ kind: 'postgres', url }, QUIET).catch((reason: unknown) => reason);
    expect(String(error)).toContain('postgres://127.0.0.1:1/x cannot be opened');
    expect(String(error)).not.toContain('hunter2');
  });
});

describe("an SQLite file's rights", () => {
  it("are its owner's alone", async () => {
    const path = join(folder, 'sub', 'x.sqlite');
    const storage = await openStorage({ kind: 'sqlite', path }, QUIET);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'sub')).mode & 0o777).toBe(0o700);
    await storage.close();
  });
});

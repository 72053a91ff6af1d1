/** The databases that one suite runs over: an SQLite file and, where this machine has one, PostgreSQL. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { StorageLocation } from '../../src/config/config.ts';
import { openStorage, type Storage } from '../../src/storage/storage.ts';
import type { TestPostgres } from '../helpers/postgres.ts';

export const SECRET = 'for tests alone: 0123456789abcdef0123456789abcdef';

export const QUIET = { info: () => undefined, warn: () => undefined, error: () => undefined };

export type DatabaseKind = StorageLocation['kind'];

/** An empty database and whoever opens it. */
export interface TestDatabase extends AsyncDisposable {
  readonly location: StorageLocation;
  readonly folder: string;
  /** Another connection, as another process would make it. */
  open(): Promise<Storage>;
}

export async function createDatabase(kind: DatabaseKind, postgres: TestPostgres | null): Promise<TestDatabase> {
  const folder = mkdtempSync(join(tmpdir(), 'marketplace-storage-'));
  const opened: Storage[] = [];
  const location = await locate(kind, folder, postgres);
  return {
    location,
    folder,
    async open() {
      const storage = await openStorage(location, QUIET);
      opened.push(storage);
      return storage;
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(opened.map((storage) => storage.close()));
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

async function locate(kind: DatabaseKind, folder: string, postgres: TestPostgres | null): Promise<StorageLocation> {
  if (kind === 'sqlite') return { kind, path: join(folder, 'marketplace.sqlite') };
  if (postgres === null) throw new TypeError('there is no PostgreSQL to make a database in');
  return { kind, url: await postgres.createDatabase() };
}

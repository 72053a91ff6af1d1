/** Where what must outlive the process is kept: an SQLite file, or PostgreSQL, which replicas share. */
import { Kysely } from 'kysely';
import type { StorageLocation } from '../config/config.ts';
import { migrateToLatest } from './migrations.ts';
import { createSqliteDialect } from './sqlite-dialect.ts';
import { IN_MEMORY, openSqliteHere } from './sqlite-session.ts';
import { openSqliteThread } from './sqlite-thread.ts';
import { StorageHealth } from './storage-health.ts';
import type { StorageLog } from './storage-log.ts';
import type { StorageTables } from './tables.ts';

export interface Storage {
  readonly kind: StorageLocation['kind'];
  readonly db: Kysely<StorageTables>;
  /** The place in words, without credentials: for messages and to tell one storage from another. */
  readonly place: string;
  /** Those who use it say how that went. */
  readonly health: StorageHealth;
  /** Closes the connections when what they do is done. */
  close(): Promise<void>;
}

/** The storage cannot be opened; the message says which one, why, and what to do, and holds no credential. */
class StorageUnopened extends Error {
  override readonly name = 'StorageUnopened';
}

/** How long a database server that is not up yet is waited for: in one start of everything it may come second. */
const START_PATIENCE_MS = 10_000;
const START_RETRY_MS = 250;

/** Opens the storage and brings its tables to this version. Throws StorageUnopened. */
export async function openStorage(location: StorageLocation, log: StorageLog): Promise<Storage> {
  const place = describePlace(location);
  const deadlineMs = performance.now() + START_PATIENCE_MS;
  for (;;) {
    try {
      return await openOnce(location, place, log);
    } catch (error) {
      if (location.kind === 'sqlite' || !isUnreachable(error) || performance.now() > deadlineMs) {
        throw new StorageUnopened(describeOpeningFailure(location, place, error), { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, START_RETRY_MS));
    }
  }
}

async function openOnce(location: StorageLocation, place: string, log: StorageLog): Promise<Storage> {
  const db = new Kysely<StorageTables>({ dialect: await createDialect(location, log) });
  try {
    await migrateToLatest(db);
    return { kind: location.kind, db, place, health: new StorageHealth(), close: () => db.destroy() };
  } catch (error) {
    await db.destroy();
    throw error;
  }
}

async function createDialect(location: StorageLocation, log: StorageLog) {
  switch (location.kind) {
    case 'sqlite': {
      const { path } = location;
      return createSqliteDialect(path === IN_MEMORY ? openSqliteHere(path) : await openSqliteThread(path));
    }
    case 'postgres': {
      // Loaded where it is used: most gateways have no use for it.
      const { createPostgresDialect } = await import('./postgres-dialect.ts');
      return createPostgresDialect(location.url, log);
    }
  }
}

/** Refused, unknown, reset or timed out, or a server that is starting or stopping (57P03, 57P01 in PostgreSQL's appendix A). */
function isUnreachable(error: unknown): boolean {
  const code = codeOf(error);
  if (error instanceof Error && /timeout|terminated/i.test(error.message)) return true;
  return ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ECONNRESET', 'ETIMEDOUT', 'ENOENT', '57P03', '57P01'].includes(
    code,
  );
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}

function describePlace(location: StorageLocation): string {
  if (location.kind === 'sqlite') return location.path;
  const { host, pathname } = new URL(location.url);
  return `postgres://${host}${pathname}`;
}

function describeOpeningFailure({ kind }: StorageLocation, place: string, error: unknown): string {
  const reason = error instanceof Error ? error.message : String(error);
  if (/previously executed migration/.test(reason)) {
    return `The database ${place} is of a newer version of the gateway. Start that version, or name another database in DATABASE_URL.`;
  }
  switch (kind) {
    case 'sqlite':
      return `The database ${place} cannot be opened (${reason}). Make its folder writable, or name another file in DATABASE_URL=sqlite:<path>.`;
    case 'postgres':
      return `The database ${place} cannot be opened (${reason}). Check that it runs, and the user, password and database in DATABASE_URL.`;
  }
}

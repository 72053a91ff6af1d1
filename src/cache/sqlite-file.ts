import { chmodSync, closeSync, mkdirSync, openSync, renameSync, rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/** Told what the one who runs the gateway may want to know. */
export interface CacheLog {
  warn(detail: object, message: string): void;
}

/** The primary result codes of SQLite (sqlite.org/rescode.html) that are told apart here. */
export const SQLITE = { BUSY: 5, LOCKED: 6, READONLY: 8, IOERR: 10, CORRUPT: 11, FULL: 13, CANTOPEN: 14, NOTADB: 26 };

/** Another process writes for milliseconds; whoever waits longer stops this one's event loop. */
const BUSY_TIMEOUT_MS = 50;
/** While the file is opened nobody is kept waiting. */
const OPENING_TIMEOUT_MS = 2_000;

/** The primary result code of an error of SQLite's; null: it is another error. */
export function sqliteCodeOf(error: unknown): number | null {
  if (!(error instanceof Error) || !('errcode' in error) || typeof error.errcode !== 'number') return null;
  return error.errcode & 0xff;
}

/** Whether the error says that the file is damaged, or no database. */
export function isDamage(error: unknown): boolean {
  const code = sqliteCodeOf(error);
  return code === SQLITE.CORRUPT || code === SQLITE.NOTADB;
}

/**
 * Opens a database file for the owner's eyes only, and makes it, and its folder, where they are not there. A file that is
 * damaged, or of another version, is put aside (its name with `.aside` behind it) and made anew. It is a cache: nothing in it
 * is worth waiting for a disk, so that a power cut may cost it, and then it is put aside as well. Throws what the file system or
 * SQLite throws.
 */
export function openSqliteFile(path: string, version: number, schema: string, log: CacheLog): DatabaseSync {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  try {
    return openVersion(path, version, schema);
  } catch (error) {
    if (!isDamage(error) && !(error instanceof OtherVersion)) throw error;
    log.warn(
      { error, path },
      'the file of the cache is damaged or of another version: it was put aside and is made anew',
    );
    putAside(path);
    return openVersion(path, version, schema);
  }
}

/** Beside it there may be what SQLite has not written into it yet, which is of no use without it. */
export function putAside(path: string): void {
  renameSync(path, `${path}.aside`);
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true });
}

class OtherVersion extends Error {}

function openVersion(path: string, version: number, schema: string): DatabaseSync {
  // SQLite makes its other files with the rights of this one.
  closeSync(openSync(path, 'a', 0o600));
  chmodSync(path, 0o600);
  const database = new DatabaseSync(path, { timeout: OPENING_TIMEOUT_MS });
  try {
    database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA journal_size_limit = 4194304;');
    const found = readPragma(database, 'user_version');
    if (found !== version) {
      if (found !== 0 || readPragma(database, 'schema_version') !== 0) throw new OtherVersion(`version ${found}`);
      // Another process may do it at the same time.
      database.exec(`BEGIN IMMEDIATE; ${schema} PRAGMA user_version = ${version}; COMMIT;`);
    }
    database.exec(`PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`);
    return database;
  } catch (error) {
    database.close();
    throw error;
  }
}

/** A number that SQLite says of the database; 0 where it says none. */
export function readPragma(database: DatabaseSync, name: string): number {
  const value = database.prepare(`PRAGMA ${name}`).get()?.[name];
  return typeof value === 'number' ? value : 0;
}

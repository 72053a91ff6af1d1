/** One connection to an SQLite database, as it is driven on the thread that it lives in. */
import { chmodSync, closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';

export interface SqliteResult {
  readonly rows: unknown[];
  readonly changes: number;
}

/** Where statements go: to this thread or to another. */
export interface SqliteConnection {
  /** Rejects with what SQLite throws. */
  execute(sql: string, parameters: readonly unknown[]): Promise<SqliteResult>;
  close(): Promise<void>;
}

export const IN_MEMORY = ':memory:';

/** How long another process may write, or migrate, before this one is told that the database is busy. */
const BUSY_TIMEOUT_MS = 5_000;
/** The statements of one program are few; those with lists of other lengths come and go. */
const MAX_STATEMENTS = 100;

export class SqliteSession {
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, { readonly statement: StatementSync; readonly isReader: boolean }>();

  /** Opens the file for the owner's eyes only, and makes it, and its folder. Throws what the file system or SQLite throws. */
  constructor(path: string) {
    if (path !== IN_MEMORY) {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      // SQLite makes its other files with the rights of this one.
      closeSync(openSync(path, 'a', 0o600));
      chmodSync(path, 0o600);
    }
    this.#database = new DatabaseSync(path, { timeout: BUSY_TIMEOUT_MS });
    try {
      // FULL: what was committed outlives a power cut, and not only the process.
      this.#database.exec(
        'PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA journal_size_limit = 4194304; PRAGMA trusted_schema = OFF;',
      );
    } catch (error) {
      this.#database.close();
      throw error;
    }
  }

  execute(sql: string, parameters: readonly unknown[]): SqliteResult {
    const { statement, isReader } = this.#prepare(sql);
    const values = parameters.map(toSqlite);
    if (isReader) return { rows: statement.all(...values), changes: 0 };
    return { rows: [], changes: Number(statement.run(...values).changes) };
  }

  close(): void {
    this.#statements.clear();
    if (this.#database.isOpen) this.#database.close();
  }

  #prepare(sql: string): { readonly statement: StatementSync; readonly isReader: boolean } {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#database.prepare(sql);
    // What gives no columns (INSERT, BEGIN) is run, not read.
    const prepared = { statement, isReader: statement.columns().length > 0 };
    // A changed schema can change what a statement is: those are never kept.
    if (!/^\s*(?:select|insert|update|delete|begin|commit|rollback)\b/i.test(sql)) return prepared;
    if (this.#statements.size >= MAX_STATEMENTS) {
      const [oldest] = this.#statements.keys();
      if (oldest !== undefined) this.#statements.delete(oldest);
    }
    this.#statements.set(sql, prepared);
    return prepared;
  }
}

/** The session on the thread of its caller: for a database in memory, which never waits for a disk. */
export function openSqliteHere(path: string): SqliteConnection {
  const session = new SqliteSession(path);
  return {
    execute: async (sql, parameters) => session.execute(sql, parameters),
    close: async () => session.close(),
  };
}

function toSqlite(value: unknown): SQLInputValue {
  switch (typeof value) {
    case 'boolean':
      return value ? 1 : 0;
    case 'string':
    case 'number':
    case 'bigint':
      return value;
    case 'undefined':
      return null;
    default:
      if (value === null || value instanceof Uint8Array) return value;
      throw new TypeError(
        `A parameter must be text, a number, a boolean, bytes or null; it is of type ${typeof value}.`,
      );
  }
}

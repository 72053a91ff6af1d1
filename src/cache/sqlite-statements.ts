import type { DatabaseSync, StatementSync } from 'node:sqlite';
import type { StoredRecord } from './record.ts';
import { readPragma } from './sqlite-file.ts';

/** When the file is full the least recently used go until this share of it, with what is written now, is left. */
const ROOM_SHARE = 0.9;
const DELETED_AT_ONCE = 8;

/** What keyv keeps under a key. */
export interface Envelope {
  readonly value: StoredRecord;
  readonly expires: number;
}

/** One connection and what is asked of it. Throws what SQLite throws. */
export class Statements {
  readonly #database: DatabaseSync;
  readonly #read: StatementSync;
  readonly #write: StatementSync;
  readonly #delete: StatementSync;
  readonly #touch: StatementSync;

  constructor(database: DatabaseSync, maxBytes: number) {
    this.#database = database;
    // Where room is not made fast enough, this ends the file's growing.
    const pages = Math.ceil((maxBytes * 1.1) / readPragma(database, 'page_size')) + 8;
    database.exec(`PRAGMA max_page_count = ${pages}`);
    this.#read = database.prepare('SELECT label, body, expires_at FROM answers WHERE key = ? AND expires_at > ?');
    this.#write = database.prepare(
      `INSERT INTO answers (key, label, body, expires_at, used_at) VALUES (?, ?, ?, ?, ?)
       ON CONFLICT (key) DO UPDATE SET
         label = excluded.label, body = excluded.body, expires_at = excluded.expires_at, used_at = excluded.used_at`,
    );
    this.#delete = database.prepare('DELETE FROM answers WHERE key = ?');
    this.#touch = database.prepare('UPDATE answers SET used_at = ? WHERE key = ?');
  }

  close(): void {
    this.#database.close();
  }

  inTransaction(work: () => void): void {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.#database.exec('COMMIT');
    } catch (error) {
      // Some errors have rolled it back already.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  read(key: string, nowMs: number): Envelope | undefined {
    const row = this.#read.get(key, nowMs);
    if (row === undefined) return undefined;
    const { label, body, expires_at: expires } = row;
    if (!(label instanceof Uint8Array) || !(body instanceof Uint8Array) || typeof expires !== 'number')
      return undefined;
    return { value: { label, body }, expires };
  }

  write(key: string, { label, body }: StoredRecord, expiresAtMs: number, nowMs: number): void {
    this.#write.run(key, label, body, Math.floor(expiresAtMs), nowMs);
  }

  delete(key: string): boolean {
    return Number(this.#delete.run(key).changes) > 0;
  }

  touch(key: string, nowMs: number): void {
    this.#touch.run(nowMs, key);
  }

  clear(): void {
    this.#database.exec('DELETE FROM answers');
  }

  listKeys(afterId: number, count: number) {
    const rows = this.#database
      .prepare('SELECT id, key FROM answers WHERE id > ? ORDER BY id LIMIT ?')
      .all(afterId, count);
    return rows.flatMap(({ id, key }) => (typeof id === 'number' && typeof key === 'string' ? [{ id, key }] : []));
  }

  listLabels(afterId: number, count: number) {
    const rows = this.#database
      .prepare('SELECT id, key, label FROM answers WHERE id > ? ORDER BY id LIMIT ?')
      .all(afterId, count);
    return rows.flatMap(({ id, key, label }) =>
      typeof id === 'number' && typeof key === 'string' && label instanceof Uint8Array ? [{ id, key, label }] : [],
    );
  }

  /** First what has expired goes, then what was not used for longest. */
  makeRoom(forBytes: number, maxBytes: number, nowMs: number): void {
    if (this.#usedBytes() + forBytes <= maxBytes) return;
    this.#database.prepare('DELETE FROM answers WHERE expires_at <= ?').run(nowMs);
    const leastUsed = this.#database.prepare(
      'DELETE FROM answers WHERE id IN (SELECT id FROM answers ORDER BY used_at, id LIMIT ?)',
    );
    while (this.#usedBytes() + forBytes > maxBytes * ROOM_SHARE) {
      if (leastUsed.run(DELETED_AT_ONCE).changes === 0) return;
    }
  }

  #usedBytes(): number {
    const pages = readPragma(this.#database, 'page_count') - readPragma(this.#database, 'freelist_count');
    return pages * readPragma(this.#database, 'page_size');
  }
}

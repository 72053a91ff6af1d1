import { type KeyvStorageCapability, keyvStorageCapability } from 'keyv';
import type { StoredRecord } from './record.ts';
import { type CacheLog, isDamage, openSqliteFile, putAside, SQLITE, sqliteCodeOf } from './sqlite-file.ts';
import { type Envelope, Statements } from './sqlite-statements.ts';

const VERSION = 1;
const SCHEMA = `
  CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, label BLOB NOT NULL, body BLOB NOT NULL,
    expires_at INTEGER NOT NULL, used_at INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX IF NOT EXISTS answers_by_expiry ON answers (expires_at);
  CREATE INDEX IF NOT EXISTS answers_by_use ON answers (used_at);
`;
/** What is written in one transaction, as a share of the file: room has to be made for it before. */
const WRITTEN_SHARE = 0.25;
/** After a disk that was full or could not be written to. */
const PAUSE_MS = 60_000;

interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly expires?: number;
}

interface Writable {
  readonly key: string;
  /** null: it is none that could be written. */
  readonly record: StoredRecord | null;
  readonly expiresAtMs: number;
}

/**
 * Answers in a file of SQLite, as keyv drives it (its storage adapter, version 6) and a little more: all keys, and what all
 * answers are about. Bounded in bytes. Several processes may share the file. What goes wrong with it is logged, once for
 * each way, and is otherwise as if nothing were kept: no call fails because of a cache.
 */
export class SqliteStore {
  namespace: string | undefined = undefined;
  readonly #path: string;
  readonly #maxBytes: number;
  readonly #log: CacheLog;
  readonly #logged = new Set<number | string>();
  #open: Statements | null = null;
  #writesFromMs = 0;

  /** `maxBytes`: of the file. Opens it; never throws. */
  constructor(path: string, maxBytes: number, log: CacheLog) {
    this.#path = path;
    this.#maxBytes = maxBytes;
    this.#log = log;
    this.#reopen();
  }

  /** Tells keyv that times of expiry are absolute and heeded. */
  get capabilities(): KeyvStorageCapability {
    return keyvStorageCapability(this);
  }

  async get(key: string): Promise<Envelope | undefined> {
    return this.#attempt((open) => open.read(key, Date.now()), undefined);
  }

  async getMany(keys: string[]): Promise<(Envelope | undefined)[]> {
    return Promise.all(keys.map((key) => this.get(key)));
  }

  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    return Promise.all(keys.map((key) => this.has(key)));
  }

  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    const [isSet] = await this.setMany([{ key, value, ...(expires !== undefined && { expires }) }]);
    return isSet ?? false;
  }

  async setMany(entries: Entry[]): Promise<boolean[]> {
    const results: boolean[] = [];
    let part: Writable[] = [];
    let partBytes = 0;
    const writePart = () => {
      const isSet = this.#writePart(part, partBytes);
      results.push(...part.map(({ record }) => isSet && record !== null));
      part = [];
      partBytes = 0;
    };
    for (const { key, value, expires } of entries) {
      const record = readEnvelope(value);
      const bytes = record === null ? 0 : record.label.length + record.body.length + key.length * 2;
      if (partBytes + bytes > this.#maxBytes * WRITTEN_SHARE && part.length > 0) writePart();
      part.push({ key, record, expiresAtMs: expires ?? Number.MAX_SAFE_INTEGER });
      partBytes += bytes;
    }
    if (part.length > 0) writePart();
    return results;
  }

  /** All or none. */
  #writePart(part: readonly Writable[], bytes: number): boolean {
    return this.#write((open) => {
      const nowMs = Date.now();
      open.makeRoom(bytes, this.#maxBytes, nowMs);
      for (const { key, record, expiresAtMs } of part) if (record !== null) open.write(key, record, expiresAtMs, nowMs);
    });
  }

  async delete(key: string): Promise<boolean> {
    const [isDeleted] = await this.deleteMany([key]);
    return isDeleted ?? false;
  }

  async deleteMany(keys: string[]): Promise<boolean[]> {
    let deleted: boolean[] = keys.map(() => false);
    this.#write((open) => {
      deleted = keys.map((key) => open.delete(key));
    });
    return deleted;
  }

  async clear(): Promise<void> {
    this.#write((open) => open.clear());
  }

  async disconnect(): Promise<void> {
    this.#open?.close();
    this.#open = null;
  }

  /** What was used now is not the first to go. */
  touch(keys: Iterable<string>): void {
    this.#write((open) => {
      const nowMs = Date.now();
      for (const key of keys) open.touch(key, nowMs);
    });
  }

  /** The keys, in parts: those behind an id, in their order. */
  listKeys(afterId: number, count: number): readonly { readonly id: number; readonly key: string }[] {
    return this.#attempt((open) => open.listKeys(afterId, count), []);
  }

  /** What the answers are about, in parts: those behind an id, in their order. */
  listLabels(
    afterId: number,
    count: number,
  ): readonly { readonly id: number; readonly key: string; readonly label: Uint8Array }[] {
    return this.#attempt((open) => open.listLabels(afterId, count), []);
  }

  #write(work: (open: Statements) => void): boolean {
    if (Date.now() < this.#writesFromMs) return false;
    return this.#attempt((open) => {
      open.inTransaction(() => work(open));
      return true;
    }, false);
  }

  #attempt<T>(work: (open: Statements) => T, otherwise: T): T {
    if (this.#open === null) return otherwise;
    try {
      return work(this.#open);
    } catch (error) {
      this.#handle(error);
      return otherwise;
    }
  }

  #handle(error: unknown): void {
    const code = sqliteCodeOf(error);
    // Another process writes; whoever wanted to write will come again.
    if (code === SQLITE.BUSY || code === SQLITE.LOCKED) return;
    this.#logOnce(
      error,
      'the file of the cache cannot be used as it should; the gateway goes on without what it would have kept',
    );
    if (isDamage(error)) {
      this.#open?.close();
      try {
        putAside(this.#path);
      } catch {
        // Another process has done it.
      }
      this.#reopen();
    } else this.#writesFromMs = Date.now() + PAUSE_MS;
  }

  #reopen(): void {
    this.#open = null;
    try {
      this.#open = new Statements(openSqliteFile(this.#path, VERSION, SCHEMA, this.#log), this.#maxBytes);
    } catch (error) {
      this.#logOnce(error, 'the file of the cache cannot be opened; the gateway goes on without it');
    }
  }

  #logOnce(error: unknown, message: string): void {
    const reason = sqliteCodeOf(error) ?? (error instanceof Error ? error.name : 'unknown');
    if (this.#logged.has(reason)) return;
    this.#logged.add(reason);
    this.#log.warn({ error, path: this.#path }, message);
  }
}

/** keyv hands its envelope over as it is: `{ value, expires }`. null: something else. */
function readEnvelope(envelope: unknown): StoredRecord | null {
  if (typeof envelope !== 'object' || envelope === null || !('value' in envelope)) return null;
  const { value } = envelope;
  if (typeof value !== 'object' || value === null || !('label' in value) || !('body' in value)) return null;
  const { label, body } = value;
  return label instanceof Uint8Array && body instanceof Uint8Array ? { label, body } : null;
}

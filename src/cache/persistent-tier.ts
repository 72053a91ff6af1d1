import { promisify } from 'node:util';
import { type ZstdOptions, zstdCompress, zstdCompressSync } from 'node:zlib';
import Keyv from 'keyv';
import type { AnswerSubject } from '../domain/cache.ts';
import type { CachedAnswer } from './cached-answer.ts';
import { decodeLabel, decodeRecord, encodeRecord, type RecordLabel, type StoredRecord } from './record.ts';
import type { RowIndex } from './row-index.ts';
import type { SqliteStore } from './sqlite-store.ts';

/** Shorter bodies are not worth compressing. */
const WORTH_PACKING_BYTES = 1024;
/**
 * Longer ones are compressed by another thread. For 50 kB that costs four times the work (566 µs instead of 143), and as much of
 * this thread.
 */
const SHORT_BYTES = 256 * 1024;
/** What waits to be written is written together after so long. */
const GATHER_MS = 200;
/** In one transaction, beside the requests that are served meanwhile. */
const WRITTEN_AT_ONCE = 64;
/** More that waits than this is not written: a slow disk must not hold memory. */
const MOST_WAITING = 1024;
/** Labels that are looked at, and keys that are read, in one turn. */
const LABELS_A_TURN = 256;
const KEYS_A_TURN = 1_000;

/**
 * What compressing writes into at a time. Most windows come to less, and as much as Node takes by itself (16 kB) lies in malloc's
 * heap until the next collection of garbage: tens of megabytes after a second of it.
 */
const PACKED_CHUNK_BYTES = 2048;

const compress = promisify<Uint8Array, ZstdOptions, Buffer>(zstdCompress);

/** What is judged of an answer on the disk. */
export interface StoredAbout {
  readonly key: string;
  readonly registry: string;
  readonly subject: AnswerSubject;
  /** When it was asked for, on the clock of `Date.now()`. */
  readonly askedAtMs: number;
  rows(): RowIndex | null;
}

/**
 * The tier outside of memory: a restart begins with what was kept here. Whatever store stands behind it is driven by keyv.
 * Which keys it has is known in memory, so that what is asked for the first time costs it nothing; it is written to beside
 * the requests, several answers together.
 */
export class PersistentTier {
  readonly #store: SqliteStore;
  readonly #keyv: Keyv<StoredRecord>;
  readonly #known = new Set<number>();
  readonly #listing: Promise<void>;
  #isListed = false;
  #isClosed = false;
  readonly #waiting = new Map<string, CachedAnswer>();
  readonly #deleted = new Set<string>();
  readonly #touched = new Set<string>();
  readonly #failedOnce = new WeakSet<CachedAnswer>();
  readonly #isTrue: (answer: CachedAnswer) => boolean;
  readonly #onWritten: (answer: CachedAnswer) => void;
  #timer: NodeJS.Timeout | null = null;
  #writing: Promise<void> = Promise.resolve();

  /** `isTrue`: asked before an answer is written. `onWritten`: told afterwards. `onError`: keyv's own; nothing fails by it. */
  constructor(
    store: SqliteStore,
    listeners: {
      readonly isTrue: (answer: CachedAnswer) => boolean;
      readonly onWritten: (answer: CachedAnswer) => void;
      readonly onError: (error: unknown) => void;
    },
  ) {
    this.#store = store;
    this.#isTrue = listeners.isTrue;
    this.#onWritten = listeners.onWritten;
    // Values stay the bytes they are: keyv's JSON would make them a third larger, and slow.
    this.#keyv = new Keyv<StoredRecord>({ store, serialization: false });
    this.#keyv.on('error', listeners.onError);
    this.#listing = this.#listKeys();
  }

  /** false: it is not there. true: it is, as far as this process knows; in the first moments that is not much. */
  mayHave(key: string): boolean {
    if (!this.#isListed) return true;
    return this.#known.size > 0 && this.#known.has(fingerprintKey(key));
  }

  /** Resolves when it is known which keys there are. */
  whenListed(): Promise<void> {
    return this.#listing;
  }

  /** null: not there, or torn. Never rejects. */
  async load(key: string): Promise<{ readonly label: RecordLabel; readonly body: Uint8Array } | null> {
    const record = this.#deleted.has(key) ? undefined : await this.#keyv.get(key);
    const label = record === undefined ? null : decodeRecord(record);
    if (record === undefined || label === null) {
      this.#known.delete(fingerprintKey(key));
      return null;
    }
    this.#touched.add(key);
    this.#schedule();
    return { label, body: record.body };
  }

  /** Has an answer written soon. false: too much waits for that already. */
  put(answer: CachedAnswer): boolean {
    if (answer.isPrivate) return false;
    if (answer.isPersisted || this.isWaiting(answer)) return true;
    if (this.#waiting.size >= MOST_WAITING) return false;
    this.#waiting.get(answer.key)?.release();
    answer.hold();
    this.#waiting.set(answer.key, answer);
    this.#schedule();
    return true;
  }

  isWaiting(answer: CachedAnswer): boolean {
    return this.#waiting.get(answer.key) === answer;
  }

  delete(key: string): void {
    this.#waiting.get(key)?.release();
    this.#waiting.delete(key);
    if (!this.mayHave(key)) return;
    this.#known.delete(fingerprintKey(key));
    this.#deleted.add(key);
    this.#schedule();
  }

  /** Takes out all that `isTrue` says no to, in turns beside other work. */
  async sweep(isTrue: (about: StoredAbout) => boolean): Promise<void> {
    await this.flush();
    for (let afterId = -1; ; ) {
      const rows = this.#store.listLabels(afterId, LABELS_A_TURN);
      const last = rows.at(-1);
      if (last === undefined) return;
      afterId = last.id;
      const untrue = rows.filter(({ key, label }) => !isStillTrue(key, label, isTrue)).map(({ key }) => key);
      for (const key of untrue) this.#known.delete(fingerprintKey(key));
      if (untrue.length > 0) await this.#keyv.deleteMany(untrue);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Writes what waits. Resolves when it was written, or could not be. */
  flush(): Promise<void> {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
    this.#writing = this.#writing.then(() => this.#writeAll());
    return this.#writing;
  }

  /** A full file has some ten thousand keys: a start does not wait for them. */
  async #listKeys(): Promise<void> {
    for (let afterId = -1; !this.#isClosed; ) {
      const rows = this.#store.listKeys(afterId, KEYS_A_TURN);
      const last = rows.at(-1);
      if (last === undefined) break;
      afterId = last.id;
      for (const { key } of rows) this.#known.add(fingerprintKey(key));
      await new Promise((resolve) => setImmediate(resolve));
    }
    this.#isListed = true;
  }

  /** As far as `flush` comes until a time (clock of `performance.now()`). */
  async close(untilMs: number): Promise<void> {
    const tooLate = new Promise<void>((resolve) => {
      setTimeout(resolve, Math.max(0, untilMs - performance.now())).unref();
    });
    await Promise.race([this.flush(), tooLate]);
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#isClosed = true;
    await this.#listing;
    await this.#keyv.disconnect();
  }

  #schedule(): void {
    if (this.#timer !== null) return;
    this.#timer = setTimeout(() => void this.flush(), GATHER_MS);
    this.#timer.unref();
  }

  async #writeAll(): Promise<void> {
    const deleted = [...this.#deleted];
    if (deleted.length > 0) await this.#keyv.deleteMany(deleted);
    for (const key of deleted) this.#deleted.delete(key);
    if (this.#touched.size > 0) this.#store.touch(this.#touched);
    this.#touched.clear();
    const waiting = [...this.#waiting.values()];
    for (let from = 0; from < waiting.length; from += WRITTEN_AT_ONCE) {
      await this.#writeSome(waiting.slice(from, from + WRITTEN_AT_ONCE));
    }
    if (this.#waiting.size > 0) this.#schedule();
  }

  async #writeSome(answers: readonly CachedAnswer[]): Promise<void> {
    for (const answer of answers) {
      // Read while the bytes are as they came: as much work as compressing them.
      answer.rows();
      await packAnswer(answer);
      await new Promise((resolve) => setImmediate(resolve));
    }
    const nowMs = Date.now();
    // What was revoked meanwhile was taken out of those that wait.
    const wanted = answers.filter((answer) => this.isWaiting(answer) && this.#isTrue(answer));
    const entries = wanted.flatMap((answer) => {
      const record = toRecord(answer);
      const ttl = answer.head.keepUntilMs - nowMs;
      return record === null || ttl <= 0 ? [] : [{ answer, entry: { key: answer.key, value: record, ttl } }];
    });
    const results = entries.length === 0 ? [] : await this.#keyv.setMany(entries.map(({ entry }) => entry));
    const failed = new Set<CachedAnswer>();
    entries.forEach(({ answer }, index) => {
      if (results[index] !== true) {
        failed.add(answer);
        return;
      }
      answer.isPersisted = true;
      this.#known.add(fingerprintKey(answer.key));
    });
    for (const answer of answers) {
      // Another process may have written for too long: what failed for the first time is tried again.
      if (failed.has(answer) && this.isWaiting(answer) && !this.#failedOnce.has(answer)) {
        this.#failedOnce.add(answer);
        continue;
      }
      if (!this.isWaiting(answer)) {
        // It was forgotten, or replaced, while it was written.
        if (!this.#waiting.has(answer.key)) this.delete(answer.key);
        continue;
      }
      this.#waiting.delete(answer.key);
      if (!answer.isDropped) this.#onWritten(answer);
      answer.release();
    }
  }
}

/** Compresses the bytes of an answer, which takes a fraction of a millisecond, or is done beside other work. */
export async function packAnswer(answer: CachedAnswer): Promise<void> {
  const pinned = answer.packing === 'PLAIN' ? answer.pinBytes() : null;
  if (pinned === null) return;
  const { bytes } = pinned;
  try {
    if (bytes.length < WORTH_PACKING_BYTES) return;
    const options = { pledgedSrcSize: bytes.length, chunkSize: PACKED_CHUNK_BYTES };
    const packed = bytes.length <= SHORT_BYTES ? zstdCompressSync(bytes, options) : await compress(bytes, options);
    if (packed.length < bytes.length) answer.pack(packed);
  } finally {
    answer.unpinBytes(pinned.slice);
  }
}

/** null: its bytes are gone. */
export function toRecord(answer: CachedAnswer): StoredRecord | null {
  const { registry, subject, head, sizeBytes, packing, hasBytes } = answer;
  if (!hasBytes && !head.isAbsent) return null;
  const pinned = answer.pinBytes();
  const body = pinned === null ? new Uint8Array() : Buffer.from(pinned.bytes);
  if (pinned !== null) answer.unpinBytes(pinned.slice);
  return encodeRecord({ registry, subject, head, hasBody: hasBytes, sizeBytes, packing, rows: answer.rows() }, body);
}

function isStillTrue(key: string, label: Uint8Array, isTrue: (about: StoredAbout) => boolean): boolean {
  const stored = decodeLabel(label);
  if (stored === null) return false;
  const { registry, subject, rows, head } = stored;
  return isTrue({ key, registry, subject, askedAtMs: head.askedAtMs, rows: () => rows });
}

/** 30 bits of FNV-1a: such numbers take no memory of their own. A key that collides is looked for in vain. */
function fingerprintKey(key: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index += 1) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return hash & 0x3fff_ffff;
}

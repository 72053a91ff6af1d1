import Keyv, { type KeyvOptions } from 'keyv';
import type { AnswerHead, CacheInvalidation } from '../domain/cache.ts';
import type { CachedAnswer } from './cached-answer.ts';
import { packAnswer, toRecord } from './persistent-tier.ts';
import { decodeRecord, type RecordLabel } from './record.ts';
import { type LogPosition, SharedHistory } from './shared-history.ts';
import { decodeShared, encodeShared } from './shared-record.ts';

/** Whoever asks a registry for something holds off the others so long at most. */
const LEASE_MS = 1_000;
/** Of the time that is left, those who wait for another's answer wait this share: then there is time to ask. */
const WAITING_SHARE = 0.5;
/** Those who wait look again this often, in case that nobody tells them. */
const LOOK_AGAIN_MS = 150;
/** Of more invalidations than these that are not in the log yet only the first and the last are remembered. */
const MOST_UNTOLD = 4_000;
/** More that waits than this is not written. */
const MOST_WAITING = 512;

/** Where processes share answers, and the log of what invalidates them; `src/cluster` has one. Nothing here rejects or takes long. */
export interface SharedPlace {
  /** Driven by keyv. Its values are `SharedBytes`: what was written, and the place in the log when it was read. */
  readonly store: NonNullable<KeyvOptions['store']>;
  /** Whether it is worth a question now. */
  readonly isUp: boolean;
  /** What this process's clock is ahead of the one that all share. */
  readonly clockOffsetMs: number;
  /** All of the log up to it was applied here. */
  readonly position: LogPosition;
  /** A name that does not tell what it stands for. */
  nameOf(key: string): string;
  /** Reads what is new in the log. */
  catchUp(): Promise<void>;
  acquire(name: string, durationMs: number, unlessKept: boolean): Promise<'MINE' | 'KEPT' | 'TAKEN' | 'UNKNOWN'>;
  release(name: string): void;
  whenReleased(name: string, timeoutMs: number): Promise<void>;
  publishInvalidation(invalidation: CacheInvalidation): { readonly id: string; readonly told: Promise<void> };
}

interface SharedBytes extends LogPosition {
  readonly bytes: Uint8Array;
}

/** What the tier needs of the cache that it belongs to. */
export interface SharedTierHooks {
  /** Whether it stands all that has been invalidated; asked before it is written. */
  isTrue(answer: CachedAnswer): boolean;
  /** Takes an answer into memory that was held against all invalidations up to an epoch. undefined: it does not stand the others. */
  adopt(key: string, label: RecordLabel, body: Uint8Array, epoch: number): CachedAnswer | undefined;
  /** Forgets what another process says, of what was asked for before a time. */
  apply(invalidation: CacheInvalidation, atMs: number): void;
  readEpoch(): number;
  /** It was written, or could not be, and its bytes may have got smaller. */
  onWritten(answer: CachedAnswer): void;
  onError(error: unknown): void;
}

/**
 * What other processes have asked registries for, and ask. An answer is written with its place in the log of invalidations: it
 * was held against all up to there, and whoever reads it holds it against the rest. Whoever reads while the log is further
 * than itself reads on first; so no answer is taken that an invalidation speaks of which was in the log by then.
 */
export class SharedTier {
  readonly #place: SharedPlace;
  readonly #hooks: SharedTierHooks;
  readonly #keyv: Keyv<SharedBytes>;
  readonly #history = new SharedHistory();
  /** Own invalidations that are not in the log yet, by their ids, with their epochs; in order. */
  readonly #untold = new Map<string, number>();
  readonly #waiting = new Map<string, CachedAnswer>();
  #isWriting = false;

  constructor(place: SharedPlace, hooks: SharedTierHooks) {
    this.#place = place;
    this.#hooks = hooks;
    this.#keyv = new Keyv<SharedBytes>({ store: place.store, serialization: false });
    this.#keyv.on('error', hooks.onError);
  }

  /** Whether there is anybody to ask. */
  get isUp(): boolean {
    return this.#place.isUp;
  }

  /**
   * What another process has kept under a key, when it is wanted. undefined: the registry is to be asked, by this process; then
   * `leave` says that it is over. While another one asks, its answer is waited for, but never so long that there would be no
   * time left before `deadlineMs` (clock of `performance.now()`). Never rejects.
   */
  async seek(
    key: string,
    isWanted: (answer: CachedAnswer) => boolean,
    deadlineMs: number,
  ): Promise<CachedAnswer | undefined> {
    const name = this.#place.nameOf(key);
    const startedMs = performance.now();
    const untilMs = startedMs + Math.min(LEASE_MS, (deadlineMs - startedMs) * WAITING_SHARE);
    while (this.#place.isUp) {
      // Both in one turn: most of what comes here is nowhere.
      const taking = this.#place.acquire(name, LEASE_MS, true);
      let found = await this.#find(key, name);
      let lease = await taking;
      if (found === undefined && lease === 'KEPT') found = await this.#find(key, name);
      if (found !== undefined && isWanted(found)) {
        this.#place.release(name);
        return found;
      }
      // What there is will not do.
      if (lease === 'KEPT') lease = await this.#place.acquire(name, LEASE_MS, false);
      const leftMs = untilMs - performance.now();
      if (lease !== 'TAKEN' || leftMs <= 0) return undefined;
      await this.#place.whenReleased(name, Math.min(leftMs, LOOK_AGAIN_MS));
    }
    return undefined;
  }

  /** What was asked for has come, or will not: what is to be written is told of when it was. */
  leave(key: string): void {
    if (!this.#waiting.has(key)) this.#place.release(this.#place.nameOf(key));
  }

  /** Has an answer written in a moment. */
  put(answer: CachedAnswer): void {
    if (!this.#place.isUp || this.#waiting.size >= MOST_WAITING) return;
    this.#waiting.get(answer.key)?.release();
    answer.hold();
    this.#waiting.set(answer.key, answer);
    if (this.#isWriting) return;
    this.#isWriting = true;
    setImmediate(() => void this.#writeAll());
  }

  /** Its bytes are needed. */
  isWaiting(answer: CachedAnswer): boolean {
    return this.#waiting.get(answer.key) === answer;
  }

  delete(key: string): void {
    this.#waiting.get(key)?.release();
    this.#waiting.delete(key);
    if (this.#place.isUp) void this.#keyv.delete(this.#place.nameOf(key));
  }

  /** Tells all others of an invalidation that was made here, as of an epoch. Resolves when that is certain, or took too long. */
  tell(invalidation: CacheInvalidation, epoch: number): Promise<void> {
    const { id, told } = this.#place.publishInvalidation(invalidation);
    const [oldest] = this.#untold.values();
    const isTooMuch = oldest !== undefined && this.#untold.size >= MOST_UNTOLD;
    // The log takes them in order: where the last one is, all are.
    if (isTooMuch) this.#untold.clear();
    this.#untold.set(id, isTooMuch ? oldest : epoch);
    return told;
  }

  // As the log tells them, in order.

  onGeneration(generation: string, sequence: number): void {
    this.#history.begin({ generation, sequence });
  }

  onEntry(entry: {
    readonly id: string;
    readonly sequence: number;
    readonly atMs: number;
    readonly invalidation: CacheInvalidation;
    readonly isKnown: boolean;
  }): void {
    this.#history.add(entry.sequence, entry.invalidation);
    if (!entry.isKnown) this.#hooks.apply(entry.invalidation, entry.atMs);
    if (!this.#untold.has(entry.id)) return;
    for (const id of this.#untold.keys()) {
      this.#untold.delete(id);
      if (id === entry.id) break;
    }
  }

  onLost(beforeMs: number): void {
    this.#hooks.apply({}, beforeMs);
  }

  async #find(key: string, name: string): Promise<CachedAnswer | undefined> {
    const found = await this.#keyv.get(name);
    if (found === undefined) return undefined;
    if (!this.#isAt(found)) await this.#place.catchUp();
    if (!this.#isAt(found)) return undefined;
    const shared = decodeShared(found.bytes);
    const label = shared === null ? null : decodeRecord(shared.record);
    if (shared === null || label === null) return undefined;
    const { registry, subject, rows } = label;
    if (!this.#history.isTrue(shared.held, { registry, subject, rows: () => rows })) return undefined;
    const head = moveHead(label.head, this.#place.clockOffsetMs - shared.clockOffsetMs);
    // What was made here and is not in the log yet is judged by epochs.
    const [firstUntold] = this.#untold.values();
    const epoch = firstUntold === undefined ? this.#hooks.readEpoch() : firstUntold - 1;
    return this.#hooks.adopt(key, { ...label, head }, shared.record.body, epoch);
  }

  /** Whether this process knows all that was in the log when something was read. */
  #isAt({ generation, sequence }: LogPosition): boolean {
    const { position } = this.#place;
    return position.generation === generation && position.sequence >= sequence;
  }

  async #writeAll(): Promise<void> {
    while (this.#waiting.size > 0) {
      const answers = [...this.#waiting.values()];
      for (const answer of answers) await packAnswer(answer);
      const entries = answers.flatMap((answer) => this.#toEntry(answer));
      if (entries.length > 0) await this.#keyv.setMany(entries);
      for (const answer of answers) {
        // Another one may have taken its place, and is written next.
        if (this.isWaiting(answer)) {
          this.#waiting.delete(answer.key);
          answer.release();
        }
        if (!answer.isDropped) this.#hooks.onWritten(answer);
        this.leave(answer.key);
      }
    }
    this.#isWriting = false;
  }

  #toEntry(answer: CachedAnswer): { readonly key: string; readonly value: SharedBytes; readonly ttl: number }[] {
    const ttl = answer.head.keepUntilMs - Date.now();
    const isWanted = this.isWaiting(answer) && ttl > 0 && this.#hooks.isTrue(answer);
    const record = isWanted ? toRecord(answer) : null;
    if (record === null) return [];
    const held = this.#place.position;
    const bytes = encodeShared({ held, clockOffsetMs: this.#place.clockOffsetMs, record });
    return [{ key: this.#place.nameOf(answer.key), value: { bytes, ...held }, ttl }];
  }
}

/** To another clock. */
function moveHead(head: AnswerHead, byMs: number): AnswerHead {
  return {
    ...head,
    askedAtMs: head.askedAtMs + byMs,
    fetchedAtMs: head.fetchedAtMs + byMs,
    freshUntilMs: head.freshUntilMs + byMs,
    reuseUntilMs: head.reuseUntilMs + byMs,
    standInUntilMs: head.standInUntilMs + byMs,
    keepUntilMs: head.keepUntilMs + byMs,
  };
}

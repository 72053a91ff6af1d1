/** The finished answers that are kept: found by the request as it came, or by what it means. */
import { LRUCache } from 'lru-cache';
import type { CacheInvalidation } from '../domain/cache.ts';
import type { FinishedAnswer, RawKey } from './finished-answer.ts';
import { RecentBodies } from './recent-bodies.ts';

/** Fingerprints of keys that were asked for once: 256 kB. */
const SIGHTING_SLOTS = 65_536;
/** Spellings of one request that are remembered; more of them would be a way to fill the memory. */
const MAX_RAW_KEYS = 8;
/** No answer takes more than this share of the room. */
const LARGEST_SHARE = 0.25;
const RENEWED_AFTER_MS = 1000;
/** FNV-1a, 32 bits. */
const FNV_OFFSET = 0x811c9dc5;
const FNV_PRIME = 0x01000193;

export interface FinishedUse {
  hits: number;
  misses: number;
}

export class FinishedAnswers {
  readonly #answers: LRUCache<string, FinishedAnswer>;
  /** By scope and form, then by the request's own text. */
  readonly #rooms = new Map<string, Map<string, FinishedAnswer>>();
  /** In front of them: what came lately, by its bytes. Knows no answer that is not linked there. */
  readonly #recent = new RecentBodies<FinishedAnswer>();
  readonly #sightings = new Int32Array(SIGHTING_SLOTS);
  /** How often an answer was given from here, and how often it could not be; counted by those who look here. */
  readonly use: FinishedUse;
  #epoch = 0;
  /** When was last invalidated, on the clock of `performance.now()`: everything, and what is of one registry. */
  #allInvalidatedMs = Number.NEGATIVE_INFINITY;
  readonly #invalidatedMs = new Map<string, number>();

  /** `maxBytes`: the most that answers may weigh, their variants and keys included. */
  constructor(maxBytes: number, use: FinishedUse = { hits: 0, misses: 0 }) {
    this.use = use;
    this.#answers = new LRUCache({
      maxSize: maxBytes,
      maxEntrySize: Math.max(1, Math.floor(maxBytes * LARGEST_SHARE)),
      noDisposeOnSet: true,
      dispose: (answer) => this.#unlink(answer),
    });
  }

  /** Grows with each invalidation. */
  get epoch(): number {
    return this.#epoch;
  }

  get count(): number {
    return this.#answers.size;
  }

  get weightBytes(): number {
    return this.#answers.calculatedSize;
  }

  /**
   * By the request as it came: a body's bytes, or text as `readRawText` gives it. undefined: there is none, or it is not true
   * any more.
   */
  findRaw(room: string, raw: Buffer | string, nowMs: number): FinishedAnswer | undefined {
    if (typeof raw === 'string') return this.#findText(room, raw, nowMs);
    const recent = this.#recent.find(room, raw);
    if (recent !== undefined && this.#isInUse(recent, nowMs)) return recent;
    const answer = this.#findText(room, readRawText(raw), nowMs);
    if (answer !== undefined) this.#recent.remember(room, raw, answer);
    return answer;
  }

  #findText(room: string, text: string, nowMs: number): FinishedAnswer | undefined {
    const answer = this.#rooms.get(room)?.get(text);
    if (answer === undefined) return undefined;
    return this.#isInUse(answer, nowMs) ? answer : this.find(answer.key, nowMs);
  }

  /** It is true, and was looked up lately: that is done now and then, since it costs more than all else here. */
  #isInUse(answer: FinishedAnswer, nowMs: number): boolean {
    return nowMs - answer.usedAtMs < RENEWED_AFTER_MS && nowMs < answer.freshUntilMs && answer.epoch === this.#epoch;
  }

  /** By what the request means. */
  find(key: string, nowMs: number): FinishedAnswer | undefined {
    const answer = this.#answers.get(key);
    if (answer === undefined) return undefined;
    if (nowMs < answer.freshUntilMs && this.#isTrue(answer)) {
      answer.usedAtMs = nowMs;
      return answer;
    }
    this.#answers.delete(key);
    return undefined;
  }

  /** From now on the request that came so is answered with it. */
  link(rawKey: RawKey, answer: FinishedAnswer): void {
    const room = this.#rooms.get(rawKey.room) ?? new Map<string, FinishedAnswer>();
    if (answer.rawKeys.length >= MAX_RAW_KEYS || room.has(rawKey.text)) return;
    if (this.#answers.peek(answer.key) !== answer) return;
    answer.rawKeys.push(rawKey);
    answer.weightBytes += rawKey.text.length;
    room.set(rawKey.text, answer);
    this.#rooms.set(rawKey.room, room);
    this.reweigh(answer);
  }

  /** Notes that the key was asked for; whether it was before, as far as is known: an answer is kept at its second use. */
  noteSighting(key: string): boolean {
    let print = FNV_OFFSET;
    for (let index = 0; index < key.length; index += 1) print = Math.imul(print ^ key.charCodeAt(index), FNV_PRIME);
    const slot = (print ^ (print >>> 16)) & (SIGHTING_SLOTS - 1);
    const wasSeen = this.#sightings[slot] === print;
    this.#sightings[slot] = print;
    return wasSeen;
  }

  /** Whether nothing was invalidated that concerns these registries since a time (`performance.now()`). */
  isUntouchedSince(sinceMs: number, registryNames: ReadonlySet<string>): boolean {
    if (this.#allInvalidatedMs >= sinceMs) return false;
    for (const name of registryNames) {
      if ((this.#invalidatedMs.get(name) ?? Number.NEGATIVE_INFINITY) >= sinceMs) return false;
    }
    return true;
  }

  /** Keeps an answer. false: what it is made of has changed meanwhile, or it is too large. */
  keep(answer: FinishedAnswer): boolean {
    if (!this.isUntouchedSince(answer.sinceMs, answer.registryNames)) return false;
    answer.epoch = this.#epoch;
    const replaced = this.#answers.peek(answer.key);
    if (replaced !== undefined) this.#unlink(replaced);
    this.#answers.set(answer.key, answer, { size: answer.weightBytes });
    return this.#answers.peek(answer.key) === answer;
  }

  /** Its weight has changed. */
  reweigh(answer: FinishedAnswer): void {
    if (this.#answers.peek(answer.key) !== answer) return;
    this.#answers.set(answer.key, answer, { size: answer.weightBytes });
  }

  /** Holds for every reader from this moment on; nothing is gone through. */
  invalidate({ registry }: CacheInvalidation): void {
    this.#epoch += 1;
    if (registry === undefined) this.#allInvalidatedMs = performance.now();
    else this.#invalidatedMs.set(registry, performance.now());
  }

  #isTrue(answer: FinishedAnswer): boolean {
    if (answer.epoch === this.#epoch) return true;
    if (!this.isUntouchedSince(answer.sinceMs, answer.registryNames)) return false;
    answer.epoch = this.#epoch;
    return true;
  }

  #unlink(answer: FinishedAnswer): void {
    this.#recent.forget(answer);
    for (const { room, text } of answer.rawKeys) {
      const answers = this.#rooms.get(room);
      if (answers?.get(text) === answer) answers.delete(text);
      if (answers?.size === 0) this.#rooms.delete(room);
    }
  }
}

/** A request as text, one character a byte. */
export function readRawText(raw: Buffer | string): string {
  return typeof raw === 'string' ? raw : raw.toString('latin1');
}

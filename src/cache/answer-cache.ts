import type { AnswerHead, AnswerSubject, CacheInvalidation } from '../domain/cache.ts';
import { CachedAnswer, type NewAnswer, type ParseBody } from './cached-answer.ts';
import { Invalidations } from './invalidations.ts';
import { MemoryTier } from './memory-tier.ts';
import { Slabs } from './slabs.ts';

/** How long one turn of going through all answers may take. */
const TURN_MS = 4;

export interface AnswerCacheOptions {
  /** The most that answers in memory may weigh. */
  readonly memoryBytes: number;
}

/** What a cache holds and what it was asked for since it was opened. */
export interface CacheUsage {
  readonly answers: number;
  readonly memoryBytes: number;
}

/**
 * The cache of registries' answers. What is in memory is there without a wait, for whoever asks next is in a hurry; what was
 * asked for by `invalidate` is gone for every reader from that moment on, before all of it was looked at.
 */
export class AnswerCache {
  readonly #slabs = new Slabs();
  readonly #memory: MemoryTier;
  readonly #invalidations = new Invalidations();
  #sweeping: Promise<void> = Promise.resolve();

  constructor(options: AnswerCacheOptions) {
    this.#memory = new MemoryTier(options.memoryBytes, (answer) => answer.drop());
  }

  /** Grows with each invalidation. */
  get epoch(): number {
    return this.#invalidations.epoch;
  }

  /** What is kept under a key, in memory. Uses it as far as the order of leaving goes. */
  get(key: string): CachedAnswer | undefined {
    const answer = this.#memory.get(key);
    if (answer === undefined || this.#isTrue(answer)) return answer;
    this.#revoke(answer);
    return undefined;
  }

  /** Until when what is kept under a key is given without asking; 0: it is not. Changes nothing. */
  peek(key: string): number {
    const answer = this.#memory.peek(key);
    return answer !== undefined && this.#isTrue(answer) ? answer.head.freshUntilMs : 0;
  }

  /** Whether a tier outside of memory may have it: then `load` is worth a wait. */
  mayLoad(_key: string): boolean {
    return false;
  }

  /** Takes an answer from outside into memory; undefined: it is not there, or may no longer be true. Never rejects. */
  async load(key: string): Promise<CachedAnswer | undefined> {
    return this.get(key);
  }

  /** Its body is the same still, and is fresh again. */
  renew(answer: CachedAnswer, head: AnswerHead): void {
    answer.head = head;
  }

  /** Its value. Parsed from the second use on, and heavier. Throws what `parse` throws. */
  read(answer: CachedAnswer, parse: ParseBody): unknown {
    if (answer.isParsed) return answer.read(parse);
    const value = answer.read(parse);
    if (!answer.isDropped) {
      answer.freeBytes();
      this.#memory.reweigh(answer);
    }
    return value;
  }

  /** Keeps an answer. false: something that it may contain has changed since it was asked for, and it must not be used again. */
  keep(answer: NewAnswer): boolean {
    if (this.#invalidations.concernsNew(answer)) {
      this.forget(answer.key);
      return false;
    }
    const kept = new CachedAnswer(this.#slabs, answer, this.epoch, null);
    if (answer.isInUse && kept.hasBytes) {
      kept.become(answer.value);
      kept.freeBytes();
    }
    if (!this.#memory.set(kept)) kept.drop();
    return true;
  }

  forget(key: string): void {
    const answer = this.#memory.peek(key);
    if (answer !== undefined) this.#revoke(answer);
  }

  /** Whether an answer that was asked for at that epoch may lack what has changed since. */
  mayConcernSince(epoch: number, registry: string, subject: AnswerSubject): boolean {
    return this.#invalidations.mayConcernSince(epoch, registry, subject);
  }

  /**
   * Forgets all that the invalidation fits, at once for whoever reads. Gives how many answers were forgotten, when all were
   * looked at: that is done in small turns beside other work.
   */
  async invalidate(invalidation: CacheInvalidation): Promise<number> {
    const entry = this.#invalidations.add(invalidation);
    this.#sweeping = this.#sweeping.then(() => this.#sweep());
    await this.#sweeping;
    return entry.removed.size;
  }

  /** Calls the listener for each invalidation, at once. Gives the function that ends it. */
  onInvalidated(listener: (invalidation: CacheInvalidation) => void): () => void {
    return this.#invalidations.listen(listener);
  }

  readUsage(): CacheUsage {
    return { answers: this.#memory.count, memoryBytes: this.#memory.weight };
  }

  async close(): Promise<void> {
    await this.#sweeping;
    this.#memory.clear();
    this.#slabs.trim();
  }

  #isTrue(answer: CachedAnswer): boolean {
    return answer.epoch === this.#invalidations.epoch || this.#invalidations.clear(answer);
  }

  #revoke(answer: CachedAnswer): void {
    answer.isRevoked = true;
    this.#memory.delete(answer.key);
  }

  async #sweep(): Promise<void> {
    const { epoch } = this.#invalidations;
    let startedMs = performance.now();
    for (const answer of this.#memory.list()) {
      if (!answer.isDropped && !this.#isTrue(answer)) this.#revoke(answer);
      if (performance.now() - startedMs < TURN_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      startedMs = performance.now();
    }
    this.#invalidations.noteSwept(epoch);
  }
}

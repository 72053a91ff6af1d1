import type { AnswerHead, AnswerSubject, CacheInvalidation } from '../domain/cache.ts';
import { CachedAnswer, type NewAnswer, type ParseBody } from './cached-answer.ts';
import { giveHeapBack } from './give-back.ts';
import { Invalidations } from './invalidations.ts';
import { MemoryTier } from './memory-tier.ts';
import { PersistentTier, packAnswer } from './persistent-tier.ts';
import { QuietTime, type ReadUtilization } from './quiet.ts';
import type { RecordLabel } from './record.ts';
import { type SharedPlace, SharedTier } from './shared-tier.ts';
import { Slabs } from './slabs.ts';
import type { CacheLog } from './sqlite-file.ts';
import { SqliteStore } from './sqlite-store.ts';

/** How long one turn of going through all answers may take. */
const TURN_MS = 4;
/** Answers that are compressed, and written, in one quiet second, and in one go of a stop. */
const TIDIED_AT_ONCE = 512;
/**
 * After so many quiet seconds in a row memory that is not used goes back to the system. Not sooner: compiled code that depends on
 * what is collected goes with it, and the next thousands of requests would cost half as much again.
 */
const GIVE_BACK_AFTER_SECONDS = 30;
/** A stop waits so long for what is in memory to be written. */
const CLOSING_MS = 3_000;

export interface AnswerCacheOptions {
  /** The most that answers in memory may weigh. */
  readonly memoryBytes: number;
  /** Where a restart finds what was kept; null: nowhere. */
  readonly disk: { readonly path: string; readonly maxBytes: number } | null;
  /** Where other processes keep theirs; null: there are none. */
  readonly shared?: SharedPlace | null;
  /** Tells other caches, which share nothing with this one, of an invalidation; resolves when they know. */
  readonly tellOthers?: ((invalidation: CacheInvalidation) => Promise<void>) | null;
  readonly log: CacheLog;
  /** Stands for that of this process. */
  readonly readUtilization?: ReadUtilization;
}

/** What a cache holds in memory. */
export interface CacheUsage {
  readonly answers: number;
  /** As they weigh, values included. */
  readonly weightBytes: number;
  /** Of the system's memory, for bodies. */
  readonly heldBytes: number;
}

/**
 * The cache of registries' answers. What is in memory is there without a wait, for whoever asks next is in a hurry; beside it
 * stands a file, from which a restart takes what was asked for before. An answer goes there when it is used for the second
 * time, when it is rare and precious (look-ups and catalogues), when the process has little to do, and when it stops. What
 * `invalidate` speaks of is gone for every reader from that moment on, before all of it was looked at.
 */
export class AnswerCache {
  /** What other processes of this gateway have asked for and ask; null: there are none. */
  readonly shared: SharedTier | null;
  readonly #tellOthers: ((invalidation: CacheInvalidation) => Promise<void>) | null;
  readonly #slabs = new Slabs();
  readonly #memory: MemoryTier;
  readonly #persistent: PersistentTier | null;
  readonly #invalidations = new Invalidations();
  readonly #quiet: QuietTime;
  #sweeping: Promise<void> = Promise.resolve();

  /** Opens the file. Never throws: without a file it is a cache in memory. */
  constructor({ memoryBytes, disk, shared = null, tellOthers = null, log, readUtilization }: AnswerCacheOptions) {
    this.#tellOthers = tellOthers;
    this.#quiet = new QuietTime(
      (quietSeconds) => this.#tidy(quietSeconds),
      readUtilization ?? ((since) => performance.eventLoopUtilization(since)),
    );
    this.#memory = new MemoryTier(memoryBytes, (answer) => answer.drop());
    this.#persistent =
      disk === null
        ? null
        : new PersistentTier(new SqliteStore(disk.path, disk.maxBytes, log), {
            isTrue: (answer) => this.#isTrue(answer),
            onWritten: (answer) => this.#settle(answer),
            onError: (error) => log.warn({ error }, 'the store of the cache has failed'),
          });
    this.shared =
      shared === null
        ? null
        : new SharedTier(shared, {
            isTrue: (answer) => this.#isTrue(answer),
            adopt: (key, label, body, epoch) => this.#adopt(key, label, body, epoch),
            apply: (invalidation, atMs) => void this.#apply(invalidation, atMs),
            readEpoch: () => this.epoch,
            onWritten: (answer) => this.#settle(answer),
            onError: (error) => log.warn({ error }, 'the shared store of the cache has failed'),
          });
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

  /** Whether the file may have it: then `load` is worth a wait. */
  mayLoad(key: string): boolean {
    return this.#persistent?.mayHave(key) ?? false;
  }

  /** Takes an answer from the file into memory; undefined: it is not there, or may no longer be true. Never rejects. */
  async load(key: string): Promise<CachedAnswer | undefined> {
    const stored = (await this.#persistent?.load(key)) ?? null;
    const present = this.get(key);
    if (present !== undefined || stored === null) return present;
    const answer = this.#takeIn(key, stored.label, stored.body, this.#invalidations.sweptEpoch, true);
    if (answer === undefined) this.#persistent?.delete(key);
    return answer?.isDropped ? undefined : answer;
  }

  /** Its body is the same still, and is fresh again. */
  renew(answer: CachedAnswer, head: AnswerHead): void {
    answer.head = head;
    answer.isPersisted = false;
    answer.isTidy = false;
    if (!answer.isPrivate) this.shared?.put(answer);
  }

  /** Its value. Parsed from the second use on, and heavier. Throws what `parse` throws. */
  read(answer: CachedAnswer, parse: ParseBody): unknown {
    if (answer.isParsed) return answer.read(parse);
    const value = answer.read(parse);
    if (!answer.isDropped) this.#noteUse(answer);
    return value;
  }

  /** Keeps an answer. false: something that it may contain has changed since it was asked for, and it must not be used again. */
  keep(answer: NewAnswer): boolean {
    if (this.#invalidations.concernsNew(answer)) {
      this.forget(answer.key);
      return false;
    }
    const kept = new CachedAnswer(this.#slabs, answer, this.epoch, null);
    if (this.shared !== null && !kept.isPrivate) {
      kept.noteRows(answer.value);
      this.shared.put(kept);
    }
    if (answer.isInUse && kept.hasBytes) kept.become(answer.value);
    if (!this.#memory.set(kept)) {
      kept.drop();
      return true;
    }
    const isPrecious = kept.subject.layer !== 'SEARCH' && !kept.head.isAbsent;
    if (kept.isParsed && kept.hasBytes) this.#noteUse(kept);
    else if (isPrecious || this.mayLoad(kept.key)) this.#persistent?.put(kept);
    this.#quiet.wake();
    return true;
  }

  forget(key: string): void {
    this.#memory.delete(key);
    this.#persistent?.delete(key);
    this.shared?.delete(key);
  }

  /** Whether an answer that was asked for at that epoch may lack what has changed since. */
  mayConcernSince(epoch: number, registry: string, subject: AnswerSubject): boolean {
    return this.#invalidations.mayConcernSince(epoch, registry, subject);
  }

  /**
   * Forgets all that the invalidation fits, at once for whoever reads. Gives how many answers were forgotten, when all were
   * looked at: that is done in small turns beside other work. Other processes have been told by then, or cannot be reached.
   */
  async invalidate(invalidation: CacheInvalidation): Promise<number> {
    const swept = this.#apply(invalidation, Date.now());
    const told = Promise.all([this.shared?.tell(invalidation, this.epoch), this.#tellOthers?.(invalidation)]);
    const removed = await swept;
    await told;
    return removed;
  }

  /** Follows an invalidation that another cache has told of. */
  async followInvalidation(invalidation: CacheInvalidation): Promise<void> {
    await this.#apply(invalidation, Date.now());
  }

  /** Calls the listener for each invalidation, at once. Gives the function that ends it. */
  onInvalidated(listener: (invalidation: CacheInvalidation) => void): () => void {
    return this.#invalidations.listen(listener);
  }

  /** Resolves when it is known what the file has. Before that every miss is looked for in it. */
  async whenListed(): Promise<void> {
    await this.#persistent?.whenListed();
  }

  /** `isCounted`: of which registries, by their names; null: of all. */
  readUsage(isCounted: ((registry: string) => boolean) | null = null): CacheUsage {
    const { heldBytes } = this.#slabs;
    if (isCounted === null) return { answers: this.#memory.count, weightBytes: this.#memory.weight, heldBytes };
    const answers = this.#memory.list().filter(({ registry }) => isCounted(registry));
    return { answers: answers.length, weightBytes: answers.reduce((sum, { weight }) => sum + weight, 0), heldBytes };
  }

  /** Writes what is in memory, as far as that is done in a few seconds, and lets go of everything. */
  async close(): Promise<void> {
    this.#quiet.close();
    await this.#sweeping;
    if (this.#persistent !== null) {
      const untilMs = performance.now() + CLOSING_MS;
      const unwritten = this.#memory.list().filter((answer) => !answer.isPersisted);
      for (let from = 0; from < unwritten.length && performance.now() < untilMs; from += TIDIED_AT_ONCE) {
        for (const answer of unwritten.slice(from, from + TIDIED_AT_ONCE)) this.#persistent.put(answer);
        await this.#persistent.flush();
      }
      await this.#persistent.close(untilMs);
    }
    this.#memory.clear();
    this.#slabs.trim();
  }

  #isTrue(answer: CachedAnswer): boolean {
    return answer.epoch === this.#invalidations.epoch || this.#invalidations.clear(answer);
  }

  #revoke(answer: CachedAnswer): void {
    this.#memory.delete(answer.key);
    this.#persistent?.delete(answer.key);
  }

  /** It was used again: it is worth a place in the file, and its value is all that memory needs of it. */
  #noteUse(answer: CachedAnswer): void {
    const isToBeWritten = this.#persistent !== null && !answer.isPersisted && this.#persistent.put(answer);
    if (isToBeWritten) this.#memory.reweigh(answer);
    else this.#settle(answer);
  }

  /** Once nobody has to write its bytes any more they are given up. */
  #settle(answer: CachedAnswer): void {
    const isNeeded = this.#persistent?.isWaiting(answer) || this.shared?.isWaiting(answer);
    if (answer.isParsed && !isNeeded) answer.freeBytes();
    this.#memory.reweigh(answer);
  }

  /** One quiet second's work: what was not used again takes less room, and is written. false: all is done. */
  async #tidy(quietSeconds: number): Promise<boolean> {
    const untidy = this.#memory.list().filter((answer) => !answer.isTidy);
    const answers = untidy.slice(0, TIDIED_AT_ONCE);
    for (const answer of answers) {
      answer.isTidy = true;
      if (this.#persistent !== null) this.#persistent.put(answer);
      else {
        await packAnswer(answer);
        if (!answer.isDropped) this.#memory.reweigh(answer);
        await new Promise((resolve) => setImmediate(resolve));
      }
    }
    await this.#persistent?.flush();
    if (untidy.length > answers.length || quietSeconds < GIVE_BACK_AFTER_SECONDS) return true;
    this.#slabs.trim();
    giveHeapBack();
    return false;
  }

  async #apply(invalidation: CacheInvalidation, atMs: number): Promise<number> {
    const entry = this.#invalidations.add(invalidation, atMs);
    this.#sweeping = this.#sweeping.then(() => this.#sweep());
    await this.#sweeping;
    return entry.removed.size;
  }

  /** Takes in what was kept elsewhere and stands all invalidations up to an epoch. undefined: it does not stand the others. */
  #takeIn(
    key: string,
    label: RecordLabel,
    body: Uint8Array,
    epoch: number,
    isPersisted: boolean,
  ): CachedAnswer | undefined {
    const { registry, subject, head, hasBody } = label;
    const parts = { key, registry, subject, head, bytes: hasBody ? body : null, parse: null };
    const answer = new CachedAnswer(this.#slabs, parts, epoch, label);
    answer.isPersisted = isPersisted;
    answer.isTidy = true;
    if (!this.#isTrue(answer)) {
      answer.drop();
      return undefined;
    }
    if (!this.#memory.set(answer)) answer.drop();
    return answer;
  }

  #adopt(key: string, label: RecordLabel, body: Uint8Array, epoch: number): CachedAnswer | undefined {
    const present = this.get(key);
    if (present !== undefined && present.head.fetchedAtMs >= label.head.fetchedAtMs) return present;
    if (!this.#invalidations.remembersSince(epoch)) return undefined;
    const answer = this.#takeIn(key, label, body, epoch, false);
    return answer?.isDropped ? undefined : answer;
  }

  async #sweep(): Promise<void> {
    const { epoch } = this.#invalidations;
    // One sweep looks for all that had come by then.
    if (epoch === this.#invalidations.sweptEpoch) return;
    let startedMs = performance.now();
    for (const answer of this.#memory.list()) {
      if (!answer.isDropped && !this.#isTrue(answer)) this.#revoke(answer);
      if (performance.now() - startedMs < TURN_MS) continue;
      await new Promise((resolve) => setImmediate(resolve));
      startedMs = performance.now();
    }
    await this.#persistent?.sweep((about) => this.#invalidations.isTrueStored(about));
    this.#invalidations.noteSwept(epoch);
  }
}

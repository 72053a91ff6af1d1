import type { AnswerSubject, CacheInvalidation } from '../domain/cache.ts';
import type { NewAnswer } from './cached-answer.ts';
import { Judge } from './invalidation.ts';
import type { StoredAbout } from './persistent-tier.ts';
import { indexRows, type RowIndex } from './row-index.ts';

/** So long an invalidation is remembered for answers that were asked for before it: longer than a call may take. */
const REMEMBERED_MS = 300_000;
const MOST_REMEMBERED = 10_000;

/** One invalidation and what it did. */
interface Entry {
  readonly epoch: number;
  readonly atMs: number;
  readonly judge: Judge;
  /** The keys of what was forgotten because of it. */
  readonly removed: Set<string>;
}

/** A kept answer, as far as it is judged. */
interface Judged {
  readonly key: string;
  readonly registry: string;
  readonly subject: AnswerSubject;
  /** Of the last invalidation that it is known to stand. */
  epoch: number;
  rows(): RowIndex | null;
}

/**
 * The invalidations so far, numbered by epochs. An answer that has not been held against the latest ones is held against
 * them when somebody wants it: nobody has to wait until all were looked at, and nobody gets an old one meanwhile.
 */
export class Invalidations {
  #epoch = 0;
  /** What was asked for before this epoch can no longer be judged. */
  #forgottenEpoch = 0;
  #sweptEpoch = 0;
  #entries: Entry[] = [];
  readonly #listeners = new Set<(invalidation: CacheInvalidation) => void>();

  get epoch(): number {
    return this.#epoch;
  }

  /** All answers were held against those up to it. */
  get sweptEpoch(): number {
    return this.#sweptEpoch;
  }

  /** `atMs`: what a disk has was asked for before that time, or stands it. */
  add(invalidation: CacheInvalidation, atMs = Date.now()): Entry {
    this.#epoch += 1;
    const entry: Entry = { epoch: this.#epoch, atMs, judge: new Judge(invalidation), removed: new Set() };
    this.#entries.push(entry);
    for (const listener of this.#listeners) listener(invalidation);
    return entry;
  }

  listen(listener: (invalidation: CacheInvalidation) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Holds an answer against all that came since it was last held. false: it may no longer be true. */
  clear(answer: Judged): boolean {
    const concerning = this.#find(answer.epoch, answer.registry, answer.subject, () => answer.rows());
    if (concerning !== null) {
      concerning.removed.add(answer.key);
      return false;
    }
    answer.epoch = this.#epoch;
    return true;
  }

  /** As `clear`, of an answer in the file that was asked for at a time: it stands what had changed before that. */
  isTrueStored({ key, registry, subject, askedAtMs, rows }: StoredAbout): boolean {
    const concerning = this.#find(this.#sweptEpoch, registry, subject, rows, askedAtMs);
    concerning?.removed.add(key);
    return concerning === null;
  }

  /** Whether an answer that comes only now may lack what has changed since it was asked for. */
  concernsNew({ epoch, registry, subject, value }: NewAnswer): boolean {
    if (epoch === this.#epoch) return false;
    if (epoch < this.#forgottenEpoch) return true;
    return this.#find(epoch, registry, subject, () => indexRows(subject, value)) !== null;
  }

  mayConcernSince(epoch: number, registry: string, subject: AnswerSubject): boolean {
    if (epoch === this.#epoch) return false;
    if (epoch < this.#forgottenEpoch) return true;
    // Nobody knows yet which rows will come.
    return this.#find(epoch, registry, subject, () => null) !== null;
  }

  /** Whether all that came behind an epoch is still remembered. */
  remembersSince(epoch: number): boolean {
    return epoch >= this.#forgottenEpoch;
  }

  noteSwept(epoch: number): void {
    this.#sweptEpoch = epoch;
    const oldestMs = Date.now() - REMEMBERED_MS;
    const surplus = this.#entries.length - MOST_REMEMBERED;
    const kept = this.#entries.filter(
      (entry, index) => entry.epoch > epoch || (entry.atMs > oldestMs && index >= surplus),
    );
    const first = kept[0];
    this.#forgottenEpoch = first === undefined ? this.#epoch : first.epoch - 1;
    this.#entries = kept;
  }

  #find(
    epoch: number,
    registry: string,
    subject: AnswerSubject,
    readRows: () => RowIndex | null,
    askedAtMs = Number.NEGATIVE_INFINITY,
  ): Entry | null {
    let rows: RowIndex | null | undefined;
    for (const entry of this.#entries) {
      if (entry.epoch <= epoch || entry.atMs < askedAtMs) continue;
      const verdict = entry.judge.judgeSubject(registry, subject);
      if (verdict === 'UNCONCERNED') continue;
      if (verdict === 'CONCERNED') return entry;
      if (rows === undefined) rows = readRows();
      if (entry.judge.judgeRows(rows)) return entry;
    }
    return null;
  }
}

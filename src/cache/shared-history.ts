import type { AnswerSubject, CacheInvalidation } from '../domain/cache.ts';
import { Judge } from './invalidation.ts';
import type { RowIndex } from './row-index.ts';

/** A place in the log of invalidations that all processes share. Numbers of two generations say nothing of each other. */
export interface LogPosition {
  readonly generation: string;
  readonly sequence: number;
}

/** What is judged of an answer that another process has kept. */
interface SharedAbout {
  readonly registry: string;
  readonly subject: AnswerSubject;
  rows(): RowIndex | null;
}

/** As many as the log has itself. */
const MOST_REMEMBERED = 4_096;

/** The invalidations of all processes by their numbers, to hold answers against that came of a process that knew fewer. */
export class SharedHistory {
  #generation: string | null = null;
  /** All behind it are remembered. */
  #since = 0;
  #judges: { readonly sequence: number; readonly judge: Judge }[] = [];

  /** Nothing is known of what was up to `sequence`. */
  begin({ generation, sequence }: LogPosition): void {
    this.#generation = generation;
    this.#since = sequence;
    this.#judges = [];
  }

  add(sequence: number, invalidation: CacheInvalidation): void {
    this.#judges.push({ sequence, judge: new Judge(invalidation) });
    if (this.#judges.length <= MOST_REMEMBERED * 2) return;
    this.#judges = this.#judges.slice(-MOST_REMEMBERED);
    this.#since = (this.#judges[0]?.sequence ?? 1) - 1;
  }

  /** Whether an answer that was held against all up to a place stands what came since. */
  isTrue(held: LogPosition, { registry, subject, rows }: SharedAbout): boolean {
    if (held.generation !== this.#generation || held.sequence < this.#since) return false;
    for (let index = this.#judges.length - 1; index >= 0; index -= 1) {
      const entry = this.#judges[index];
      if (entry === undefined || entry.sequence <= held.sequence) return true;
      const verdict = entry.judge.judgeSubject(registry, subject);
      if (verdict === 'CONCERNED' || (verdict === 'DEPENDS_ON_ROWS' && entry.judge.judgeRows(rows()))) return false;
    }
    return true;
  }
}

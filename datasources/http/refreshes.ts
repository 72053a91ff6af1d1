import type { AnswerHead } from '../../src/domain/cache.ts';

/** Refreshes of one registry at one time: beside what people wait for they must stay few. */
const MOST_AT_ONCE = 4;
/** After a refresh that failed the answer is left alone so long, and used as long as it may be. */
const PAUSE_MS = 10_000;
/** 1 is the optimum of the paper; more refreshes earlier. */
const BETA = 1;
/** e^-30: nobody will ever draw so small a number. */
const MOST_DRAWN = 30;

/** When an answer that is still good is asked for again behind its readers' backs, and how many at once. */
export class Refreshes {
  #underWay = 0;
  readonly #random: () => number;

  /** `random`: from 0 up to, but not including, 1. */
  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /**
   * Whether this reader is the one who has a fresh answer asked for again before it expires: by chance, the likelier the
   * nearer that is and the longer the registry takes, so that among many readers one goes ahead and few do at once (XFetch:
   * Vattani, Chierichetti, Lowenstein, "Optimal Probabilistic Cache Stampede Prevention", VLDB 2015).
   */
  isDue({ freshUntilMs, tookMs }: AnswerHead, nowMs: number): boolean {
    const leftMs = freshUntilMs - nowMs;
    const scaleMs = tookMs * BETA;
    return leftMs <= scaleMs * MOST_DRAWN && leftMs <= -scaleMs * Math.log(this.#random());
  }

  /** Takes a place for a refresh; false: there is none, or the last one has failed a moment ago. */
  tryBegin(answer: { readonly refreshNotBeforeMs: number }, nowMs: number): boolean {
    if (this.#underWay >= MOST_AT_ONCE || nowMs < answer.refreshNotBeforeMs) return false;
    this.#underWay += 1;
    return true;
  }

  end(): void {
    this.#underWay -= 1;
  }

  noteFailure(answer: { refreshNotBeforeMs: number }, nowMs: number): void {
    answer.refreshNotBeforeMs = nowMs + PAUSE_MS;
  }
}

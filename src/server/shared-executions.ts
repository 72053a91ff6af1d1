/** Executions under way, which equal requests share, and what is kept of them. */
import type { Freshness } from '../federation/answers.ts';
import { FinishedAnswer, type RawKey } from './finished-answer.ts';
import type { FinishedAnswers } from './finished-answers.ts';
import type { OperationRecord } from './operation-record.ts';

/** Answers in which no registry has a part change with a restart alone; so much for clocks and surprises. */
const UNTAGGED_LIFETIME_MS = 300_000;

/** An operation that was executed. */
export interface Executed {
  readonly status: number;
  readonly contentType: string;
  readonly body: string;
  readonly record: OperationRecord;
  /** Null where nobody asks. */
  readonly freshness: Freshness | null;
}

/** How an answer is kept. */
export interface Keeping {
  readonly key: string;
  /** The request as it came; null: it is not to be found by that. */
  readonly rawKey: RawKey | null;
  readonly isPublic: boolean;
  /** Whether the address by which the client came is in it. */
  readonly usesOrigin: boolean;
}

interface Flight {
  readonly epoch: number;
  /** null once it is there: copies of the map that it leaves behind as flights come and go must hold no answers alive. */
  execution: Promise<Executed> | null;
  /** It was asked for more than once: its answer is worth keeping. */
  isWanted: boolean;
}

export class SharedExecutions {
  readonly #store: FinishedAnswers;
  readonly #running = new Map<string, Flight>();

  constructor(store: FinishedAnswers) {
    this.#store = store;
  }

  /**
   * Executes, or waits for an equal execution that is under way and that nothing was invalidated since. What was counted
   * there is counted again. An answer that is not whole is for the one whose it is. Rejects with what `execute` rejects with.
   */
  async run(keeping: Keeping, execute: () => Promise<Executed>): Promise<Executed> {
    const { key } = keeping;
    const running = this.#running.get(key);
    if (running?.execution && running.epoch === this.#store.epoch)
      return this.#join(running, running.execution, execute);
    const isWanted = this.#store.noteSighting(key);
    const execution = execute();
    const flight: Flight = { epoch: this.#store.epoch, execution, isWanted };
    this.#running.set(key, flight);
    try {
      const executed = await execution;
      if (flight.isWanted) this.#keep(executed, keeping);
      return executed;
    } finally {
      flight.execution = null;
      if (this.#running.get(key) === flight) this.#running.delete(key);
    }
  }

  /** Until when the answer is true, as far as is known (`Date.now()`); 0: it is for this once. */
  freshUntilOf({ status, record, freshness }: Executed, nowMs: number): number {
    if (status !== 200 || !record.isWhole || freshness === null) return 0;
    const { freshUntilMs, registryNames, sinceMs } = freshness;
    if (!this.#store.isUntouchedSince(sinceMs, registryNames)) return 0;
    const latestMs = Number.isFinite(freshUntilMs) ? freshUntilMs : nowMs + UNTAGGED_LIFETIME_MS;
    return latestMs > nowMs ? latestMs : 0;
  }

  async #join(running: Flight, execution: Promise<Executed>, execute: () => Promise<Executed>): Promise<Executed> {
    const startedMs = performance.now();
    running.isWanted = true;
    const executed = await execution.catch(() => null);
    if (executed === null || !executed.record.isWhole) return execute();
    executed.record.countAgain(performance.now() - startedMs);
    return executed;
  }

  #keep(executed: Executed, keeping: Keeping): void {
    const freshUntilMs = this.freshUntilOf(executed, Date.now());
    const { body, contentType, record, freshness } = executed;
    if (freshUntilMs === 0 || freshness === null) return;
    const { sinceMs, registryNames } = freshness;
    const answer = new FinishedAnswer({ ...keeping, body, contentType, record, freshUntilMs, sinceMs, registryNames });
    if (this.#store.keep(answer) && keeping.rawKey !== null) this.#store.link(keeping.rawKey, answer);
  }
}

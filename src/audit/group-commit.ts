/** Many appends at once, one commit: what comes while one is written goes into the next. */
import { AuditUnavailable } from '../domain/audit.ts';
import type { UnchainedEvent } from './event-hash.ts';

/** Events in one commit; with 64 callers at once no more than that wait. */
const MAX_EVENTS_A_COMMIT = 1_000;
/** Events that wait. Beyond it the database is far too slow, and who comes is refused rather than kept waiting. */
const MAX_WAITING_EVENTS = 10_000;

interface Waiting {
  readonly events: readonly UnchainedEvent[];
  resolve(): void;
  reject(error: AuditUnavailable): void;
}

export class GroupCommit {
  readonly #commit: (events: readonly UnchainedEvent[]) => Promise<void>;
  readonly #onFailure: (error: unknown) => void;
  #waiting: Waiting[] = [];
  #waitingEvents = 0;
  #writing: Promise<void> | null = null;

  /** `commit`: appends in one transaction. `onFailure`: told of each commit that failed. */
  constructor(commit: (events: readonly UnchainedEvent[]) => Promise<void>, onFailure: (error: unknown) => void) {
    this.#commit = commit;
    this.#onFailure = onFailure;
  }

  /** Resolves when all the events are durable, in this order. Throws AuditUnavailable: none of them is acknowledged then. */
  append(events: readonly UnchainedEvent[]): Promise<void> {
    if (this.#waitingEvents + events.length > MAX_WAITING_EVENTS) {
      return Promise.reject(new AuditUnavailable(new Error('too many events wait to be written')));
    }
    return new Promise((resolve, reject) => {
      this.#waiting.push({ events, resolve, reject });
      this.#waitingEvents += events.length;
      this.#writing ??= this.#writeAll();
    });
  }

  /** Resolves when nothing is being written any more. */
  async whenIdle(): Promise<void> {
    while (this.#writing !== null) await this.#writing;
  }

  async #writeAll(): Promise<void> {
    // What is appended in the same turn goes into the first commit as well.
    await Promise.resolve();
    for (let batch = this.#takeBatch(); batch.length > 0; batch = this.#takeBatch()) await this.#write(batch);
    this.#writing = null;
  }

  #takeBatch(): readonly Waiting[] {
    let count = 0;
    let end = 0;
    for (const { events } of this.#waiting) {
      if (end > 0 && count + events.length > MAX_EVENTS_A_COMMIT) break;
      count += events.length;
      end += 1;
    }
    this.#waitingEvents -= count;
    return this.#waiting.splice(0, end);
  }

  async #write(batch: readonly Waiting[]): Promise<void> {
    try {
      await this.#commit(batch.flatMap(({ events }) => events));
      for (const { resolve } of batch) resolve();
    } catch (error) {
      this.#onFailure(error);
      const refusal = new AuditUnavailable(error);
      for (const { reject } of batch) reject(refusal);
    }
  }
}

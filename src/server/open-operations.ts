/** Operations whose results are streamed: how many each caller has open, and which these are. */
import type { Quota } from '../access/caller-quotas.ts';
import { RateLimited } from '../access/errors.ts';

/** A stream ends by itself, or is left, within moments or days: nobody knows. Clients should not hurry. */
const RETRY_AFTER_MS = 1000;

export class OpenOperations {
  readonly #most: number;
  readonly #counts = new Map<string, number>();

  /** `most`: for each caller. */
  constructor(most: number) {
    this.#most = most;
  }

  /** How many are open, of all callers. */
  get size(): number {
    let size = 0;
    for (const count of this.#counts.values()) size += count;
    return size;
  }

  /**
   * Takes a place, of `what` ("subscriptions"), for the caller that the key stands for; gives what leaves it again, once.
   * Throws RateLimited where the caller has none left.
   */
  enter(callerKey: string, what: string): () => void {
    const count = this.#counts.get(callerKey) ?? 0;
    if (count >= this.#most) {
      throw new RateLimited(
        `A caller may have ${this.#most} ${what} open at one time, and has as many. End some of them first.`,
        RETRY_AFTER_MS,
      );
    }
    this.#counts.set(callerKey, count + 1);
    let isOpen = true;
    return () => {
      if (!isOpen) return;
      isOpen = false;
      const left = (this.#counts.get(callerKey) ?? 1) - 1;
      if (left > 0) this.#counts.set(callerKey, left);
      else this.#counts.delete(callerKey);
    };
  }
}

/**
 * Takes one of the operations that a caller may have executed at one time; gives what leaves it, and `leave`, the place among
 * those that are open, with it. One without an end waits for news most of its time, and takes none. Throws RateLimited, and has
 * left both then.
 */
export function beginExecution(
  operation: { readonly type: 'READY'; readonly isEndless: boolean } | { readonly type: 'REFUSED' },
  quota: Quota | null,
  leave: () => void,
): () => void {
  if (quota === null || operation.type === 'REFUSED' || operation.isEndless) return leave;
  try {
    quota.enter();
  } catch (error) {
    leave();
    throw error;
  }
  let isRunning = true;
  return () => {
    if (isRunning) quota.leave();
    isRunning = false;
    leave();
  };
}

import { setTimeout as delay } from 'node:timers/promises';
import { RegistryFailure } from '../../src/domain/errors.ts';
import type { Handler, Layer, UpstreamObserver, UpstreamRequest, UpstreamResponse } from './layer.ts';

/** Retries at most for this share of the calls, so that a failing registry is not asked twice as often as a healthy one. */
const BUDGET_PER_CALL = 0.2;
/** What a registry that is seldom asked may spend: the start, what a quiet second adds, and the most that gathers. */
const BUDGET_START = 3;
const BUDGET_PER_SECOND = 0.1;
const BUDGET_MOST = 10;

export interface RetryOptions {
  /** Further attempts after the first. */
  readonly attempts: number;
  readonly baseDelay: number;
  readonly maxDelay: number;
  /** Takes a place under the registry's rate limit for one more request; false: there is none. */
  readonly takeToken: () => boolean;
  readonly observer: UpstreamObserver;
}

/**
 * Asks again after a failure that another attempt may mend (connection, timeout, 502, 503, 504), with full jitter, inside
 * the registry's rate limit and retry budget, and only while somebody still waits: the latest deadline of all who share
 * the call counts. Every request here may be repeated: reads are GETs, and a document that is sent again is found to be there.
 */
export function createRetryLayer(options: RetryOptions): Layer {
  const budget = new RetryBudget();

  /** Asks again after `error`, until an attempt succeeds or nothing speaks for another one. */
  async function askAgain(next: Handler, request: UpstreamRequest, error: unknown): Promise<UpstreamResponse> {
    let last = error;
    for (let attempt = 0; attempt < options.attempts; attempt += 1) {
      if (!(last instanceof RegistryFailure) || !isRetryable(last)) break;
      const waitMs = chooseDelayMs(options, attempt, last.retryAfterMs ?? 0);
      if (waitMs > options.maxDelay || performance.now() + waitMs >= request.waiters.latestDeadlineMs) break;
      if (!budget.take()) break;
      await delay(waitMs);
      if (performance.now() >= request.waiters.latestDeadlineMs || !options.takeToken()) break;
      options.observer.onRetry();
      try {
        return await next(request);
      } catch (failure) {
        last = failure;
      }
    }
    throw last;
  }

  return (next) => (request) => {
    budget.noteCall();
    return next(request).catch((error: unknown) => askAgain(next, request, error));
  };
}

/** Full jitter: anywhere between nothing and the doubled base, but not before the registry said. */
function chooseDelayMs(options: RetryOptions, attempt: number, retryAfterMs: number): number {
  return Math.max(retryAfterMs, Math.random() * Math.min(options.maxDelay, options.baseDelay * 2 ** attempt));
}

function isRetryable(failure: RegistryFailure): boolean {
  switch (failure.type) {
    case 'CONNECTION':
    case 'TIMEOUT':
      return true;
    case 'SERVER':
      return failure.statusCode === 502 || failure.statusCode === 503 || failure.statusCode === 504;
    case 'AUTHENTICATION':
    case 'AUTHORIZATION':
    case 'RATE_LIMIT':
    case 'CIRCUIT_OPEN':
    case 'NOT_FOUND':
    case 'CONFLICT':
    case 'INVALID':
    case 'READ_ONLY':
    case 'PROTOCOL':
    case 'TLS':
      return false;
  }
}

class RetryBudget {
  #tokens = BUDGET_START;
  #countedAtMs = performance.now();

  noteCall(): void {
    const nowMs = performance.now();
    const earned = BUDGET_PER_CALL + ((nowMs - this.#countedAtMs) / 1000) * BUDGET_PER_SECOND;
    this.#tokens = Math.min(BUDGET_MOST, this.#tokens + earned);
    this.#countedAtMs = nowMs;
  }

  take(): boolean {
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}

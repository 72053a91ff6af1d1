import type { RegistryConfig } from '../../src/config/config.ts';

/** What a registry's `rateLimit` says of pace and of calls at once. */
export type Limit = Omit<NonNullable<RegistryConfig['rateLimit']>, 'maxQueue'>;

/** What may be taken of a registry's `rateLimit`: tokens, one for each attempt, and places for calls that are under way. */
export interface Account {
  /** Of all, once more than this process has one. */
  readonly limit: Limit;
  /** Tokens that may be taken now. */
  countTokens(): number;
  /** Takes one that is there. */
  take(): void;
  /** Calls that may be under way here at once. */
  readonly places: number;
  /** Tokens that are there for everybody who shares the account, this process included; background work goes by them. */
  countAllTokens(): number;
  /** The least time until so many tokens may be taken; 0: they are there. */
  estimateWaitMs(tokens: number): number;
  /**
   * Asks for what is missing: so many tokens, and what those at the gate need. Resolves when there was an answer. null: it comes by
   * itself.
   */
  replenish(tokens: number): Promise<void> | null;
  close(): void;
}

/** A token bucket: `requestsPerSecond`, up to `burst`; and the places of `concurrent`. */
export class LocalAccount implements Account {
  readonly limit: Limit;
  #tokens: number;
  #countedAtMs = performance.now();

  /** `tokens`: there at the start. */
  constructor(limit: Limit, tokens: number = limit.burst) {
    this.limit = limit;
    this.#tokens = Math.min(tokens, limit.burst);
  }

  get places(): number {
    return this.limit.concurrent;
  }

  countTokens(): number {
    const nowMs = performance.now();
    const earned = ((nowMs - this.#countedAtMs) * this.limit.requestsPerSecond) / 1000;
    this.#tokens = Math.min(this.limit.burst, this.#tokens + earned);
    this.#countedAtMs = nowMs;
    return this.#tokens;
  }

  countAllTokens(): number {
    return this.countTokens();
  }

  take(): void {
    this.#tokens -= 1;
  }

  estimateWaitMs(tokens: number): number {
    const missing = tokens - this.countTokens();
    return Math.max(Math.ceil((missing / this.limit.requestsPerSecond) * 1000), 0);
  }

  replenish(): null {
    return null;
  }

  close(): void {}
}

/** Reads registries to have their answers in the cache, and keeps account of what that has come to. */
import { type RegistryErrorType, RegistryFailure } from '../domain/errors.ts';
import type { Answer, CallOptions, RegistrySource } from '../domain/registry.ts';
import { relaySource } from './relayed-source.ts';

/** An answer that expires within this time is asked for again while it is still good. */
export const REFRESH_BEFORE_MS = 60_000;
/** But not before this part of its lifetime is over: what lives shortly would always be about to expire. */
const LEAST_USE = 0.75;

/** What was read of one registry. */
export interface WarmCounts {
  readonly registryName: string;
  /** Answers that it gave. */
  fetched: number;
  /** Answers that were in the cache, and are good for a while. */
  fresh: number;
  failed: number;
  /** Each kind of failure once, in the order in which they came. */
  readonly reasons: RegistryErrorType[];
}

export class WarmReading {
  readonly #counts = new Map<string, WarmCounts>();
  readonly #underWay = new Set<Promise<void>>();
  /** Until when all that was read is fresh, on the clock of `Date.now()`; 0: something is not, or failed. */
  freshUntilMs = Number.POSITIVE_INFINITY;

  /** The same registry, read from spare budget alone; what is about to expire is asked for again. */
  wrap(source: RegistrySource): RegistrySource {
    const counts = this.countsOf(source.info.name);
    return relaySource(source, (call, options) => {
      const read = this.#read(counts, call, options);
      const settled = read.then(
        () => undefined,
        () => undefined,
      );
      this.#underWay.add(settled);
      void settled.then(() => this.#underWay.delete(settled));
      return read;
    });
  }

  /** What was read of each registry so far. */
  get counts(): readonly WarmCounts[] {
    return [...this.#counts.values()];
  }

  /** Resolves when every read has ended, those too that whoever began them did not wait for. */
  async whenRead(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  countsOf(registryName: string): WarmCounts {
    const known = this.#counts.get(registryName);
    if (known !== undefined) return known;
    const counts: WarmCounts = { registryName, fetched: 0, fresh: 0, failed: 0, reasons: [] };
    this.#counts.set(registryName, counts);
    return counts;
  }

  async #read<T>(
    counts: WarmCounts,
    call: (options: CallOptions) => Promise<Answer<T>>,
    options: CallOptions,
  ): Promise<Answer<T>> {
    const sinceMs = Date.now();
    const background = { ...options, background: true };
    try {
      let answer = await call(background);
      if (answer.staleBecause === null && isExpiring(answer, sinceMs)) {
        answer = await call({ ...background, notBeforeMs: Math.max(sinceMs, options.notBeforeMs ?? 0) });
      }
      this.#note(counts, answer);
      return answer;
    } catch (error) {
      if (error instanceof RegistryFailure) this.#noteFailure(counts, error);
      throw error;
    }
  }

  #note(counts: WarmCounts, { cache, freshUntilMs, staleBecause }: Answer<unknown>): void {
    this.freshUntilMs = Math.min(this.freshUntilMs, freshUntilMs);
    if (staleBecause !== null) this.#noteFailure(counts, staleBecause);
    else if (cache === 'HIT') counts.fresh += 1;
    else counts.fetched += 1;
  }

  #noteFailure(counts: WarmCounts, { type }: RegistryFailure): void {
    this.freshUntilMs = 0;
    // It has said that it has nothing of the kind: there is nothing to warm.
    if (type === 'NOT_FOUND' || type === 'INVALID') return;
    counts.failed += 1;
    if (!counts.reasons.includes(type)) counts.reasons.push(type);
  }
}

/** Whether a kept answer should be asked for again: it has expired, or does so in a moment. */
function isExpiring({ cache, fetchedAtMs, freshUntilMs }: Answer<unknown>, nowMs: number): boolean {
  if (cache === 'STALE') return true;
  const lifetimeMs = freshUntilMs - fetchedAtMs;
  return cache === 'HIT' && freshUntilMs - nowMs < Math.min(REFRESH_BEFORE_MS, lifetimeMs * (1 - LEAST_USE));
}

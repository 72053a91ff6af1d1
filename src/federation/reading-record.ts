/** What reading a registry's list has cost and shown, for the report. */
import type { RegistryFailure } from '../domain/errors.ts';
import type { CacheOutcome } from '../domain/search.ts';

/** What reading has cost and shown so far; the registry's report is made of it. */
export interface ReadingRecord {
  rowsRead: number;
  requests: number;
  malformed: number;
  cache: CacheOutcome;
  oldestFetchMs: number | null;
  /** Until when every answer that was read may be used again without asking, on the clock of `Date.now()`. */
  freshUntilMs: number;
  /** From the first question to the last answer, on the clock of `performance.now()`; failures count as answers. */
  tookMs: number;
  startedMs: number | null;
  staleBecause: RegistryFailure | null;
}

/** Nothing read yet. */
export function createRecord(): ReadingRecord {
  return {
    rowsRead: 0,
    requests: 0,
    malformed: 0,
    cache: 'BYPASS',
    oldestFetchMs: null,
    freshUntilMs: Number.POSITIVE_INFINITY,
    tookMs: 0,
    startedMs: null,
    staleBecause: null,
  };
}

/** Adds what was read beside it, and is used after all. */
export function addToRecord(record: ReadingRecord, beside: ReadingRecord): void {
  record.rowsRead += beside.rowsRead;
  record.requests += beside.requests;
  record.malformed += beside.malformed;
  record.cache = worseOutcome(record.cache, beside.cache);
  record.oldestFetchMs = Math.min(record.oldestFetchMs ?? Infinity, beside.oldestFetchMs ?? Infinity);
  record.freshUntilMs = Math.min(record.freshUntilMs, beside.freshUntilMs);
  record.tookMs = Math.max(record.tookMs, beside.tookMs);
  record.staleBecause ??= beside.staleBecause;
}

const OUTCOME_RANK: Record<CacheOutcome, number> = { BYPASS: 0, HIT: 1, MISS: 2, STALE: 3 };

/** The outcome that says more of what an answer has cost: STALE before MISS before HIT. */
export function worseOutcome(left: CacheOutcome, right: CacheOutcome): CacheOutcome {
  return OUTCOME_RANK[left] >= OUTCOME_RANK[right] ? left : right;
}

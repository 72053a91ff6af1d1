import type { AnswerSubject } from '../../src/domain/cache.ts';
import type { CallerToken } from '../../src/domain/caller-token.ts';
import type { RegistryFailure } from '../../src/domain/errors.ts';
import type { CircuitView, RegistryOperation } from '../../src/domain/registry.ts';
import type { CacheOutcome } from '../../src/domain/search.ts';
import type { TemplateDocument } from '../../src/domain/template.ts';
import type { CacheDirectives } from './directives.ts';
import type { Attempt } from './receive.ts';

/** What is asked of a registry, as far as circuits and timeouts tell apart. */
export type CallOperation = RegistryOperation;

/** The operations in the order in which they are shown. */
export const CALL_OPERATIONS: readonly CallOperation[] = ['SEARCH', 'TEMPLATE', 'CATALOG', 'PUBLISH'];

/** The body of an answer, whole and decompressed, with the members of its head that say what it is. */
export interface ReceivedBody {
  readonly bytes: Buffer;
  /** In lower case, without parameters; empty when the registry sent none. */
  readonly mediaType: string;
  readonly etag: string | null;
  readonly reprDigest: string | null;
}

/** Who waits for a call. It grows while callers join, so that a queue or a retry can see whether anybody is left. */
export interface Waiters {
  /** On the clock of `performance.now()`. */
  latestDeadlineMs: number;
  /** Nobody among them is a user. */
  background: boolean;
  /** Told when a user joins who is the first: set by whoever keeps the call waiting for spare budget. */
  onForeground?: () => void;
}

/** One request to a registry. Everything a layer needs travels in it; a layer that changes something passes a copy on. */
export interface UpstreamRequest {
  readonly operation: CallOperation;
  /** After the registry's URL, with its query, already encoded: equal requests have equal paths. */
  readonly path: string;
  /** NAMES: its answer is kept apart from that of the same path for another purpose, since it is used for longer. */
  readonly purpose: 'NAMES' | null;
  /** Of the caller in whose name it is made, and for whom alone its answer is kept; absent: nobody's in particular. */
  readonly token?: CallerToken;
  /** What is asked about; null: nothing that would be kept. */
  readonly subject: AnswerSubject | null;
  readonly accept: string;
  /** Of the body, decompressed. */
  readonly maxBytes: number;
  /** Of one attempt, from its first byte out to its last byte in. */
  readonly timeoutMs: number;
  /** Larger answers are not kept. */
  readonly keepUpToBytes: number;
  /** How long the answer may be used again. 0: never. */
  readonly lifetimeMs: number;
  /** ANSWER: a 404 says that there is none, and that is an answer (null). FAILURE: a 404 is a NOT_FOUND. */
  readonly absence: 'ANSWER' | 'FAILURE';
  /** Makes the value of the body; throws when the body is none of the protocol. */
  readonly parse: (body: ReceivedBody) => unknown;
  /** Of this caller, on the clock of `performance.now()`. */
  readonly deadlineMs: number;
  /** On the clock of `Date.now()`: what was fetched before is not fresh enough. */
  readonly notBeforeMs: number;
  /** If-None-Match. */
  readonly etag: string | null;
  /** What is sent, by POST; null: nothing, a GET. */
  readonly document: TemplateDocument | null;
  readonly waiters: Waiters;
  /** Set by the trace layer, for each attempt anew: headers that say which trace it belongs to. */
  readonly traceHeaders: Readonly<Record<string, string>> | null;
  /** Set by the timeout layer, for each attempt anew. */
  readonly attempt: Attempt | null;
}

export interface UpstreamResponse {
  /**
   * PRESENT: `value` is what `parse` made. ABSENT: a 404 that is an answer, `value` null. UNCHANGED: a 304. EXISTS: what was
   * sent is refused because that version is there; `value` is the digest of what is there, null where it is not told.
   */
  readonly outcome: 'PRESENT' | 'ABSENT' | 'UNCHANGED' | 'EXISTS';
  readonly value: unknown;
  /** What `value` was, or will be, parsed from; null: kept as the value alone, or there was no body. */
  readonly body: ReceivedBody | null;
  /** Of the decompressed body: what the answer weighs in a cache. */
  readonly sizeBytes: number;
  readonly etag: string | null;
  readonly directives: CacheDirectives;
  /** When the answer was complete, on the clock of `Date.now()`. */
  readonly fetchedAtMs: number;
  /** Until when the cache gives it without asking, on the clock of `Date.now()`; 0: not at all. Set by the cache layer. */
  freshUntilMs: number;
  /** Set by the cache layer as well. */
  cache: CacheOutcome;
  /** With cache STALE: why there is no fresh answer; null: it is being asked for. */
  readonly staleBecause: RegistryFailure | null;
}

/** Rejects with a RegistryFailure and nothing else. */
export type Handler = (request: UpstreamRequest) => Promise<UpstreamResponse>;

/** One concern of talking to a registry. To remove it is to delete its word in `chain.ts`. */
export type Layer = (next: Handler) => Handler;

/** Told what happens; must not throw. The layers import no metrics, the metrics listen here. */
export interface UpstreamObserver {
  onCacheOutcome(outcome: CacheOutcome, operation: CallOperation): void;
  /** One attempt left for the registry. */
  onAttemptStart(): void;
  /** It ended; `failure` null: well. */
  onAttemptEnd(tookMs: number, failure: RegistryFailure | null): void;
  onRetry(): void;
  /** Refused by the limiter, without asking. */
  onRateLimitRefusal(): void;
  /** `isDiscovery`: these calls have shown it, and not what another process has said, or the next try of an open circuit. */
  onCircuitChange(circuit: CircuitView, isDiscovery: boolean): void;
  /** The registry asked to be left alone. */
  onPause(durationMs: number): void;
}

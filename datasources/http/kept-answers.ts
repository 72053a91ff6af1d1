import type { AnswerHead, AnswerSubject } from '../../src/domain/cache.ts';
import type { UpstreamRequest } from './layer.ts';

/** An answer that is kept. */
export interface KeptAnswer {
  head: AnswerHead;
  /** Of the body as it came. */
  readonly sizeBytes: number;
  readonly isParsed: boolean;
  /** Not to be refreshed in the background before that time. */
  refreshNotBeforeMs: number;
  /** Between these two it stays readable, though it was dropped meanwhile. */
  hold(): void;
  release(): void;
}

/** What other processes of this gateway have asked for, and ask. */
interface SharedAnswers<Kept extends KeptAnswer> {
  /** Whether they can be asked now. */
  readonly isUp: boolean;
  /**
   * What another process has kept under a key, or gets within a share of the time until `deadlineMs` (clock of
   * `performance.now()`). undefined: this one is to ask, and to `leave` afterwards. Never rejects.
   */
  seek(key: string, isWanted: (kept: Kept) => boolean, deadlineMs: number): Promise<Kept | undefined>;
  leave(key: string): void;
}

/**
 * Where answers are kept; `src/cache` has one, whose words these are. Values are shared and never changed. All but `load` is
 * done when it returns: what is in memory is had without a wait.
 */
export interface AnswerCache<Kept extends KeptAnswer = KeptAnswer> {
  readonly epoch: number;
  /** null: this is the only process. */
  readonly shared: SharedAnswers<Kept> | null;
  get(key: string): Kept | undefined;
  peek(key: string): number;
  /** Whether a tier outside of memory may have it: then `load` is worth a wait. */
  mayLoad(key: string): boolean;
  /** Never rejects. */
  load(key: string): Promise<Kept | undefined>;
  read(kept: Kept, parse: UpstreamRequest['parse']): unknown;
  /** It has the same body, and another head. */
  renew(kept: Kept, head: AnswerHead): void;
  keep(answer: {
    readonly key: string;
    readonly registry: string;
    readonly subject: AnswerSubject;
    readonly head: AnswerHead;
    readonly bytes: Uint8Array | null;
    readonly value: unknown;
    readonly parse: UpstreamRequest['parse'];
    readonly isInUse: boolean;
    /** Of one caller: it is kept in memory alone, and told to no other process. */
    readonly isPrivate: boolean;
    readonly epoch: number;
  }): boolean;
  forget(key: string): void;
  mayConcernSince(epoch: number, registry: string, subject: AnswerSubject): boolean;
}

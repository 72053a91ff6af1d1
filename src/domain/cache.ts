/** What a cache of registries' answers keeps, and how it is told that something has changed. */
import type { TemplateCriteria } from './search.ts';
import type { Template } from './template.ts';

/** What an answer is about: enough to tell whether a change of a template can concern it. Plain data: it is kept on disks too. */
export type AnswerSubject =
  | {
      readonly layer: 'SEARCH';
      readonly query: string;
      readonly criteria: TemplateCriteria;
      /** Only these of the matches were asked for; null: all. */
      readonly names: readonly string[] | null;
    }
  /** A template, its versions or its document. */
  | { readonly layer: 'TEMPLATE'; readonly name: string }
  | { readonly layer: 'CATALOG' };

/** The layers of caches by name (the schema's `CacheLayer`); the last two are no answers of registries. */
export type CacheLayer = AnswerSubject['layer'] | 'VALIDATION' | 'RESPONSE';

/** A template as a registry has it, or that it has none of the name. */
export type TemplateState = Template | 'ABSENT';

/** What an invalidation must know of a template: its name, and what filters look at. */
export type TemplateFacts = Pick<
  Template,
  | 'name'
  | 'category'
  | 'domain'
  | 'complexity'
  | 'keywords'
  | 'tags'
  | 'connectionTypes'
  | 'packageManagers'
  | 'license'
  | 'rating'
  | 'verified'
  | 'validated'
  | 'researchUser'
  | 'updatedAtMs'
>;

/** What must be forgotten: everything that every given member fits. */
export interface CacheInvalidation {
  readonly registry?: string;
  readonly layer?: CacheLayer;
  /** What may contain this template (by its name, however spelt). */
  readonly template?: string;
  /** How the template was and how it is now, where that is known: searches whose filters pass neither are kept. */
  readonly before?: TemplateFacts | 'ABSENT';
  readonly after?: TemplateFacts | 'ABSENT';
}

/** The cache of answers, as those see it who learn of changes. */
export interface ChangingCache {
  /** Forgets all that it fits, at once for whoever reads; gives how many answers that were, once all were looked at. */
  invalidate(invalidation: CacheInvalidation): Promise<number>;
  /** Calls the listener for each invalidation, at once. Gives the function that ends it. */
  onInvalidated(listener: (invalidation: CacheInvalidation) => void): () => void;
}

/** What is known of a kept answer beside its value. Times in milliseconds, on the clock of `Date.now()`. */
export interface AnswerHead {
  /** The registry has said that there is none; there is no body, and the value is null. */
  readonly isAbsent: boolean;
  readonly etag: string | null;
  readonly mediaType: string;
  readonly reprDigest: string | null;
  /** When the registry was asked for it: what changed there before that is in it. */
  readonly askedAtMs: number;
  readonly fetchedAtMs: number;
  /** Until then it is given without asking. */
  readonly freshUntilMs: number;
  /** Until then it is given while it is asked for again behind the reader's back (RFC 5861, 3). */
  readonly reuseUntilMs: number;
  /** Until then it may stand in for one that cannot be had (RFC 5861, 4). */
  readonly standInUntilMs: number;
  /** Until then it is of any use at all. */
  readonly keepUntilMs: number;
  /** How long the registry took to answer. */
  readonly tookMs: number;
}

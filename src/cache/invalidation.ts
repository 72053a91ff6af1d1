import type { AnswerSubject, CacheInvalidation, TemplateFacts } from '../domain/cache.ts';
import { mayHold } from '../domain/criteria.ts';
import { fingerprintName, type RowIndex } from './row-index.ts';

/** What can be said of an answer without looking at its rows. */
export type Verdict = 'CONCERNED' | 'UNCONCERNED' | 'DEPENDS_ON_ROWS';

/** One invalidation, made ready to judge many answers by. */
export class Judge {
  readonly invalidation: CacheInvalidation;
  readonly #template: number | null;

  constructor(invalidation: CacheInvalidation) {
    this.invalidation = invalidation;
    this.#template = invalidation.template === undefined ? null : fingerprintName(invalidation.template);
  }

  /**
   * A search is concerned when its filters pass the template as it was or as it is: its rows, its count and the places of its
   * other rows may have changed, whichever window of it was kept. What words a registry finds a template by is not known
   * here, so that every query may find it. A question about certain names is about these alone.
   */
  judgeSubject(registry: string, subject: AnswerSubject): Verdict {
    const { registry: onlyRegistry, layer } = this.invalidation;
    if (onlyRegistry !== undefined && onlyRegistry !== registry) return 'UNCONCERNED';
    if (layer !== undefined && layer !== subject.layer) return 'UNCONCERNED';
    const template = this.#template;
    if (template === null) return 'CONCERNED';
    switch (subject.layer) {
      case 'TEMPLATE':
        return fingerprintName(subject.name) === template ? 'CONCERNED' : 'UNCONCERNED';
      case 'CATALOG':
        return this.#movesCategories() ? 'CONCERNED' : 'UNCONCERNED';
      case 'SEARCH': {
        const isAsked = subject.names?.some((name) => fingerprintName(name) === template) ?? true;
        return isAsked && mayHold(subject.criteria, this.invalidation) ? 'CONCERNED' : 'DEPENDS_ON_ROWS';
      }
    }
  }

  /** Of what depends on rows: whether they hold the template, or come of a registry that gives what was not asked for. */
  judgeRows(rows: RowIndex | null): boolean {
    if (rows === null || rows.isLoose) return true;
    return this.#template !== null && rows.names.includes(this.#template);
  }

  #movesCategories(): boolean {
    const { before, after } = this.invalidation;
    return before === undefined || after === undefined || categoryOf(before) !== categoryOf(after);
  }
}

/** What a list of categories, with their counts, shows of a template. */
function categoryOf(state: TemplateFacts | 'ABSENT'): string | null | undefined {
  return state === 'ABSENT' ? undefined : state.category;
}

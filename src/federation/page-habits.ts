/**
 * What first pages over the same registries in the same order have needed of late, so that the next one asks for it at
 * once. Kept for each set of registries: what a page needs of one depends on the others, and nobody is to be answered by
 * what those have asked who see more.
 */
import type { TemplateOrder } from '../domain/search.ts';
import type { VisibleRegistry } from './answers.ts';
import { QuestionHabits } from './question-habits.ts';
import { RecentShare } from './recent-share.ts';

/** Sets of registries in an order that are remembered. */
const MAX_KEPT = 500;

/** The habits of first pages over one set of registries. */
export class PageHabits {
  /** Registries had to be asked about names, of which longer first windows would have told. */
  readonly wantsLongerWindows = new RecentShare();
  /** Names that registries had to be asked about. */
  readonly questions = new QuestionHabits();
  readonly #filled = new Map<string, RecentShare>();

  /** Takes note of whether a page has used up the first window of a registry. */
  noteUse(registryName: string, isUsedUp: boolean): void {
    let share = this.#filled.get(registryName);
    if (share === undefined) {
      if (!isUsedUp) return;
      share = new RecentShare();
      this.#filled.set(registryName, share);
    }
    share.note(isUsedUp);
  }

  /** Whether pages have used up this registry's first window so often that the next one will as well. */
  isFilledBy(registryName: string): boolean {
    return this.#filled.get(registryName)?.isHigh ?? false;
  }
}

/** The habits of all sets that were searched last. */
export class KeptHabits {
  readonly #kept = new Map<string, PageHabits>();

  /** Those of searches over these registries; none yet, the first time. */
  of(registries: readonly VisibleRegistry[], { field, direction }: TemplateOrder): PageHabits {
    let key = `${field} ${direction}`;
    for (const { source } of registries) key += ` ${source.info.name}`;
    let habits = this.#kept.get(key);
    if (habits === undefined) {
      habits = new PageHabits();
      const [oldest] = this.#kept.keys();
      if (oldest !== undefined && this.#kept.size >= MAX_KEPT) this.#kept.delete(oldest);
      this.#kept.set(key, habits);
    }
    return habits;
  }
}

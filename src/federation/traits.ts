/**
 * What was learnt of a registry by checking its answers. A registry says what it sorts, filters and counts; every window
 * shows whether that is so, and what was caught once is not believed again by this process.
 */
import { LRUCache } from 'lru-cache';
import type { CacheInvalidation } from '../domain/cache.ts';
import { mayHold } from '../domain/criteria.ts';
import type { SentFacets } from '../domain/registry.ts';
import type { TemplateCriteria, TemplateOrder } from '../domain/search.ts';

/** How a registry's list for one order may be read. Each is weaker than the one before it. */
export type ListOrder =
  /** Sorted totally, ties included, as the protocol demands of a server that says so. */
  | 'TOTAL'
  /** Sorted by the key alone: rows of equal keys come in an order of its own and are read together. */
  | 'BY_KEY'
  /** Not sorted: read whole (up to the cap) and sorted here. */
  | 'UNSORTED';

const WEAKNESS: Record<ListOrder, number> = { TOTAL: 0, BY_KEY: 1, UNSORTED: 2 };

/** The weaker of the two. */
export function weaker(left: ListOrder, right: ListOrder): ListOrder {
  return WEAKNESS[left] >= WEAKNESS[right] ? left : right;
}

/** Ties that must have been seen in order before a claim to a total order is believed across windows. */
const TIES_BEFORE_TRUST = 50;

/** One short answer, or one at another offset than was asked for, may have had another reason than a cap. */
const CAP_BELIEVED_FOR_MS = 60 * 1000;
/** How long what was caught of a registry's sorting is held against it: it may be mended meanwhile. */
const BELIEVED_FOR_MS = 60 * 60 * 1000;

/** Lists whose facets are remembered of one registry. */
const MAX_KEPT_FACETS = 50;

/** Traits of one registry. Mutable: every reader of the registry adds what it sees. */
export class RegistryTraits {
  #pageCap: { readonly rows: number; readonly notedMs: number } | null = null;
  /** It was seen to answer `name=` with names that were not asked for. */
  ignoresNames = false;
  /** Its total_count was seen to be wrong. */
  miscounts = false;
  #ignoredOffsetMs = Number.NEGATIVE_INFINITY;
  readonly #orders = new Map<string, { readonly order: ListOrder; readonly notedMs: number }>();
  readonly #tiesInOrder = new Map<string, number>();
  /**
   * No map by itself: one that has lived for long leaves copies of itself behind as entries come and go, and each of these holds
   * all that was in it until the whole heap is collected. This holds the values elsewhere.
   */
  readonly #facets = new LRUCache<string, { readonly list: FacetedList; readonly facets: SentFacets }>({
    max: MAX_KEPT_FACETS,
  });
  #changedAtMs = 0;

  /** Rows that it gives at most, however many are asked for; null: not seen yet, or so long ago that it is tried again. */
  get pageCap(): number | null {
    const known = this.#pageCap;
    return known === null || performance.now() - known.notedMs > CAP_BELIEVED_FOR_MS ? null : known.rows;
  }

  notePageCap(rows: number): void {
    this.#pageCap = { rows: Math.max(this.pageCap ?? 0, rows), notedMs: performance.now() };
  }

  /** It has answered with the beginning of a list, whatever offset was asked for: one answer is all that can be had of it. */
  get ignoresOffset(): boolean {
    return performance.now() - this.#ignoredOffsetMs < CAP_BELIEVED_FOR_MS;
  }

  noteIgnoredOffset(): void {
    this.#ignoredOffsetMs = performance.now();
  }

  /** The weakest order that was seen of it for this sort, or null before the first answer. */
  listOrder(order: TemplateOrder): ListOrder | null {
    const known = this.#orders.get(keyOf(order));
    return known === undefined || performance.now() - known.notedMs > BELIEVED_FOR_MS ? null : known.order;
  }

  /** Takes note of what was seen; what is already known to be weaker stays. */
  noteListOrder(order: TemplateOrder, seen: ListOrder): void {
    const key = keyOf(order);
    const known = this.listOrder(order);
    if (known !== null && WEAKNESS[known] >= WEAKNESS[seen]) return;
    this.#orders.set(key, { order: seen, notedMs: performance.now() });
  }

  /**
   * Keeps the facets that came with the beginning of a list, for pages that begin elsewhere. They do not depend on the order.
   * Those that were fetched before the last change (`Date.now()`) may lack it, and are not kept.
   */
  noteFacets(list: FacetedList, facets: SentFacets, fetchedAtMs: number): void {
    if (fetchedAtMs < this.#changedAtMs) return;
    this.#facets.set(keyOfList(list), { list, facets });
  }

  facetsOf(list: FacetedList): SentFacets | null {
    return this.#facets.peek(keyOfList(list))?.facets ?? null;
  }

  /** Forgets the facets of the lists that may hold what an invalidation is about. */
  noteChange(invalidation: CacheInvalidation): void {
    this.#changedAtMs = Date.now();
    for (const [listKey, { list }] of this.#facets) {
      if (mayHold(list.criteria, invalidation)) this.#facets.delete(listKey);
    }
  }

  /** Adds to the pairs of equal keys that were seen in the order of their names. */
  noteTiesInOrder(order: TemplateOrder, count: number): void {
    const key = keyOf(order);
    this.#tiesInOrder.set(key, (this.#tiesInOrder.get(key) ?? 0) + count);
  }

  /** Whether ties were seen in order often enough that it can hardly be chance. */
  areTiesTrusted(order: TemplateOrder): boolean {
    return (this.#tiesInOrder.get(keyOf(order)) ?? 0) >= TIES_BEFORE_TRUST;
  }
}

/** What facets depend on. */
interface FacetedList {
  readonly query: string;
  readonly criteria: TemplateCriteria;
}

function keyOfList({ query, criteria }: FacetedList): string {
  for (const criterion of Object.values(criteria))
    if (criterion !== null) return `${JSON.stringify(criteria)} ${query}`;
  return query;
}

/** One text each: a text that is put together anew is hashed anew at every look-up. */
function keyOf({ field, direction }: TemplateOrder): string {
  return direction === 'ASC' ? KEYS_ASCENDING[field] : field;
}

const KEYS_ASCENDING: Readonly<Record<TemplateOrder['field'], string>> = {
  RELEVANCE: 'RELEVANCE ASC',
  POPULARITY: 'POPULARITY ASC',
  RATING: 'RATING ASC',
  UPDATED: 'UPDATED ASC',
  NAME: 'NAME ASC',
};

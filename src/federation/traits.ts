/**
 * What was learnt of a registry by checking its answers. A registry says what it sorts, filters and counts; every window
 * shows whether that is so, and what was caught once is not believed again by this process.
 */
import type { TemplateOrder } from '../domain/search.ts';

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

/** Traits of one registry. Mutable: every reader of the registry adds what it sees. */
export class RegistryTraits {
  /** Rows that it gives at most, however many are asked for; null: not seen yet. */
  pageCap: number | null = null;
  /** It was seen to answer `name=` with names that were not asked for. */
  ignoresNames = false;
  /** It was seen to answer a filter with rows that do not match it. */
  ignoresFilters = false;
  /** Its total_count was seen to be wrong. */
  miscounts = false;
  readonly #orders = new Map<string, ListOrder>();
  readonly #tiesInOrder = new Map<string, number>();

  /** The weakest order that was seen of it for this sort, or null before the first answer. */
  listOrder(order: TemplateOrder): ListOrder | null {
    return this.#orders.get(keyOf(order)) ?? null;
  }

  /** Takes note of what was seen; what is already known to be weaker stays. Says whether this weakened it. */
  noteListOrder(order: TemplateOrder, seen: ListOrder): boolean {
    const key = keyOf(order);
    const known = this.#orders.get(key);
    if (known !== undefined && WEAKNESS[known] >= WEAKNESS[seen]) return false;
    this.#orders.set(key, seen);
    return known !== undefined;
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

function keyOf(order: TemplateOrder): string {
  return `${order.field} ${order.direction}`;
}

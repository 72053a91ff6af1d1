/** Checks what a registry's answers show of its sorting. */
import type { TemplateOrder } from '../domain/search.ts';
import type { CatalogRow } from '../domain/template.ts';
import { type ComparePositions, compareKeys, type Position, sortKeyOf } from './order.ts';
import type { ListOrder } from './traits.ts';

/** A row's place in an order other than RELEVANCE. */
export function positionOfRow(row: CatalogRow, order: TemplateOrder, rank: number): Position {
  return {
    key: sortKeyOf(row, order),
    tier: 0,
    nameLower: row.nameLower,
    name: row.name,
    rank,
    windowStart: 0,
    score: 0,
  };
}

/** What consecutive rows of a list show of its order. */
export interface OrderEvidence {
  readonly seen: ListOrder;
  /** Pairs of equal keys that stand in the order of their names. */
  readonly tiesInOrder: number;
}

/**
 * TOTAL when the rows keep the total order, BY_KEY when only rows of equal keys stand otherwise, UNSORTED when keys
 * themselves do. `compare` is the forward comparator of `order`, `before` the row before these. A pair with a malformed entry between shows nothing.
 */
export function inspectOrder(
  rows: readonly (CatalogRow | null)[],
  order: TemplateOrder,
  compare: ComparePositions,
  before: CatalogRow | null = null,
): OrderEvidence {
  const sign = order.direction === 'ASC' ? 1 : -1;
  let seen: ListOrder = 'TOTAL';
  let tiesInOrder = 0;
  let previous = before;
  for (const row of rows) {
    if (row === null) continue;
    const before = previous;
    previous = row;
    if (before === null) continue;
    const compared = compareKeys(sortKeyOf(before, order), sortKeyOf(row, order), sign);
    if (compared < 0) continue;
    if (compared > 0) return { seen: 'UNSORTED', tiesInOrder };
    if (compare(positionOfRow(before, order, 0), positionOfRow(row, order, 0)) <= 0) {
      if (order.field !== 'NAME') tiesInOrder += 1;
    } else if (order.field === 'NAME') return { seen: 'UNSORTED', tiesInOrder };
    else seen = 'BY_KEY';
  }
  return { seen, tiesInOrder };
}

/**
 * The one total order of a search. Everything that pages, merges or remembers a place compares with `comparePositions`.
 */
import type { TemplateOrder } from '../domain/search.ts';
import type { CatalogRow } from '../domain/template.ts';

/**
 * A place in the order: the sort key of a row, and what breaks ties.
 *
 * RELEVANCE knows two tiers. A registry's list is scored window by window, and a row may not come before rows of an earlier
 * window of its registry, so a row that scores at least as much as the least of those windows (`floor`) is held back to it:
 * its `key` is the floor, and it stands in tier 1, behind every row that earned that key by itself. Among the held-back rows
 * of one key the resolution order, then the registry's windows, then the scores decide: each registry's list stays in
 * order, and the whole is one total order.
 */
export interface Position {
  /** null: the registry states none (missing values come last, in both directions). Always 0 for NAME. */
  readonly key: number | null;
  readonly tier: 0 | 1;
  readonly nameLower: string;
  readonly name: string;
  /** Resolution order among the registries that the caller sees, 0 first. */
  readonly rank: number;
  /** Tier 1 only: where the row's window starts, and its own score. */
  readonly windowStart: number;
  readonly score: number;
  /** Where the row is looked for when its name has to be read again: an offset of its registry's list. Not compared. */
  readonly hint?: number;
}

export type ComparePositions = (left: Position, right: Position) => number;

/**
 * Compares by Unicode code point. `<` compares UTF-16 units and puts U+E000..U+FFFF behind every supplementary character.
 * Negative: `left` first; 0 only for equal strings.
 */
export function compareCodePoints(left: string, right: string): number {
  if (left === right) return 0;
  const shorter = Math.min(left.length, right.length);
  for (let index = 0; index < shorter; index += 1) {
    let leftUnit = left.charCodeAt(index);
    let rightUnit = right.charCodeAt(index);
    if (leftUnit === rightUnit) continue;
    if (leftUnit >= 0xd800 && rightUnit >= 0xd800) {
      // Surrogates stand for code points above U+FFFF: move them behind the rest of the basic plane.
      leftUnit = leftUnit >= 0xe000 ? leftUnit - 0x800 : leftUnit + 0x2000;
      rightUnit = rightUnit >= 0xe000 ? rightUnit - 0x800 : rightUnit + 0x2000;
    }
    return leftUnit - rightUnit;
  }
  return left.length - right.length;
}

/** The comparator of an order, for walks forwards; negate it for walks backwards. */
export function comparePositionsIn(order: TemplateOrder): ComparePositions {
  const sign = order.direction === 'ASC' ? 1 : -1;
  if (order.field === 'NAME') {
    return (left, right) => compareNames(left, right, sign) || left.rank - right.rank;
  }
  return (left, right) => {
    if (left.key !== right.key) return compareKeys(left.key, right.key, sign);
    if (left.tier !== right.tier) return left.tier - right.tier;
    if (left.tier === 1) {
      return (
        left.rank - right.rank ||
        left.windowStart - right.windowStart ||
        right.score - left.score ||
        compareNames(left, right)
      );
    }
    return compareNames(left, right) || left.rank - right.rank;
  };
}

/** Compares two sort keys: `sign` 1 ascending, -1 descending; missing keys last either way. */
export function compareKeys(left: number | null, right: number | null, sign: 1 | -1): number {
  if (left === right) return 0;
  if (left === null) return 1;
  if (right === null) return -1;
  return left < right ? -sign : sign;
}

/** By lower-cased name in the given direction, then by name. */
function compareNames(left: Position, right: Position, sign: 1 | -1 = 1): number {
  return sign * compareCodePoints(left.nameLower, right.nameLower) || compareCodePoints(left.name, right.name);
}

/** The key that `order` sorts a row by; for RELEVANCE the caller scores, for NAME the name itself is compared. */
export function sortKeyOf(row: CatalogRow, order: TemplateOrder): number | null {
  switch (order.field) {
    case 'POPULARITY':
      return row.popularity;
    case 'RATING':
      return row.rating;
    case 'UPDATED':
      return row.updatedAtMs;
    case 'NAME':
    case 'RELEVANCE':
      return 0;
  }
}

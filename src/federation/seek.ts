/** Finds a place in a list that is sorted, from a hint that may no longer fit, in a number of windows that grows with the
 * logarithm of how far the hint is off. */
import type { CatalogRow } from '../domain/template.ts';
import type { ListReader, ListWindow } from './list-reader.ts';

/** True for every row up to some place of the list, false for every row behind it. */
type IsBefore = (row: CatalogRow) => boolean;

type Finding = { readonly type: 'INSIDE'; readonly offset: number } | { readonly type: 'ALL' | 'NONE' };

/**
 * The offset of the first row that is not before the place; the list's length when all are. `hint` is where it was last
 * time: when it still fits, one window is read. Rejects with RegistryFailure.
 */
export async function seekBoundary(reader: ListReader, isBefore: IsBefore, hint: number): Promise<number> {
  let highestAll = -1;
  let lowestNone = Number.POSITIVE_INFINITY;
  let step = 1;
  let index = reader.indexOf(Math.max(0, hint));
  for (;;) {
    const window = await reader.load(index);
    const finding = await examine(reader, index, isBefore);
    const end = window.start + window.rows.length;
    switch (finding.type) {
      case 'INSIDE':
        return finding.offset;
      case 'ALL':
        if (window.atEnd || lowestNone === index + 1) return end;
        highestAll = index;
        break;
      case 'NONE':
        if (index === 0 || highestAll === index - 1) return window.start;
        if (window.before !== undefined && window.before !== null && isBefore(window.before)) return window.start;
        lowestNone = index;
        break;
    }
    if (lowestNone === Number.POSITIVE_INFINITY) index += step;
    else if (highestAll < 0) index = Math.max(0, lowestNone - step);
    else index = Math.floor((highestAll + lowestNone) / 2);
    step *= 2;
  }
}

/** The offset behind the list's last row. `hint`: the registry's own count. */
export function seekEnd(reader: ListReader, hint: number): Promise<number> {
  return seekBoundary(reader, () => true, hint);
}

/** What the rows of a window show; where all of them are malformed, what those before them do. */
async function examine(reader: ListReader, index: number, isBefore: IsBefore): Promise<Finding> {
  for (let at = index; ; at -= 1) {
    const finding = examineRows(await reader.load(at), isBefore);
    if (finding !== null) return finding;
    if (at === 0) return { type: 'ALL' };
  }
}

/** null: the window has rows, and all of them are malformed. */
function examineRows(window: ListWindow, isBefore: IsBefore): Finding | null {
  let sawBefore = false;
  for (const [index, row] of window.rows.entries()) {
    if (row === null) continue;
    if (isBefore(row)) sawBefore = true;
    else if (sawBefore) return { type: 'INSIDE', offset: window.start + index };
    else return { type: 'NONE' };
  }
  if (window.rows.length === 0) return { type: 'NONE' };
  return sawBefore ? { type: 'ALL' } : null;
}

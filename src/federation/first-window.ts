/**
 * How many rows the first window of a list has. Most readers see the first page alone, and it takes a few rows of each of
 * many registries; rows that nobody looks at are most of what a cold search costs.
 */
import type { PageRequest } from '../domain/search.ts';

/** A page as most ask for it. */
const USUAL_PAGE_ROWS = 20;
/** A page of one registry; one more, which tells whether there is a next one; and one that shows that no tie is missing. */
const MOST_ROWS = USUAL_PAGE_ROWS + 2;
/** Of a hundred searches over registries that are alike so many may need a second window of some registry, and wait for it. */
const SECOND_WINDOWS = 0.05;

/**
 * Numbers of registries that share a length, so that most searches over some more or fewer of them, and a gateway that gets
 * one more, come to the windows that are kept: each is the least of its kind.
 */
const KINDS = [1, 2, 3, 6, 15].map((registries) => ({ registries, rows: countRows(registries) }));

/**
 * Rows of the first window of each of so many registries that are searched at once, whose other windows have `windowSize`:
 * as few as make a second one rare (`SECOND_WINDOWS`), where each row of the page is as likely of one registry as of another.
 */
export function firstRowsOf(registries: number, windowSize: number): number {
  const kind = KINDS.findLast((each) => each.registries <= registries);
  return Math.min(windowSize, kind?.rows ?? MOST_ROWS);
}

/** As `firstRowsOf` where one registry alone may fill the page. */
export function wholeFirstRowsOf(windowSize: number): number {
  return Math.min(windowSize, MOST_ROWS);
}

/** Whether a page is no longer than that for which first windows are made, and reads lists from their head. */
export function isUsualPage({ direction, count }: PageRequest): boolean {
  return direction === 'FORWARD' && count <= USUAL_PAGE_ROWS;
}

function countRows(registries: number): number {
  let rows = 1;
  // A registry whose every row is taken must be asked for the next one before the page can go on.
  while (rows < MOST_ROWS - 1 && registries * shareOfPages(registries, rows) > SECOND_WINDOWS) rows += 1;
  return rows + 1;
}

/** The share of pages of which `atLeast` rows or more are of one given registry: the tail of a binomial distribution. */
function shareOfPages(registries: number, atLeast: number): number {
  const chance = 1 / registries;
  let share = 0;
  let ways = 1;
  for (let rows = 0; rows <= USUAL_PAGE_ROWS; rows += 1) {
    if (rows >= atLeast) share += ways * chance ** rows * (1 - chance) ** (USUAL_PAGE_ROWS - rows);
    ways = (ways * (USUAL_PAGE_ROWS - rows)) / (rows + 1);
  }
  return share;
}

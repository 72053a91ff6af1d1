/**
 * Search over the newest version of every name. What a search found is kept for a while, so that a page costs no more
 * at depth 1,000 than at depth 1.
 */
import type { Catalog, PublishedVersion } from './catalog.ts';
import { compareCodePoints } from './code-points.ts';
import { FacetCounter, type Facets } from './facets.ts';
import type { SearchCriteria, SortField } from './search-query.ts';
import type { Template } from './template.ts';
import { TextIndex } from './text-index.ts';

/** Result sets kept: a walk needs one, so this many walks at once are served without searching again. */
const KEPT_RESULTS = 200;

/** Everything that matches, in order. */
export interface SearchResult {
  /** Positions in the snapshot, in the asked order. */
  readonly order: ArrayLike<number>;
  readonly total: number;
  readonly rowAt: (index: number) => PublishedVersion | null;
  /** Counted when first asked for. */
  readonly facets: () => Facets;
}

/** The rows of one revision of the catalogue, in the order of names: a row's position is its tie-breaker. */
class Snapshot {
  readonly revision: number;
  readonly rows: readonly PublishedVersion[];
  readonly #orders = new Map<string, Uint32Array>();
  #index: TextIndex | null = null;
  #facetCounter: FacetCounter | null = null;

  constructor(catalog: Catalog) {
    this.revision = catalog.revision;
    this.rows = [...catalog.entries()].map((entry) => entry.newest).sort((left, right) => compareNames(left, right));
  }

  get index(): TextIndex {
    this.#index ??= new TextIndex(this.rows.map((row) => row.template));
    return this.#index;
  }

  /** Counts the values among the given positions. */
  countFacets(positions: ArrayLike<number>): Facets {
    this.#facetCounter ??= new FacetCounter(this.rows.map((row) => row.template));
    return this.#facetCounter.count(positions);
  }

  /** All positions in the order of one sort. */
  orderBy(field: Exclude<SortField, 'relevance'>, descending: boolean): Uint32Array {
    const key = `${field} ${descending}`;
    let order = this.#orders.get(key);
    if (order === undefined) {
      order = Uint32Array.from(this.rows.keys());
      if (field === 'name') {
        if (descending) order.sort((left, right) => -this.#compareLowerNames(left, right) || left - right);
      } else {
        const keys = this.rows.map((row) => sortKeyOf(row.template, field));
        const sign = descending ? -1 : 1;
        order.sort((left, right) => compareKeys(keys[left] ?? null, keys[right] ?? null, sign) || left - right);
      }
      this.#orders.set(key, order);
    }
    return order;
  }

  #compareLowerNames(left: number, right: number): number {
    return compareCodePoints(this.rows[left]?.template.nameLower ?? '', this.rows[right]?.template.nameLower ?? '');
  }
}

/** Ties come by lower-cased name, then by name, code point by code point (the contract's rule for every order). */
function compareNames(left: PublishedVersion, right: PublishedVersion): number {
  return (
    compareCodePoints(left.template.nameLower, right.template.nameLower) ||
    compareCodePoints(left.template.name, right.template.name)
  );
}

function sortKeyOf(template: Template, field: 'popularity' | 'rating' | 'updated'): number | null {
  switch (field) {
    case 'popularity':
      return template.downloads;
    case 'rating':
      return template.rating;
    case 'updated':
      return template.updatedMs;
  }
}

/** Missing values come last, whichever way the others are sorted. */
function compareKeys(left: number | null, right: number | null, sign: 1 | -1): number {
  if (left === right) return 0;
  if (left === null) return 1;
  if (right === null) return -1;
  return sign * (left - right);
}

/** Searches one catalogue. */
export class Searcher {
  readonly #catalog: Catalog;
  #snapshot: Snapshot;
  readonly #results = new Map<string, SearchResult>();

  constructor(catalog: Catalog) {
    this.#catalog = catalog;
    this.#snapshot = new Snapshot(catalog);
  }

  /** Does now what the first searches would have to wait for: the text index, and the JSON of every row. */
  prepare(): void {
    const snapshot = this.#currentSnapshot();
    snapshot.index.match('prepare');
    for (const row of snapshot.rows) row.json.length;
  }

  /** Everything that matches the criteria, in their order. */
  search(criteria: SearchCriteria): SearchResult {
    const snapshot = this.#currentSnapshot();
    const key = JSON.stringify(criteria);
    const known = this.#results.get(key);
    if (known !== undefined) {
      this.#results.delete(key);
      this.#results.set(key, known);
      return known;
    }
    const result = findResult(snapshot, criteria);
    this.#results.set(key, result);
    const oldest = this.#results.keys().next();
    if (this.#results.size > KEPT_RESULTS && oldest.done !== true) this.#results.delete(oldest.value);
    return result;
  }

  #currentSnapshot(): Snapshot {
    if (this.#snapshot.revision !== this.#catalog.revision) {
      this.#snapshot = new Snapshot(this.#catalog);
      this.#results.clear();
    }
    return this.#snapshot;
  }
}

function findResult(snapshot: Snapshot, criteria: SearchCriteria): SearchResult {
  const { rows } = snapshot;
  const order = orderMatches(snapshot, criteria);
  let facets: Facets | null = null;
  return {
    order,
    total: order.length,
    rowAt: (index) => rows[order[index] ?? -1] ?? null,
    facets: () => {
      facets ??= snapshot.countFacets(order);
      return facets;
    },
  };
}

function orderMatches(snapshot: Snapshot, criteria: SearchCriteria): ArrayLike<number> {
  const { rows, index } = criteria.query === '' ? { rows: snapshot.rows, index: null } : snapshot;
  const matches = index?.match(criteria.query) ?? null;
  const passes = compileFilter(criteria);
  const keeps = (position: number): boolean => {
    const row = rows[position];
    return row !== undefined && (passes === null || passes(row.template));
  };
  const descending = criteria.sortOrder === 'desc';
  if (matches === null) {
    // Without a query all are equally relevant: only the ties are left to sort by.
    const order =
      criteria.sortBy === 'relevance' ? snapshot.orderBy('name', false) : snapshot.orderBy(criteria.sortBy, descending);
    return passes === null ? order : order.filter(keeps);
  }
  const kept = matches.positions.filter(keeps);
  if (criteria.sortBy !== 'relevance') {
    const marked = new Uint8Array(rows.length);
    for (const position of kept) marked[position] = 1;
    return snapshot.orderBy(criteria.sortBy, descending).filter((position) => marked[position] === 1);
  }
  const { scores } = matches;
  const sign = descending ? -1 : 1;
  return kept.sort((left, right) => sign * ((scores[left] ?? 0) - (scores[right] ?? 0)) || left - right);
}

/** One predicate for all filters, or null where there are none. Values of one filter: any; filters: all of them. */
function compileFilter(criteria: SearchCriteria): ((template: Template) => boolean) | null {
  const tests: ((template: Template) => boolean)[] = [];
  const addList = (wanted: readonly string[], valuesOf: (template: Template) => readonly (string | null)[]) => {
    if (wanted.length === 0) return;
    const set = new Set(wanted);
    tests.push((template) => valuesOf(template).some((value) => value !== null && set.has(value.toLowerCase())));
  };
  const names = new Set(criteria.names);
  if (names.size > 0) tests.push((template) => names.has(template.name));
  addList(criteria.categories, (template) => [template.category]);
  addList(criteria.domains, (template) => [template.domain]);
  addList(criteria.complexities, (template) => [template.complexity]);
  addList(criteria.keywords, (template) => [...template.keywords, ...template.tags]);
  addList(criteria.connectionTypes, (template) => template.connectionTypes);
  addList(criteria.packageManagers, (template) => template.packageManagers);
  addList(criteria.licenses, (template) => listLicenses(template.license));
  const { minRating, verified, validated, researchUser, updatedSinceMs } = criteria;
  if (minRating !== null) tests.push(({ rating }) => rating !== null && rating >= minRating);
  if (verified !== null) tests.push((template) => template.verified === verified);
  if (validated !== null) tests.push((template) => template.validated === validated);
  if (researchUser !== null) tests.push((template) => template.researchUser === researchUser);
  if (updatedSinceMs !== null) tests.push(({ updatedMs }) => updatedMs !== null && updatedMs >= updatedSinceMs);
  return tests.length === 0 ? null : (template) => tests.every((test) => test(template));
}

/** An SPDX expression is found as a whole and by each identifier in it. */
function listLicenses(expression: string | null): readonly string[] {
  if (expression === null) return [];
  return [expression, ...(expression.match(/[\w.+:-]+/g) ?? []).filter((word) => !/^(?:and|or|with)$/i.test(word))];
}

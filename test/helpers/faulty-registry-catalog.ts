/** A template as it travels; only name and version are certain. */
export interface WireTemplate {
  readonly name: string;
  readonly version: string;
  readonly [member: string]: unknown;
}

/** How a registry's search may be unlike the protocol. Everything off: it keeps the protocol. */
export interface CatalogBehaviour {
  /** Gives its entries in the order of insertion, whatever is asked. */
  readonly ignoresSort?: boolean;
  /** Gives everything, whatever filters are asked (and whatever `q`). */
  readonly ignoresFilters?: boolean;
  /** Ignores `q` alone. */
  readonly ignoresQuery?: boolean;
  /** Ignores the optional `name=`. */
  readonly ignoresNames?: boolean;
  /** At most so many rows an answer. */
  readonly capLimit?: number;
  /** Added to the true `total_count`. */
  readonly miscountsBy?: number;
  /** Sends no `total_count`. */
  readonly omitsCount?: boolean;
  /** After each so many rows the last of them comes a second time. */
  readonly repeatsEvery?: number;
  /** Orders ties as they were inserted, not by name. */
  readonly tiesById?: boolean;
  /** Puts missing values first. */
  readonly missingFirst?: boolean;
  /** Compares names by the root locale's collation, not by code point. */
  readonly collatesByLocale?: boolean;
  /** Says `"order":"total"`, true or not. */
  readonly claimsTotalOrder?: boolean;
}

/** One page of a search, as the answer's JSON. */
export interface CatalogPage {
  readonly templates: readonly WireTemplate[];
  readonly total_count?: number;
  readonly order?: 'total';
}

/**
 * The rows of a registry with the protocol's search over them. Written for the tests alone, without a line of the
 * gateway's own sorting or filtering, so that an error there is not repeated here.
 */
export class FaultyCatalog {
  #rows: WireTemplate[];
  #behaviour: CatalogBehaviour;
  readonly #lists = new Map<string, readonly WireTemplate[]>();

  constructor(rows: readonly WireTemplate[], behaviour: CatalogBehaviour) {
    this.#rows = [...rows];
    this.#behaviour = behaviour;
  }

  get rows(): readonly WireTemplate[] {
    return this.#rows;
  }

  behave(behaviour: CatalogBehaviour): void {
    this.#behaviour = behaviour;
    this.#lists.clear();
  }

  insert(...rows: readonly WireTemplate[]): void {
    this.#rows.push(...rows);
    this.#lists.clear();
  }

  /** Takes every version of these names away. */
  remove(...names: readonly string[]): void {
    this.#rows = this.#rows.filter((row) => !names.includes(row.name));
    this.#lists.clear();
  }

  search(query: URLSearchParams): CatalogPage {
    const offset = Number(query.get('offset') ?? 0);
    const asked = Number(query.get('limit') ?? 20);
    const limit = Math.min(asked, this.#behaviour.capLimit ?? 100);
    const list = this.#list(query);
    const page: { -readonly [K in keyof CatalogPage]: CatalogPage[K] } = {
      templates: list.slice(offset, offset + limit),
    };
    if (!this.#behaviour.omitsCount) page.total_count = list.length + (this.#behaviour.miscountsBy ?? 0);
    if (this.#behaviour.claimsTotalOrder) page.order = 'total';
    return page;
  }

  #list(query: URLSearchParams): readonly WireTemplate[] {
    const key = [...query].filter(([name]) => name !== 'offset' && name !== 'limit').join('&');
    const known = this.#lists.get(key);
    if (known !== undefined) return known;
    const behaviour = this.#behaviour;
    let list = this.#rows.filter((row) => matchesAll(row, query, behaviour));
    if (!behaviour.ignoresSort) list = sortRows(list, query, behaviour);
    const every = behaviour.repeatsEvery;
    if (every !== undefined) list = list.flatMap((row, index) => (index % every === every - 1 ? [row, row] : [row]));
    this.#lists.set(key, list);
    return list;
  }
}

function matchesAll(row: WireTemplate, query: URLSearchParams, behaviour: CatalogBehaviour): boolean {
  const names = query.getAll('name');
  if (names.length > 0 && !behaviour.ignoresNames && !names.includes(row.name)) return false;
  if (behaviour.ignoresFilters) return true;
  return (
    (behaviour.ignoresQuery || matchesQuery(row, query.get('q') ?? '')) &&
    anyOf(query, 'category', [row.category]) &&
    anyOf(query, 'domain', [row.domain]) &&
    anyOf(query, 'complexity', [row.complexity]) &&
    anyOf(query, 'keyword', [...listOf(row.keywords), ...listOf(row.tags)]) &&
    anyOf(query, 'connection_type', listOf(row.connection_types)) &&
    anyOf(query, 'package_manager', [row.package_manager, ...Object.keys(recordOf(row.packages))]) &&
    anyOf(query, 'license', [row.license]) &&
    matchesRating(row, query.get('min_rating')) &&
    matchesFlag(query.get('verified'), marketOf(row).verified ?? row.verified ?? false) &&
    matchesFlag(query.get('research_user'), row.research_user) &&
    matchesFlag(query.get('validated'), isValidated(row)) &&
    matchesSince(row, query.get('updated_since'))
  );
}

function matchesQuery(row: WireTemplate, text: string): boolean {
  const fields = [row.name, row.title, row.description, ...listOf(row.tags), ...listOf(row.keywords)];
  const haystack = fields.join('\n').toLowerCase();
  return text
    .toLowerCase()
    .split(/\s+/)
    .every((word) => haystack.includes(word));
}

function anyOf(query: URLSearchParams, parameter: string, values: readonly unknown[]): boolean {
  const wanted = query.getAll(parameter).map((value) => value.toLowerCase());
  return wanted.length === 0 || values.some((value) => wanted.includes(String(value).toLowerCase()));
}

function matchesRating(row: WireTemplate, wanted: string | null): boolean {
  if (wanted === null) return true;
  const rating = sortValue(row, 'rating');
  return rating !== null && rating >= Number(wanted);
}

function matchesFlag(wanted: string | null, value: unknown): boolean {
  return wanted === null || value === (wanted === 'true');
}

function isValidated(row: WireTemplate): boolean {
  const tests = listOf(marketOf(row).validation_tests ?? row.validation_tests);
  return tests.length > 0 && tests.every((test) => recordOf(test).status === 'passed');
}

function matchesSince(row: WireTemplate, since: string | null): boolean {
  if (since === null) return true;
  const updated = sortValue(row, 'updated');
  return updated !== null && updated >= Date.parse(since);
}

function sortRows(rows: readonly WireTemplate[], query: URLSearchParams, behaviour: CatalogBehaviour): WireTemplate[] {
  const field = query.get('sort_by') ?? 'relevance';
  const sign = (query.get('sort_order') ?? (field === 'name' ? 'asc' : 'desc')) === 'asc' ? 1 : -1;
  const missing = behaviour.missingFirst ? -1 : 1;
  const words = (query.get('q') ?? '').toLowerCase().split(/\s+/);
  const keyed = rows.map((row, id) => ({
    row,
    id,
    lower: row.name.toLowerCase(),
    value: field === 'relevance' ? scoreOf(row, words) : sortValue(row, field),
  }));
  const byName = behaviour.collatesByLocale
    ? (a: string, b: string) => a.localeCompare(b, 'en')
    : (a: string, b: string) => compareCodePoints(a, b);
  keyed.sort((a, b) => {
    if (field === 'name') {
      const order = byName(a.lower, b.lower) || byName(a.row.name, b.row.name);
      return order * sign || a.id - b.id;
    }
    if (a.value !== b.value) {
      if (a.value === null) return missing;
      if (b.value === null) return -missing;
      return (a.value - b.value) * sign;
    }
    if (behaviour.tiesById) return a.id - b.id;
    return byName(a.lower, b.lower) || byName(a.row.name, b.row.name) || a.id - b.id;
  });
  return keyed.map((entry) => entry.row);
}

function sortValue(row: WireTemplate, field: string): number | null {
  const market = marketOf(row);
  switch (field) {
    case 'popularity':
      return numberOf(market.downloads ?? row.downloads);
    case 'rating':
      return numberOf(market.rating ?? row.rating);
    case 'updated':
      return typeof row.updated_at === 'string' ? numberOf(Date.parse(row.updated_at)) : null;
    default:
      return null;
  }
}

function scoreOf(row: WireTemplate, words: readonly string[]): number {
  const name = row.name.toLowerCase();
  const title = String(row.title ?? '').toLowerCase();
  return words.reduce((sum, word) => sum + (name.includes(word) ? 3 : 0) + (title.includes(word) ? 2 : 0), 0);
}

/** Code point by code point: UTF-8 bytes compare in that order. */
function compareCodePoints(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a, 'utf8'), Buffer.from(b, 'utf8'));
}

function marketOf(row: WireTemplate): Record<string, unknown> {
  return recordOf(row.marketplace);
}

function recordOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? { ...value } : {};
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' && Number.isFinite(value) ? value : null;
}

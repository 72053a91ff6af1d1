/** Walks through federated searches, and what they must come to: everything sorted in one place. */
import type { Caller } from '../../src/domain/caller.ts';
import type { OrderDirection, OrderField, SearchRequest, TemplateFilter } from '../../src/domain/search.ts';
import { NO_CRITERIA } from '../../src/domain/search.ts';
import type { FederationView, SearchResult } from '../../src/federation/answers.ts';
import { createFederation, type Federation } from '../../src/federation/federation.ts';
import type { CatalogSource } from './catalog-source.ts';
import type { WireTemplate } from './faulty-registry-catalog.ts';
import { createRandom } from './random.ts';

export { createRandom };

export const ANYONE: Caller = { authenticated: false, subject: null, roles: [], groups: [] };
const NO_FILTER: TemplateFilter = { ...NO_CRITERIA, registries: null, registryTypes: null };
const SECRETS = ['a secret of the tests, long enough'];

export interface FederationSettings {
  readonly window?: number;
  readonly scan?: number;
  readonly drain?: { readonly rows: number; readonly requests: number };
  readonly secrets?: readonly string[];
}

export function federate(sources: readonly CatalogSource[], settings: FederationSettings = {}): Federation {
  return createFederation({
    sources,
    search: {
      timeout: 5000,
      maxPageSize: 100,
      window: settings.window ?? 50,
      scan: settings.scan ?? 2000,
      drain: settings.drain ?? { rows: 50_000, requests: 2000 },
    },
    secrets: settings.secrets ?? SECRETS,
  });
}

export interface Search {
  readonly query?: string;
  readonly filter?: Partial<TemplateFilter>;
  readonly field?: OrderField;
  readonly direction?: OrderDirection;
  readonly collapse?: boolean;
}

export function requestOf(search: Search, page: SearchRequest['page']): SearchRequest {
  const field = search.field ?? 'POPULARITY';
  return {
    query: search.query ?? '',
    filter: { ...NO_FILTER, ...search.filter },
    order: { field, direction: search.direction ?? (field === 'NAME' ? 'ASC' : 'DESC') },
    page,
    collapse: search.collapse ?? false,
    require: [],
    timeoutMs: null,
  };
}

/** "registry/name" of every edge, in the order of the page. */
export function namesOf(result: SearchResult): string[] {
  return result.edges.map(({ template }) => `${template.registryName}/${template.name}`);
}

export interface WalkOptions {
  /** Page sizes, taken in turn. */
  readonly sizes: readonly number[];
  readonly direction?: 'FORWARD' | 'BACKWARD';
  readonly maxPages?: number;
  /** Called before each page but the first. */
  readonly between?: (pageIndex: number) => void;
}

/** Walks to the end; gives the joined list in the order of the search. */
export async function walk(
  view: FederationView | (() => FederationView),
  search: Search,
  options: WalkOptions,
): Promise<{ readonly names: string[]; readonly pages: SearchResult[] }> {
  const direction = options.direction ?? 'FORWARD';
  const pages: SearchResult[] = [];
  let names: string[] = [];
  let cursor: string | null = null;
  for (let index = 0; index < (options.maxPages ?? 5000); index += 1) {
    if (index > 0) options.between?.(index);
    const count = options.sizes[index % options.sizes.length] ?? 20;
    const current = typeof view === 'function' ? view() : view;
    const result: SearchResult = await current.search(requestOf(search, { direction, count, cursor }));
    pages.push(result);
    names = direction === 'FORWARD' ? [...names, ...namesOf(result)] : [...namesOf(result), ...names];
    const goesOn = direction === 'FORWARD' ? result.hasNextPage : result.hasPreviousPage;
    cursor = direction === 'FORWARD' ? result.endCursor() : result.startCursor();
    if (!goesOn || cursor === null) break;
  }
  return { names, pages };
}

/** Everything sorted in one place, by the contract's rule, without a line of the gateway's own sorting. */
export function sortInOnePlace(sources: readonly CatalogSource[], search: Search): string[] {
  const field = search.field ?? 'POPULARITY';
  const direction = search.direction ?? (field === 'NAME' ? 'ASC' : 'DESC');
  const sign = direction === 'ASC' ? 1 : -1;
  const rows = sources.flatMap((source) =>
    source.catalog.rows.map((row) => ({ row, source, lower: row.name.toLowerCase(), key: keyOf(row, field) })),
  );
  rows.sort((left, right) => {
    if (field === 'NAME') {
      const order = codePointOrder(left.lower, right.lower) * sign;
      if (order !== 0) return order;
    } else if (left.key !== right.key) {
      if (left.key === null) return 1;
      if (right.key === null) return -1;
      return (left.key - right.key) * sign;
    }
    return (
      codePointOrder(left.lower, right.lower) ||
      codePointOrder(left.row.name, right.row.name) ||
      left.source.info.rank - right.source.info.rank
    );
  });
  const seen = new Set<string>();
  const names: string[] = [];
  for (const { row, source } of search.collapse ? withoutHidden(rows) : rows) {
    const name = `${source.info.name}/${row.name}`;
    if (!seen.has(name)) names.push(name);
    seen.add(name);
  }
  return names;
}

function withoutHidden<T extends { readonly row: WireTemplate; readonly source: CatalogSource }>(
  rows: readonly T[],
): T[] {
  return rows.filter(
    ({ row, source }) =>
      !rows.some((other) => other.row.name === row.name && other.source.info.rank < source.info.rank),
  );
}

function keyOf(row: WireTemplate, field: OrderField): number | null {
  switch (field) {
    case 'POPULARITY':
      return typeof row.downloads === 'number' ? row.downloads : null;
    case 'RATING':
      return typeof row.rating === 'number' ? row.rating : null;
    case 'UPDATED':
      return typeof row.updated_at === 'string' ? Date.parse(row.updated_at) : null;
    case 'NAME':
    case 'RELEVANCE':
      return 0;
  }
}

function codePointOrder(left: string, right: string): number {
  return Buffer.compare(Buffer.from(left, 'utf8'), Buffer.from(right, 'utf8'));
}

const ODD_STARTS = ['', 'İ', 'ı', 'é', 'ß', '𝒳', '😀', '\uFF21', 'Z', 'a_', 'a-', '~', '中'];

/** Rows with `ties` of the keys equal and `missing` of them absent; names with odd characters, unique after lower-casing. */
export function generateRows(
  seed: number,
  count: number,
  options: { readonly ties?: number; readonly missing?: number; readonly prefix?: string } = {},
): WireTemplate[] {
  const random = createRandom(seed);
  const { ties = 0.6, missing = 0.4, prefix = '' } = options;
  const rows: WireTemplate[] = [];
  for (let index = 0; index < count; index += 1) {
    const start = random() < 0.3 ? (ODD_STARTS[Math.floor(random() * ODD_STARTS.length)] ?? '') : '';
    const name = `${start}${prefix}${Math.floor(random() * 1e9).toString(36)}-${index.toString(36)}`;
    const key = random() < ties ? Math.floor(random() * 8) : Math.floor(random() * 1e6);
    const isMissing = random() < missing;
    rows.push({
      name,
      version: '1.0.0',
      title: `Environment ${index}`,
      description: `generated row ${index % 17 === 0 ? 'special' : 'plain'}`,
      category: index % 3 === 0 ? 'ml' : 'bio',
      ...(isMissing
        ? {}
        : {
            downloads: key,
            rating: (key % 51) / 10,
            updated_at: new Date(Date.UTC(2024, 0, 1) + key * 60_000).toISOString(),
          }),
    });
  }
  return rows;
}

/** schema/search.graphql */

import { BadUserInput } from '../src/domain/errors.ts';
import type {
  OrderDirection,
  OrderField,
  PageRequest,
  SearchRequest,
  TemplateFilter,
  TemplateOrder,
} from '../src/domain/search.ts';
import { NO_CRITERIA } from '../src/domain/search.ts';
import type { FederationView, SearchEdge, SearchResult } from '../src/federation/answers.ts';
import {
  checkList,
  checkListLength,
  checkQuery,
  checkRange,
  checkRegistryName,
  checkRegistryNames,
  checkValues,
} from './arguments.ts';
import type { RequestContext } from './context.ts';

/** Page size when neither `first` nor `last` is given (the contract's schema). */
const DEFAULT_PAGE_SIZE = 20;
/** Bounds of `timeoutMs` (the contract's schema). */
const MIN_TIMEOUT_MS = 50;
const MAX_TIMEOUT_MS = 30_000;

/** The filter as the client sent it: members may be absent as well as null. */
type FilterArguments = Partial<Omit<TemplateFilter, 'updatedSinceMs'>> & { readonly updatedSince?: number | null };

export interface SearchArguments {
  readonly query?: string | null;
  readonly filter?: FilterArguments | null;
  readonly orderBy?: { readonly field: OrderField; readonly direction?: OrderDirection | null } | null;
  readonly first?: number | null;
  readonly after?: string | null;
  readonly last?: number | null;
  readonly before?: string | null;
  readonly collapse: boolean;
  readonly require?: readonly string[] | null;
  readonly timeoutMs?: number | null;
}

const NO_FILTER: TemplateFilter = Object.freeze({ ...NO_CRITERIA, registries: null, registryTypes: null });

function readFilter(given: FilterArguments | null, view: FederationView): TemplateFilter {
  if (given === null) return NO_FILTER;
  return {
    categories: checkValues('filter.categories', given.categories),
    domains: checkValues('filter.domains', given.domains),
    complexity: checkList('filter.complexity', given.complexity),
    keywords: checkValues('filter.keywords', given.keywords),
    minRating: given.minRating == null ? null : checkRange('filter.minRating', given.minRating, 0, 5),
    verified: given.verified ?? null,
    validated: given.validated ?? null,
    researchUser: given.researchUser ?? null,
    connectionTypes: checkValues('filter.connectionTypes', given.connectionTypes),
    packageManagers: checkValues('filter.packageManagers', given.packageManagers),
    licenses: checkValues('filter.licenses', given.licenses),
    updatedSinceMs: given.updatedSince ?? null,
    registries: checkRegistryNames('filter.registries', given.registries, view),
    registryTypes: checkList('filter.registryTypes', given.registryTypes),
  };
}

function readOrder(given: SearchArguments['orderBy'], query: string): TemplateOrder {
  const field = given?.field ?? 'RELEVANCE';
  const direction = given?.direction ?? (field === 'NAME' ? 'ASC' : 'DESC');
  if (field === 'RELEVANCE' && direction === 'ASC') {
    throw new BadUserInput(
      'orderBy.direction',
      '"orderBy.direction" must be DESC for RELEVANCE; ASC was given. Leave it out.',
    );
  }
  // A search box that was emptied keeps its order: without words nothing is more relevant than anything else.
  return field === 'RELEVANCE' && query === '' ? { field: 'POPULARITY', direction } : { field, direction };
}

function readPage(given: SearchArguments, maxPageSize: number): PageRequest {
  const first = given.first ?? null;
  const last = given.last ?? null;
  const after = given.after ?? null;
  const before = given.before ?? null;
  if (first !== null) checkRange('first', first, 1, maxPageSize);
  if (last !== null) checkRange('last', last, 1, maxPageSize);
  refuseTogether('last', last, 'first', first);
  refuseTogether('before', before, 'after', after);
  refuseTogether('before', before, 'first', first);
  refuseTogether('after', after, 'last', last);
  if (last !== null || before !== null) {
    return { direction: 'BACKWARD', count: last ?? Math.min(DEFAULT_PAGE_SIZE, maxPageSize), cursor: before };
  }
  return { direction: 'FORWARD', count: first ?? Math.min(DEFAULT_PAGE_SIZE, maxPageSize), cursor: after };
}

function refuseTogether(field: string, value: unknown, other: string, otherValue: unknown): void {
  if (value === null || otherValue === null) return;
  throw new BadUserInput(
    field,
    `"${field}" cannot be combined with "${other}"; both were given. Leave one of them out.`,
  );
}

/** Throws BadUserInput. */
export function readSearchRequest(given: SearchArguments, context: RequestContext): SearchRequest {
  const query = checkQuery('query', given.query ?? null);
  return {
    query,
    filter: readFilter(given.filter ?? null, context.view),
    order: readOrder(given.orderBy, query),
    page: readPage(given, context.maxPageSize),
    collapse: given.collapse,
    require: checkListLength('require', given.require ?? []).map((name) =>
      checkRegistryName('require', name, context.view),
    ),
    timeoutMs:
      given.timeoutMs == null ? null : checkRange('timeoutMs', given.timeoutMs, MIN_TIMEOUT_MS, MAX_TIMEOUT_MS),
  };
}

async function search(_: unknown, given: SearchArguments, context: RequestContext): Promise<SearchResult> {
  const result = await context.view.search(readSearchRequest(given, context));
  context.gateway.countSearch(result.tookMs);
  return result;
}

export const searchResolvers = {
  Query: { search },
  TemplateConnection: {
    nodes: (result: SearchResult) => result.edges.map((edge) => edge.template),
    pageInfo: (result: SearchResult) => result,
    registries: (result: SearchResult) => result.reports,
  },
  TemplateEdge: {
    node: (edge: SearchEdge) => edge.template,
  },
};

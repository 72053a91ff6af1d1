import type { RowRequest } from '../../src/domain/registry.ts';
import type { OrderField } from '../../src/domain/search.ts';
import type { RegistryDefinition } from '../rest-registry.ts';
import { parseCategories, parseSearchPage, parseTemplate, parseVersions } from './wire.ts';

const SORTS: Record<OrderField, string> = {
  RELEVANCE: 'relevance',
  POPULARITY: 'popularity',
  RATING: 'rating',
  UPDATED: 'updated',
  NAME: 'name',
};

/** Registries that speak the marketplace protocol, version 1 (contract 4). */
export const marketplace: RegistryDefinition = {
  kind: 'marketplace',
  writable: true,
  healthPaths: ['/api/v1/health', '/api/v1/categories'],
  search: {
    buildPath: buildSearchPath,
    toPage: (body, context, request) => parseSearchPage(body, context, request.limit),
  },
  template: {
    buildPath: (name, version) => buildTemplatePath(name, '', version),
    toTemplate: parseTemplate,
  },
  versions: {
    buildPath: (name) => buildTemplatePath(name, '/versions', null),
    toVersions: parseVersions,
  },
  content: { buildPath: (name, version) => buildTemplatePath(name, '/content', version) },
  categories: {
    buildPath: () => '/api/v1/categories',
    toCategories: parseCategories,
  },
};

/** A slash in the name is percent-encoded like everything else. */
function buildTemplatePath(name: string, detail: string, version: string | null): string {
  const query = version === null ? '' : `?version=${encodeURIComponent(version)}`;
  return `/api/v1/templates/${encodeURIComponent(name)}${detail}${query}`;
}

/** The parameters that are set, always in the same order: equal searches have equal paths, and share calls and cache. */
function buildSearchPath(request: RowRequest): string {
  const { criteria } = request;
  const parts: string[] = [];
  const add = (parameter: string, value: string | number | boolean | null): void => {
    if (value !== null && value !== '') parts.push(`${parameter}=${encodeURIComponent(String(value).toWellFormed())}`);
  };
  const addEach = (parameter: string, values: readonly string[] | null): void => {
    for (const value of values ?? []) add(parameter, value);
  };
  add('q', request.query);
  addEach('category', criteria.categories);
  addEach('domain', criteria.domains);
  addEach('complexity', criteria.complexity?.map((level) => level.toLowerCase()) ?? null);
  addEach('keyword', criteria.keywords);
  add('min_rating', criteria.minRating);
  add('verified', criteria.verified);
  add('validated', criteria.validated);
  add('research_user', criteria.researchUser);
  addEach('connection_type', criteria.connectionTypes);
  addEach('package_manager', criteria.packageManagers);
  addEach('license', criteria.licenses);
  add('updated_since', criteria.updatedSinceMs === null ? null : new Date(criteria.updatedSinceMs).toISOString());
  addEach('name', request.names ?? null);
  add('sort_by', SORTS[request.field]);
  add('sort_order', request.direction.toLowerCase());
  add('limit', request.limit);
  add('offset', request.offset);
  return `/api/v1/search?${parts.join('&')}`;
}

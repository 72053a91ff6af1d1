import type { RowRequest } from '../../src/domain/registry.ts';
import type { OrderField } from '../../src/domain/search.ts';
import type { RegistryDefinition } from '../registry-definition.ts';
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
  publish: { buildPath: () => '/api/v1/templates' },
};

/** A slash in the name is percent-encoded like everything else. */
function buildTemplatePath(name: string, detail: string, version: string | null): string {
  const query = version === null ? '' : `?version=${encodeURIComponent(version)}`;
  return `/api/v1/templates/${encodeURIComponent(name)}${detail}${query}`;
}

/** The parameters that are set, always in the same order: equal searches have equal paths, and share calls and cache. */
function buildSearchPath(request: RowRequest): string {
  const { criteria } = request;
  const path =
    '/api/v1/search?' +
    (request.query === '' ? '' : writeParameter('q', request.query)) +
    writeParameters('category', criteria.categories) +
    writeParameters('domain', criteria.domains) +
    writeParameters(
      'complexity',
      criteria.complexity?.map((level) => level.toLowerCase()),
    ) +
    writeParameters('keyword', criteria.keywords) +
    writePlain('min_rating', criteria.minRating) +
    writePlain('verified', criteria.verified) +
    writePlain('validated', criteria.validated) +
    writePlain('research_user', criteria.researchUser) +
    writeParameters('connection_type', criteria.connectionTypes) +
    writeParameters('package_manager', criteria.packageManagers) +
    writeParameters('license', criteria.licenses) +
    writeTime('updated_since', criteria.updatedSinceMs) +
    writeParameters('name', request.names);
  const order = request.direction === 'ASC' ? 'asc' : 'desc';
  return `${path}sort_by=${SORTS[request.field]}&sort_order=${order}&limit=${request.limit}&offset=${request.offset}`;
}

/** Any of a list may match, so that its order says nothing: sorted, equal filters are equal paths. */
function writeParameters(parameter: string, values: readonly string[] | null | undefined): string {
  if (values == null) return '';
  const distinct = values.length > 1 ? [...new Set(values)].sort() : values;
  return distinct.map((value) => writeParameter(parameter, value)).join('');
}

/** Each is followed by the sort, which is always there. */
function writeParameter(parameter: string, value: string): string {
  return `${parameter}=${encodeURIComponent(value.toWellFormed())}&`;
}

/** A time beyond what a date can be is left out: the gateway filters again. */
function writeTime(parameter: string, timeMs: number | null): string {
  if (timeMs === null || Number.isNaN(new Date(timeMs).getTime())) return '';
  return writeParameter(parameter, new Date(timeMs).toISOString());
}

/** Numbers and flags have nothing to encode. */
function writePlain(parameter: string, value: number | boolean | null): string {
  return value === null ? '' : `${parameter}=${value}&`;
}

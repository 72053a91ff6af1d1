/** What a search asks of every registry, in one form however it was written. */
import { BadUserInput } from '../domain/errors.ts';
import type { SearchRequest, TemplateCriteria, TemplateOrder } from '../domain/search.ts';
import type { VisibleRegistry } from './answers.ts';
import type { ListQuery } from './span-reader.ts';

/** RELEVANCE without a query has nothing to go by: it browses by popularity. */
export function listQueryOf(request: SearchRequest): ListQuery {
  const order: TemplateOrder =
    request.order.field === 'RELEVANCE' && request.query === ''
      ? { field: 'POPULARITY', direction: 'DESC' }
      : { field: request.order.field, direction: request.order.direction };
  return { query: request.query, criteria: canonicalCriteria(request.filter), order };
}

/** Equal criteria in equal words, however they were written: one cache entry, one walk. */
function canonicalCriteria(filter: TemplateCriteria): TemplateCriteria {
  const list = <T extends string>(values: readonly T[] | null) =>
    values === null ? null : [...new Set(values)].sort();
  return {
    categories: list(filter.categories),
    domains: list(filter.domains),
    complexity: list(filter.complexity),
    keywords: list(filter.keywords),
    minRating: filter.minRating,
    verified: filter.verified,
    validated: filter.validated,
    researchUser: filter.researchUser,
    connectionTypes: list(filter.connectionTypes),
    packageManagers: list(filter.packageManagers),
    licenses: list(filter.licenses),
    updatedSinceMs: filter.updatedSinceMs,
  };
}

/** Throws BadUserInput for a required registry that the search does not ask. */
export function checkRequired(registries: readonly VisibleRegistry[], required: readonly string[]): void {
  for (const name of required) {
    if (registries.some(({ source }) => source.info.name === name)) continue;
    throw new BadUserInput(
      'require',
      `"require" must name registries that the search asks; "${name}" is left out by its filter. Ask it, or do not require it.`,
    );
  }
}

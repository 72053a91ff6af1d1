import type { CacheInvalidation, TemplateFacts } from './cache.ts';
import type { TemplateCriteria } from './search.ts';

/** Decides whether a template passes; null stands for "no criteria at all", so that nothing need be called or mapped. */
export type TemplatePredicate = (template: TemplateFacts) => boolean;

/**
 * Compiles the criteria into one predicate, or null where they ask for nothing. The gateway filters again what a registry
 * has filtered, because a registry may ignore a parameter it does not know. Strings are compared without case, so that
 * this side is never stricter than a registry that compares loosely; what a template does not state matches no wish for it.
 */
export function compileCriteria(criteria: TemplateCriteria): TemplatePredicate | null {
  const tests: TemplatePredicate[] = [];
  const addList = (
    wanted: readonly string[] | null,
    valuesOf: (template: TemplateFacts) => readonly (string | null)[],
  ) => {
    if (wanted === null) return;
    const set = new Set(wanted.map((value) => value.toLowerCase()));
    tests.push((template) => valuesOf(template).some((value) => value !== null && set.has(value.toLowerCase())));
  };
  addList(criteria.categories, (template) => [template.category]);
  addList(criteria.domains, (template) => [template.domain]);
  addList(criteria.complexity, (template) => [template.complexity]);
  addList(criteria.keywords, (template) => [...template.keywords, ...template.tags]);
  addList(criteria.connectionTypes, (template) => template.connectionTypes);
  addList(criteria.packageManagers, (template) => template.packageManagers);
  addList(criteria.licenses, (template) => licenseIdentifiers(template.license));
  const { minRating, verified, validated, researchUser, updatedSinceMs } = criteria;
  if (minRating !== null) tests.push((template) => template.rating !== null && template.rating >= minRating);
  if (verified !== null) tests.push((template) => template.verified === verified);
  if (validated !== null) tests.push((template) => (template.validated ?? false) === validated);
  if (researchUser !== null) tests.push((template) => (template.researchUser ?? false) === researchUser);
  if (updatedSinceMs !== null) {
    tests.push((template) => template.updatedAtMs !== null && template.updatedAtMs >= updatedSinceMs);
  }
  if (tests.length === 0) return null;
  return (template) => tests.every((test) => test(template));
}

/**
 * Whether a list of these criteria may hold the template that an invalidation is about: as it was, or as it is. Where either
 * is not known any list may.
 */
export function mayHold(criteria: TemplateCriteria, { before, after }: CacheInvalidation): boolean {
  if (before === undefined || after === undefined) return true;
  const passes = compileCriteria(criteria);
  return [before, after].some((state) => state !== 'ABSENT' && (passes === null || passes(state)));
}

/** The expression as a whole, and the identifiers in it: "MIT OR Apache-2.0" is found by either. */
function licenseIdentifiers(expression: string | null): readonly string[] {
  if (expression === null) return [];
  return [expression, ...expression.split(/[\s()]+/).filter((word) => word !== '' && !/^(?:and|or|with)$/i.test(word))];
}

/** Facets of a search: counted here where every list was read whole, added up from the registries' own otherwise. */
import type { CountAccuracy, Facet, FacetField, FacetValue } from '../domain/search.ts';
import type { Template } from '../domain/template.ts';

/** What one registry's stream gives to the facets. */
export interface StreamFacets {
  readonly registryName: string;
  readonly namespace: string;
  readonly isLost: boolean;
  /** Every template that may be shown, when the list was read to its end; null otherwise. */
  readonly whole: readonly Template[] | null;
  /** As the registry sends them, by member name on the wire; null when it sends none. */
  readonly sent: ReadonlyMap<string, readonly FacetValue[]> | null;
  readonly totalCount: number | null;
}

interface FieldRule {
  readonly field: Exclude<FacetField, 'REGISTRY'>;
  readonly wireName: string;
  readonly valueOf: (template: Template) => string | null;
}

const FIELDS: readonly FieldRule[] = [
  { field: 'CATEGORY', wireName: 'category', valueOf: (template) => template.category },
  { field: 'DOMAIN', wireName: 'domain', valueOf: (template) => template.domain },
  { field: 'COMPLEXITY', wireName: 'complexity', valueOf: (template) => template.complexity },
  { field: 'LICENSE', wireName: 'license', valueOf: (template) => template.license },
  { field: 'VERIFIED', wireName: 'verified', valueOf: (template) => String(template.verified) },
];

/** Values of one field that are given at most, the most frequent first. */
const MAX_VALUES = 100;

/**
 * The facets of a search; null when no registry tells anything of any. `accuracy` is that of the total count: what makes
 * one uncertain makes the other so.
 */
export function mergeFacets(
  streams: readonly StreamFacets[],
  collapse: boolean,
  accuracy: CountAccuracy,
): readonly Facet[] | null {
  const answering = streams.filter((stream) => !stream.isLost);
  if (answering.length === 0) return null;
  const whole = answering.flatMap((stream) => (stream.whole === null ? [] : [{ ...stream, templates: stream.whole }]));
  if (whole.length === answering.length) return countFacets(whole, collapse, accuracy);
  const facets = FIELDS.flatMap((rule): Facet[] => {
    const sent = answering.map((stream) => valuesOf(stream, rule));
    const known = sent.filter((values) => values !== null);
    if (known.length === 0) return [];
    const counts = new Map<string, number>();
    for (const { value, count } of known.flat()) {
      const name = rule.field === 'COMPLEXITY' ? value.toUpperCase() : value;
      counts.set(name, (counts.get(name) ?? 0) + count);
    }
    return [toFacet(rule.field, counts, known.length === answering.length ? accuracy : 'ESTIMATE')];
  });
  const perRegistry = new Map(
    answering.map((stream) => [stream.registryName, stream.whole?.length ?? stream.totalCount]),
  );
  const counted = new Map(
    [...perRegistry].flatMap(([name, count]) => (count === null ? [] : [[name, count] as const])),
  );
  return [...facets, toFacet('REGISTRY', counted, counted.size === perRegistry.size ? accuracy : 'ESTIMATE')];
}

/** Counted where the whole list is there, as the registry sends them otherwise; null where it sends none. */
function valuesOf(stream: StreamFacets, rule: FieldRule): readonly FacetValue[] | null {
  if (stream.whole === null) return stream.sent?.get(rule.wireName) ?? null;
  return [...countBy(stream.whole, rule.valueOf)].map(([value, count]) => ({ value, count }));
}

function countFacets(
  streams: readonly (StreamFacets & { readonly templates: readonly Template[] })[],
  collapse: boolean,
  accuracy: CountAccuracy,
): readonly Facet[] {
  const seen = new Map<string, Set<string>>();
  const shown: { readonly registryName: string; readonly template: Template }[] = [];
  for (const { registryName, namespace, templates } of streams) {
    const names = seen.get(namespace) ?? new Set<string>();
    seen.set(namespace, names);
    const added = collapse ? templates.filter((template) => !names.has(template.name)) : templates;
    for (const template of added) {
      names.add(template.name);
      shown.push({ registryName, template });
    }
  }
  const facets = FIELDS.map((rule) =>
    toFacet(
      rule.field,
      countBy(shown, (each) => rule.valueOf(each.template)),
      accuracy,
    ),
  );
  return [
    ...facets,
    toFacet(
      'REGISTRY',
      countBy(shown, (each) => each.registryName),
      accuracy,
    ),
  ];
}

function countBy<T>(items: readonly T[], pick: (item: T) => string | null): Map<string, number> {
  const counts = new Map<string, number>();
  for (const item of items) {
    const value = pick(item);
    if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  return counts;
}

function toFacet(field: FacetField, counts: ReadonlyMap<string, number>, accuracy: CountAccuracy): Facet {
  const values = [...counts]
    .map(([value, count]) => ({ value, count }))
    .sort((left, right) => right.count - left.count || (left.value < right.value ? -1 : 1))
    .slice(0, MAX_VALUES);
  return { field, values, accuracy };
}

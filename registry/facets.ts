/**
 * Counts of values among the matches of a search.
 */
import { compareCodePoints } from './code-points.ts';
import type { Template } from './template.ts';

interface FacetValue {
  readonly value: string;
  readonly count: number;
}

const FACETS = {
  category: (template: Template) => template.category,
  domain: (template: Template) => template.domain,
  complexity: (template: Template) => template.complexity,
  license: (template: Template) => template.license,
  verified: (template: Template) => String(template.verified),
} as const satisfies Record<string, (template: Template) => string | null>;

export type FacetName = keyof typeof FACETS;
/** The values of each facet, most frequent first, equal counts by code point. */
export type Facets = Readonly<Record<FacetName, readonly FacetValue[]>>;

/** One facet's values as numbers, so that counting tens of thousands of rows is only adding. */
interface Column {
  readonly values: readonly string[];
  /** For each position the index in `values` + 1; 0: the template states none. */
  readonly codes: Uint32Array;
}

export class FacetCounter {
  readonly #columns: Readonly<Record<FacetName, Column>>;

  /** Positions are positions in `templates`. */
  constructor(templates: readonly Template[]) {
    this.#columns = {
      category: encodeColumn(templates, FACETS.category),
      domain: encodeColumn(templates, FACETS.domain),
      complexity: encodeColumn(templates, FACETS.complexity),
      license: encodeColumn(templates, FACETS.license),
      verified: encodeColumn(templates, FACETS.verified),
    };
  }

  /** Counts every facet over the given positions. */
  count(positions: ArrayLike<number>): Facets {
    return {
      category: countColumn(this.#columns.category, positions),
      domain: countColumn(this.#columns.domain, positions),
      complexity: countColumn(this.#columns.complexity, positions),
      license: countColumn(this.#columns.license, positions),
      verified: countColumn(this.#columns.verified, positions),
    };
  }
}

function encodeColumn(templates: readonly Template[], readValue: (template: Template) => string | null): Column {
  const numbers = new Map<string, number>();
  const codes = Uint32Array.from(templates, (template) => {
    const value = readValue(template);
    if (value === null) return 0;
    const code = numbers.get(value) ?? numbers.size + 1;
    numbers.set(value, code);
    return code;
  });
  return { values: [...numbers.keys()], codes };
}

function countColumn(column: Column, positions: ArrayLike<number>): readonly FacetValue[] {
  const counts = new Uint32Array(column.values.length + 1);
  for (let index = 0; index < positions.length; index += 1) {
    const code = column.codes[positions[index] ?? -1] ?? 0;
    counts[code] = (counts[code] ?? 0) + 1;
  }
  return column.values
    .map((value, index) => ({ value, count: counts[index + 1] ?? 0 }))
    .filter(({ count }) => count > 0)
    .sort((left, right) => right.count - left.count || compareCodePoints(left.value, right.value));
}

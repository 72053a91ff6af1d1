import { describe, expect, it } from 'vitest';
import type { FacetField, FacetValue } from '../../src/domain/search.ts';
import { mergeFacets, type StreamFacets } from '../../src/federation/facets.ts';
import { readRows, type WireMembers } from '../helpers/wire-rows.ts';

function stream(registryName: string, members: Partial<StreamFacets> = {}): StreamFacets {
  return {
    registryName,
    namespace: 'marketplace',
    isLost: false,
    whole: null,
    sent: null,
    totalCount: null,
    ...members,
  };
}

function whole(registryName: string, rows: readonly WireMembers[]): StreamFacets {
  return stream(registryName, { whole: readRows(registryName, rows).map((row) => row.template), totalCount: 999 });
}

function sent(registryName: string, totalCount: number | null, facets: Record<string, Record<string, number>>) {
  const values = Object.entries(facets).map(([member, counts]): [string, FacetValue[]] => [
    member,
    Object.entries(counts).map(([value, count]) => ({ value, count })),
  ]);
  return stream(registryName, { totalCount, sent: new Map(values) });
}

function valuesOf(facets: ReturnType<typeof mergeFacets>, field: FacetField): Record<string, number> | null {
  const facet = facets?.find((each) => each.field === field);
  return facet === undefined ? null : Object.fromEntries(facet.values.map(({ value, count }) => [value, count]));
}

const ML = { category: 'ml', domain: 'ai', complexity: 'simple', license: 'MIT', verified: true };
const BIO = { category: 'bio', complexity: 'ADVANCED' };

describe('facets', () => {
  it('are counted here where every list was read whole', () => {
    const facets = mergeFacets(
      [
        whole('one', [
          { name: 'a', ...ML },
          { name: 'b', ...BIO },
        ]),
        whole('two', [{ name: 'a', ...ML }]),
      ],
      false,
      'EXACT',
    );
    expect(valuesOf(facets, 'CATEGORY')).toEqual({ ml: 2, bio: 1 });
    expect(valuesOf(facets, 'DOMAIN')).toEqual({ ai: 2 });
    expect(valuesOf(facets, 'COMPLEXITY')).toEqual({ SIMPLE: 2, ADVANCED: 1 });
    expect(valuesOf(facets, 'LICENSE')).toEqual({ MIT: 2 });
    expect(valuesOf(facets, 'VERIFIED')).toEqual({ true: 2, false: 1 });
    expect(valuesOf(facets, 'REGISTRY')).toEqual({ one: 2, two: 1 });
    expect(facets?.map(({ accuracy }) => accuracy)).toEqual(Array(6).fill('EXACT'));
  });

  it('count a name that several registries carry once when collapsed, as the first of them has it', () => {
    const streams = [
      whole('one', [{ name: 'a', ...ML }]),
      whole('two', [
        { name: 'a', ...BIO },
        { name: 'c', ...BIO },
      ]),
      { ...whole('three', [{ name: 'a', ...BIO }]), namespace: 'other' },
    ];
    const facets = mergeFacets(streams, true, 'EXACT');
    expect(valuesOf(facets, 'CATEGORY')).toEqual({ bio: 2, ml: 1 });
    expect(valuesOf(facets, 'REGISTRY')).toEqual({ one: 1, two: 1, three: 1 });
  });

  it("are added up from the registries' own otherwise, with the total count's accuracy", () => {
    const streams = [
      sent('one', 10, { category: { ml: 6, bio: 4 }, complexity: { simple: 3 } }),
      sent('two', 5, { category: { ml: 5 }, complexity: { SIMPLE: 1 } }),
    ];
    const facets = mergeFacets(streams, true, 'AT_MOST');
    expect(valuesOf(facets, 'CATEGORY')).toEqual({ ml: 11, bio: 4 });
    expect(valuesOf(facets, 'COMPLEXITY')).toEqual({ SIMPLE: 4 });
    expect(valuesOf(facets, 'REGISTRY')).toEqual({ one: 10, two: 5 });
    expect(valuesOf(facets, 'DOMAIN')).toBeNull();
    expect(new Set(facets?.map(({ accuracy }) => accuracy))).toEqual(new Set(['AT_MOST']));
  });

  it('are an estimate where a registry sends none, and that one still counts among the registries', () => {
    const facets = mergeFacets(
      [sent('one', 10, { category: { ml: 6 } }), stream('two', { totalCount: 3 })],
      false,
      'EXACT',
    );
    expect(facets?.find(({ field }) => field === 'CATEGORY')?.accuracy).toBe('ESTIMATE');
    expect(facets?.find(({ field }) => field === 'REGISTRY')).toEqual({
      field: 'REGISTRY',
      accuracy: 'EXACT',
      values: [
        { value: 'one', count: 10 },
        { value: 'two', count: 3 },
      ],
    });
  });

  it('hold nothing of a registry that did not answer', () => {
    const lost = { ...sent('two', 5, { category: { secret: 5 } }), isLost: true };
    expect(JSON.stringify(mergeFacets([sent('one', 1, { category: { ml: 1 } }), lost], false, 'AT_LEAST'))).not.toMatch(
      /secret|two/,
    );
    expect(mergeFacets([lost], false, 'UNKNOWN')).toBeNull();
    expect(mergeFacets([], false, 'EXACT')).toBeNull();
  });

  it('give the most frequent values first, equal ones by code point, and a hundred at most', () => {
    const rows = Array.from({ length: 150 }, (_, index) => ({
      name: `n${index}`,
      category: `c${String(index).padStart(3, '0')}`,
    }));
    const facets = mergeFacets([whole('one', [...rows, { name: 'z', category: 'c120' }])], false, 'EXACT');
    const values = facets?.find(({ field }) => field === 'CATEGORY')?.values ?? [];
    expect(values).toHaveLength(100);
    expect(values.slice(0, 3)).toEqual([
      { value: 'c120', count: 2 },
      { value: 'c000', count: 1 },
      { value: 'c001', count: 1 },
    ]);
  });

  it('are counted where one list was read whole and the other registry sends its own', () => {
    const facets = mergeFacets(
      [whole('one', [{ name: 'a', ...ML }]), sent('two', 5, { category: { bio: 5 } })],
      false,
      'EXACT',
    );
    expect(valuesOf(facets, 'CATEGORY')).toEqual({ bio: 5, ml: 1 });
  });
});

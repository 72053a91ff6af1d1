import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { CountAccuracy, OrderField } from '../../src/domain/search.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import type { CatalogBehaviour } from '../helpers/faulty-registry-catalog.ts';
import { ANYONE, createRandom, federate, generateRows, requestOf, type Search } from '../helpers/walks.ts';

const SEED = 20_272;
const BEHAVIOURS: readonly CatalogBehaviour[] = [
  { claimsTotalOrder: true },
  { claimsTotalOrder: true },
  { tiesById: true },
  { claimsTotalOrder: true, miscountsBy: 30 },
  { claimsTotalOrder: true, miscountsBy: -30 },
  { claimsTotalOrder: true, omitsCount: true },
  { claimsTotalOrder: true, ignoresFilters: true },
  { ignoresSort: true },
  { claimsTotalOrder: true, capLimit: 10 },
];

const anyCase = fc.record({
  seed: fc.nat(1_000_000),
  counts: fc.array(fc.constantFrom(0, 3, 30, 80, 200), { minLength: 1, maxLength: 3 }),
  behaviours: fc.array(fc.constantFrom(...BEHAVIOURS), { minLength: 3, maxLength: 3 }),
  lost: fc.array(fc.constantFrom(false, false, false, true), { minLength: 3, maxLength: 3 }),
  claims: fc.constantFrom<readonly string[]>([], [], ['shared-*']),
  field: fc.constantFrom<OrderField>('POPULARITY', 'NAME'),
  filter: fc.constantFrom({}, { categories: ['ml'] }),
  collapse: fc.boolean(),
});

interface Made {
  readonly seed: number;
  readonly counts: readonly number[];
  readonly behaviours: readonly CatalogBehaviour[];
  readonly claims: readonly string[];
}

/** The registries of a case: own rows, and names that they share. */
function makeSources({ seed, counts, behaviours, claims }: Made): CatalogSource[] {
  return counts.map((count, rank) => {
    const random = createRandom(seed * 10 + rank);
    const shared = Array.from({ length: 20 }, (_, index) => ({
      name: `shared-${index}`,
      version: '1',
      category: 'ml',
    }));
    const rows = [
      ...generateRows(seed * 10 + rank, count),
      ...(count === 0 ? [] : shared.filter(() => random() < 0.5)),
    ];
    const behaviour = behaviours[rank] ?? {};
    return new CatalogSource({ name: `r${rank}`, rank, rows, behaviour, info: { claims: rank === 0 ? claims : [] } });
  });
}

/** How many entries a walk through all registries would come to, were they all there. */
function countInOnePlace(sources: readonly CatalogSource[], search: Search, claims: readonly string[]): number {
  const names = sources.flatMap(({ info, catalog }) =>
    catalog.rows
      .filter((row) => (search.filter?.categories ?? [row.category]).includes(String(row.category)))
      .filter((row) => info.rank === 0 || claims.length === 0 || !row.name.startsWith('shared-'))
      .map((row) => (search.collapse ? row.name : `${info.name}/${row.name}`)),
  );
  return new Set(names).size;
}

describe('the total count of a search', () => {
  it('is what its accuracy says', async () => {
    const seen = new Map<CountAccuracy, number>();
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ lost, field, filter, collapse, ...made }) => {
        const sources = makeSources(made);
        for (const source of sources) if (lost[source.info.rank]) source.lose();
        const search: Search = { field, filter, collapse };
        const federation = federate(sources, { window: 20 });
        const page = { direction: 'FORWARD', count: 20, cursor: null } as const;
        // The first search may show what the second then knows: that a registry miscounts, or ignores filters.
        await federation.viewFor(ANYONE).search(requestOf(search, page));
        const result = await federation.viewFor(ANYONE).search(requestOf(search, page));
        await federation.close();
        const { totalCount, totalCountAccuracy } = result;
        seen.set(totalCountAccuracy, (seen.get(totalCountAccuracy) ?? 0) + 1);
        const everything = countInOnePlace(sources, search, made.claims);
        const isHonest = made.behaviours.every(({ miscountsBy }) => miscountsBy === undefined);
        expect(totalCount === null).toBe(totalCountAccuracy === 'UNKNOWN');
        if (totalCountAccuracy === 'EXACT') {
          expect(sources.some((source) => lost[source.info.rank])).toBe(false);
          if (isHonest) expect(totalCount).toBe(everything);
        }
        if (isHonest && totalCountAccuracy === 'AT_MOST') expect(totalCount).toBeGreaterThanOrEqual(everything);
        if (isHonest && totalCountAccuracy === 'AT_LEAST') expect(totalCount).toBeLessThanOrEqual(everything);
      }),
      { seed: SEED, numRuns: 600 },
    );
    for (const accuracy of ['EXACT', 'AT_MOST', 'AT_LEAST', 'ESTIMATE', 'UNKNOWN'] as const) {
      expect([accuracy, (seen.get(accuracy) ?? 0) > 5]).toEqual([accuracy, true]);
    }
  });

  it('is exact when every list was read to its end, whatever is collapsed, filtered, claimed or miscounted', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ lost: _lost, field, filter, collapse, ...made }) => {
        const sources = makeSources({ ...made, counts: made.counts.map((count) => Math.min(count, 60)) });
        const search: Search = { field, filter, collapse };
        const page = { direction: 'FORWARD', count: 100, cursor: null } as const;
        const federation = federate(sources, { window: 100 });
        let result = await federation.viewFor(ANYONE).search(requestOf(search, page));
        if (result.hasNextPage) {
          const next = { ...page, cursor: result.endCursor() };
          result = await federation.viewFor(ANYONE).search(requestOf(search, next));
        }
        await federation.close();
        fc.pre(!result.hasNextPage && made.behaviours.every(({ miscountsBy }) => (miscountsBy ?? 0) <= 0));
        if (result.totalCountAccuracy === 'EXACT') {
          expect(result.totalCount).toBe(countInOnePlace(sources, search, made.claims));
        }
        const isOnePage = result.edges.length === countInOnePlace(sources, search, made.claims);
        if (isOnePage) expect(result.totalCountAccuracy).toBe('EXACT');
      }),
      { seed: SEED, numRuns: 300 },
    );
  });

  it('counts nothing of a list that is empty, and says so exactly', async () => {
    const sources = makeSources({ seed: 1, counts: [0, 0], behaviours: [{}, { ignoresSort: true }], claims: [] });
    const result = await federate(sources)
      .viewFor(ANYONE)
      .search(requestOf({}, { direction: 'FORWARD', count: 20, cursor: null }));
    expect([result.totalCount, result.totalCountAccuracy, result.hasNextPage, result.endCursor()]).toEqual([
      ...[0, 'EXACT', false, null],
    ]);
  });
});

describe('the facets of a search', () => {
  it('add up to the total count where every list was read whole', async () => {
    await fc.assert(
      fc.asyncProperty(anyCase, async ({ lost: _lost, field, filter, collapse, ...made }) => {
        const sources = makeSources({ ...made, counts: made.counts.map((count) => Math.min(count, 30)) });
        const search: Search = { field, filter, collapse };
        const page = { direction: 'FORWARD', count: 100, cursor: null } as const;
        const federation = federate(sources, { window: 100 });
        const result = await federation.viewFor(ANYONE).search(requestOf(search, page));
        await federation.close();
        fc.pre(result.totalCountAccuracy === 'EXACT' && !result.hasNextPage);
        const facets = result.facets();
        fc.pre(facets !== null && facets.length === 6);
        const sumOf = (values: readonly { readonly count: number }[] = []) =>
          values.reduce((sum, { count }) => sum + count, 0);
        for (const name of ['REGISTRY', 'VERIFIED'] as const) {
          expect(sumOf(facets?.find((facet) => facet.field === name)?.values)).toBe(result.totalCount);
        }
        const shown = Map.groupBy(result.edges, ({ template }) => template.registryName);
        const registries = facets?.find((facet) => facet.field === 'REGISTRY')?.values ?? [];
        expect(new Map(registries.map(({ value, count }) => [value, count]))).toEqual(
          new Map([...shown].map(([name, edges]) => [name, edges.length])),
        );
      }),
      { seed: SEED, numRuns: 200 },
    );
  });
});

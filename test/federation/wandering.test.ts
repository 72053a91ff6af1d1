import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OrderField } from '../../src/domain/search.ts';
import type { SearchResult } from '../../src/federation/answers.ts';
import { ODD_GIVERS, ODD_SORTERS } from '../helpers/behaviours.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import { ANYONE, federate, generateRows, namesOf, requestOf, type Search, walk } from '../helpers/walks.ts';

const SEED = 20_274;

const anyStep = fc.record({
  direction: fc.constantFrom<'FORWARD' | 'BACKWARD'>('FORWARD', 'BACKWARD'),
  count: fc.constantFrom(1, 3, 10, 25, 60),
  /** Which edge of the page the next step starts from: 0 the first, 1 the last. */
  from: fc.double({ min: 0, max: 1, noNaN: true }),
  isRestarted: fc.boolean(),
});
const anyWandering = fc.record({
  seed: fc.nat(1_000_000),
  field: fc.constantFrom<OrderField>('POPULARITY', 'UPDATED', 'NAME', 'RELEVANCE'),
  window: fc.constantFrom(1, 7, 50),
  steps: fc.array(anyStep, { minLength: 5, maxLength: 12 }),
});

describe.each(Object.entries({ 'keeps the protocol': { claimsTotalOrder: true }, ...ODD_SORTERS, ...ODD_GIVERS }))(
  'wandering to and fro, with a registry that %s',
  (_name, behaviour) => {
    it('every page is the neighbourhood of the edge it starts from, whichever way and whoever made its cursor', async () => {
      await fc.assert(
        fc.asyncProperty(anyWandering, async ({ seed, field, window, steps }) => {
          const sources = [120, 60].map((count, rank) => {
            const own = rank === 0 ? behaviour : { claimsTotalOrder: true };
            return new CatalogSource({
              name: `r${rank}`,
              rank,
              rows: generateRows(seed + rank, count),
              behaviour: own,
            });
          });
          const search: Search = { field, query: field === 'RELEVANCE' ? 'environment' : '' };
          const open = () => federate(sources, { window });
          const { names: list } = await walk(open().viewFor(ANYONE), search, { sizes: [100] });
          let federation = open();
          let cursor: string | null = null;
          let at = -1;
          for (const { direction, count, from, isRestarted } of steps) {
            if (isRestarted) federation = open();
            const page: SearchResult = await federation
              .viewFor(ANYONE)
              .search(requestOf(search, { direction, count, cursor }));
            const end = cursor === null ? list.length : at;
            const [first, behind] =
              direction === 'FORWARD' ? [at + 1, at + 1 + count] : [Math.max(0, end - count), Math.max(0, end)];
            expect(namesOf(page)).toEqual(list.slice(first, behind));
            if (page.edges.length === 0) continue;
            const chosen = Math.round(from * (page.edges.length - 1));
            cursor = page.edges[chosen]?.cursor() ?? null;
            at = first + chosen;
          }
        }),
        { seed: SEED, numRuns: 12 },
      );
    });
  },
);

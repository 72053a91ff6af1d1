import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { OrderDirection, OrderField } from '../../src/domain/search.ts';
import { ODD_GIVERS, ODD_SORTERS } from '../helpers/behaviours.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import type { CatalogBehaviour } from '../helpers/faulty-registry-catalog.ts';
import {
  ANYONE,
  federate,
  generateRows,
  namesOf,
  requestOf,
  type Search,
  sortInOnePlace,
  walk,
} from '../helpers/walks.ts';

const SEED = 20_267;
const WELL_BEHAVED: CatalogBehaviour = { claimsTotalOrder: true };

const anyOrder = fc.record({
  field: fc.constantFrom<OrderField>('POPULARITY', 'RATING', 'UPDATED', 'NAME'),
  direction: fc.constantFrom<OrderDirection>('ASC', 'DESC'),
});
const anyWalk = fc.record({
  seed: fc.nat(1_000_000),
  window: fc.constantFrom(1, 7, 50),
  order: anyOrder,
  walked: fc.constantFrom<'FORWARD' | 'BACKWARD'>('FORWARD', 'BACKWARD'),
  sizes: fc.array(fc.constantFrom(1, 3, 7, 20, 50, 99, 100), { minLength: 1, maxLength: 4 }),
});

/** One registry that behaves so among well-behaved ones: 60 % ties, 40 % missing keys, names of every kind. */
function makeSources(seed: number, counts: readonly number[], behaviour: CatalogBehaviour): CatalogSource[] {
  return counts.map((count, rank) => {
    const rows = generateRows(seed * 10 + rank, count);
    return new CatalogSource({ name: `r${rank}`, rank, rows, behaviour: rank === 0 ? behaviour : WELL_BEHAVED });
  });
}

/** The first few places where two lists part, for a message that can be read. */
function firstDifference(actual: readonly string[], expected: readonly string[]) {
  const at = expected.findIndex((name, index) => actual[index] !== name);
  if (at < 0 && actual.length === expected.length) return null;
  return { at, length: actual.length, actual: actual.slice(at, at + 3), expected: expected.slice(at, at + 3) };
}

describe.each(Object.entries({ 'keeps the protocol': WELL_BEHAVED, ...ODD_SORTERS, ...ODD_GIVERS }))(
  'with a registry that %s',
  (_name, behaviour) => {
    it('the joined pages equal everything sorted in one place', async () => {
      await fc.assert(
        fc.asyncProperty(anyWalk, async ({ seed, window, order, walked, sizes }) => {
          const sources = makeSources(seed, [window === 1 ? 250 : 600, 170, 90], behaviour);
          const federation = federate(sources, { window });
          const pageSizes = sizes.every((size) => size < 20) ? [...sizes, 50] : sizes;
          const joined = await walk(() => federation.viewFor(ANYONE), order, { sizes: pageSizes, direction: walked });
          expect(firstDifference(joined.names, sortInOnePlace(sources, order))).toBeNull();
        }),
        { seed: SEED, numRuns: 12 },
      );
    });
  },
);

describe('a list of more than 5,000 rows', () => {
  const BEHAVIOURS: readonly (readonly [string, CatalogBehaviour, number])[] = [
    ['keeps the protocol', WELL_BEHAVED, 50],
    ['keeps the protocol', WELL_BEHAVED, 7],
    ['gives 25 rows at most', { ...WELL_BEHAVED, capLimit: 25 }, 50],
    ['orders ties by id', { tiesById: true }, 50],
    ['ignores sorts', { ignoresSort: true }, 50],
  ];
  const ORDERS: readonly Search[] = [
    { field: 'POPULARITY', direction: 'DESC' },
    { field: 'NAME', direction: 'ASC' },
  ];

  it.each(BEHAVIOURS)(
    'of which one registry %s is walked as it was sorted in one place',
    async (_name, behaviour, window) => {
      for (const [index, order] of ORDERS.entries()) {
        const sources = makeSources(77, [5000, 400], behaviour);
        const federation = federate(sources, { window });
        const direction = index === 0 ? 'FORWARD' : 'BACKWARD';
        const joined = await walk(() => federation.viewFor(ANYONE), order, { sizes: [100, 33, 99], direction });
        expect(firstDifference(joined.names, sortInOnePlace(sources, order))).toBeNull();
      }
    },
  );
});

describe('a walk that turns round', () => {
  it.each(Object.entries({ 'keeps the protocol': WELL_BEHAVED, 'orders ties by id': { tiesById: true } }))(
    'gives the entries just before and just behind any edge, with a registry that %s',
    async (_name, behaviour) => {
      await fc.assert(
        fc.asyncProperty(anyWalk, fc.nat(), fc.integer({ min: 1, max: 30 }), async (chosen, place, count) => {
          const { seed, window, order } = chosen;
          const sources = makeSources(seed, [300, 120], behaviour);
          const expected = sortInOnePlace(sources, order);
          const federation = federate(sources, { window });
          const { pages } = await walk(() => federation.viewFor(ANYONE), order, { sizes: [100], maxPages: 3 });
          const edges = pages.flatMap((page) => page.edges);
          const at = place % edges.length;
          const cursor = edges[at]?.cursor() ?? '';
          const view = federation.viewFor(ANYONE);
          const before = await view.search(requestOf(order, { direction: 'BACKWARD', count, cursor }));
          expect(namesOf(before)).toEqual(expected.slice(Math.max(0, at - count), at));
          expect([before.hasPreviousPage, before.hasNextPage]).toEqual([at > count, true]);
          const behind = await view.search(requestOf(order, { direction: 'FORWARD', count, cursor }));
          expect(namesOf(behind)).toEqual(expected.slice(at + 1, at + 1 + count));
          expect([behind.hasPreviousPage, behind.hasNextPage]).toEqual([true, at + 1 + count < expected.length]);
          const back = await view.search(
            requestOf(order, { direction: 'BACKWARD', count: 100, cursor: behind.endCursor() }),
          );
          expect(namesOf(back)).toEqual(expected.slice(Math.max(0, at + count - 100), at + count));
        }),
        { seed: SEED, numRuns: 25 },
      );
    },
  );
});

const FILTER = { categories: ['rare'] };
const isRare = (_row: unknown, index: number) => index % 9 === 4;

describe('a filter that a registry ignores', () => {
  it.each(
    Object.entries({
      'sorts totally': WELL_BEHAVED,
      'orders ties by id': { tiesById: true },
      'ignores sorts': { ignoresSort: true },
    }),
  )(
    'is applied here, and the pages stay those of everything filtered and sorted in one place: one that %s',
    async (_name, behaviour) => {
      await fc.assert(
        fc.asyncProperty(anyWalk, async ({ seed, window, order, walked, sizes }) => {
          const sources = makeSources(seed, [400, 200], { ...behaviour, ignoresFilters: true });
          const filtered = makeSources(seed, [400, 200], behaviour);
          for (const source of [...sources, ...filtered]) {
            const rows = source.catalog.rows.map((row, index) => ({
              ...row,
              category: isRare(row, index) ? 'rare' : 'x',
            }));
            source.catalog.remove(...rows.map(({ name }) => name));
            source.catalog.insert(...(filtered.includes(source) ? rows.filter(isRare) : rows));
          }
          const federation = federate(sources, { window, scan: 5000 });
          const search = { ...order, filter: FILTER };
          const joined = await walk(() => federation.viewFor(ANYONE), search, { sizes, direction: walked });
          expect(firstDifference(joined.names, sortInOnePlace(filtered, order))).toBeNull();
        }),
        { seed: SEED, numRuns: 15 },
      );
    },
  );
});

afterAll(() => console.info(`walks: fast-check seed ${SEED}`));

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OrderField } from '../../src/domain/search.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import { ANYONE, createRandom, federate, generateRows, type Search, sortInOnePlace, walk } from '../helpers/walks.ts';

const SEED = 20_273;

/** A registry that says it sorts totally and does, but for the rows behind `depth`, which come in any order. */
function makeBroken(seed: number, count: number, depth: number): CatalogSource {
  const rows = generateRows(seed, count);
  const source = new CatalogSource({ name: 'r0', rank: 0, rows, behaviour: { claimsTotalOrder: true } });
  const search = source.catalog.search.bind(source.catalog);
  source.catalog.search = (query) => {
    const [offset, limit] = [Number(query.get('offset')), Number(query.get('limit'))];
    const all = [];
    for (let at = 0; at < count; at += 100) {
      all.push(
        ...search(new URLSearchParams([...withoutSpan(query), ['offset', `${at}`], ['limit', '100']])).templates,
      );
    }
    const random = createRandom(seed);
    const tail = all.slice(depth).map((row) => ({ row, at: random() }));
    const shuffled = tail.sort((left, right) => left.at - right.at).map(({ row }) => row);
    const list = [...all.slice(0, depth), ...shuffled];
    return { templates: list.slice(offset, offset + Math.min(limit, 100)), total_count: count, order: 'total' };
  };
  return source;
}

const withoutSpan = (query: URLSearchParams) => [...query].filter(([name]) => name !== 'offset' && name !== 'limit');

describe('a registry whose order proves wrong deep in its list', () => {
  const anyWalk = fc.record({
    seed: fc.nat(1_000_000),
    field: fc.constantFrom<OrderField>('POPULARITY', 'RATING', 'NAME'),
    window: fc.constantFrom(7, 50),
    direction: fc.constantFrom<'FORWARD' | 'BACKWARD'>('FORWARD', 'BACKWARD'),
    depth: fc.constantFrom(60, 120, 250),
    isRestarted: fc.boolean(),
  });

  it('is read another way from there on: every entry of the walk that found it out comes exactly once', async () => {
    await fc.assert(
      fc.asyncProperty(anyWalk, async ({ seed, field, window, direction, depth, isRestarted }) => {
        const other = new CatalogSource({ name: 'r1', rank: 1, rows: generateRows(seed + 1, 100) });
        const sources = [makeBroken(seed, 300, depth), other];
        const search: Search = { field };
        const federation = federate(sources, { window });
        const open = () => (isRestarted ? federate(sources, { window }) : federation).viewFor(ANYONE);
        const { names } = await walk(open, search, { sizes: [20, 7, 50], direction, maxPages: 200 });
        expect(names.filter((name, index) => names.indexOf(name) !== index)).toEqual([]);
        expect([...names].sort()).toEqual(sortInOnePlace(sources, { field: 'NAME' }).sort());
      }),
      { seed: SEED, numRuns: 40 },
    );
  });

  it('is sorted here by the walks that begin behind that: they equal everything sorted in one place', async () => {
    await fc.assert(
      fc.asyncProperty(anyWalk, async ({ seed, field, window, direction, depth }) => {
        const sources = [makeBroken(seed, 300, depth)];
        const federation = federate(sources, { window });
        const view = () => federation.viewFor(ANYONE);
        await walk(view, { field }, { sizes: [50], direction: 'FORWARD', maxPages: 200 });
        const { names } = await walk(view, { field }, { sizes: [50, 20], direction, maxPages: 200 });
        expect(names).toEqual(sortInOnePlace(sources, { field }));
      }),
      { seed: SEED, numRuns: 20 },
    );
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { hashText } from '../../src/federation/bytes.ts';
import { firstRowsOf } from '../../src/federation/first-window.ts';
import { compileQuery, scoreText } from '../../src/federation/relevance.ts';
import { ODD_GIVERS } from '../helpers/behaviours.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import type { CatalogBehaviour, WireTemplate } from '../helpers/faulty-registry-catalog.ts';
import {
  ANYONE,
  createRandom,
  federate,
  generateRows,
  namesOf,
  requestOf,
  type Search,
  walk,
} from '../helpers/walks.ts';
import { readRows } from '../helpers/wire-rows.ts';

const SEED = 20_268;
const SEARCH: Search = { field: 'RELEVANCE', query: 'python learning' };
const PARAMETERS = { q: 'python learning', sort_by: 'relevance', sort_order: 'desc' };
const WELL_BEHAVED: CatalogBehaviour = { claimsTotalOrder: true };
const BEHAVIOURS = {
  'keeps the protocol': WELL_BEHAVED,
  ...ODD_GIVERS,
  'ignores sorts': { ignoresSort: true },
  'collates by locale': { collatesByLocale: true },
};

/** Words of the query in many places and numbers, so that scores differ and tie. */
function makeSources(seed: number, counts: readonly number[], behaviour: CatalogBehaviour): CatalogSource[] {
  return counts.map((count, rank) => {
    const random = createRandom(seed * 10 + rank);
    const rows = generateRows(seed * 10 + rank, count).map((row) => ({
      ...row,
      title: random() < 0.3 ? 'Python' : 'Learning with python',
      description: random() < 0.5 ? 'learning' : `learning ${'and more '.repeat(Math.floor(random() * 20))} python`,
      tags: random() < 0.2 ? ['python'] : [],
    }));
    return new CatalogSource({ name: `r${rank}`, rank, rows, behaviour: rank === 0 ? behaviour : WELL_BEHAVED });
  });
}

/** What a registry itself gives for the query, in its order. */
function matchesOf(source: CatalogSource) {
  const names = new Set<string>();
  const rows = [];
  for (let offset = 0; ; ) {
    const query = new URLSearchParams({ ...PARAMETERS, limit: '100', offset: String(offset) });
    const { templates } = source.catalog.search(query);
    if (templates.length === 0) return rows;
    offset += templates.length;
    for (const row of templates) if (names.size < names.add(row.name).size) rows.push(row);
  }
}

const asMatch = (row: WireTemplate): WireTemplate => ({ ...row, title: 'Learning', description: 'python' });

/** Names whose hash, folded to 16 bits, is 0. */
function namesWithFingerprintZero(count: number): string[] {
  const names: string[] = [];
  for (let number = 0; names.length < count; number += 1) {
    const hash = hashText(`n${number}`);
    if ((((hash >>> 16) ^ hash) & 0xffff) === 0) names.push(`n${number}`);
  }
  return names;
}

const allNames = (sources: readonly CatalogSource[]) =>
  sources.flatMap((source) => matchesOf(source).map((row) => `${source.info.name}/${row.name}`));

describe.each(Object.entries(BEHAVIOURS))('results by relevance, with a registry that %s', (_name, behaviour) => {
  it('come exactly once, and are one list whatever the page sizes, backwards too', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), fc.constantFrom(1, 7, 50), async (seed, window) => {
        const sources = makeSources(seed, window === 1 ? [120, 50] : [420, 170, 90], behaviour);
        const walkIn = async (direction: 'FORWARD' | 'BACKWARD', ...sizes: number[]) => {
          const federation = federate(sources, { window });
          return (await walk(() => federation.viewFor(ANYONE), SEARCH, { sizes, direction })).names;
        };
        const list = await walkIn('FORWARD', 20);
        expect([...list].sort()).toEqual(allNames(sources).sort());
        expect(await walkIn('FORWARD', 7, 1, 50)).toEqual(list);
        expect(await walkIn('FORWARD', 100)).toEqual(list);
        expect(await walkIn('BACKWARD', 33)).toEqual(list);
        expect(await walkIn('BACKWARD', 100, 1, 3)).toEqual(list);
      }),
      { seed: SEED, numRuns: 4 },
    );
  });
});

describe('results by relevance', () => {
  it('descend: no entry comes before one of a greater key, which is the least score of a registry up to its window', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), fc.constantFrom(1, 7, 50), async (seed, window) => {
        const sources = makeSources(seed, [400, 200], WELL_BEHAVED);
        const query = compileQuery(SEARCH.query ?? '');
        const keys = new Map<string, number>();
        const scores = new Map<string, number>();
        for (const source of sources) {
          let floor = Number.POSITIVE_INFINITY;
          const own = readRows(source.info.name, matchesOf(source)).map((row) => ({
            name: `${source.info.name}/${row.name}`,
            score: scoreText(query, row.template),
          }));
          // The first window is shorter than those behind it.
          const firstEnd = firstRowsOf(sources.length, window);
          for (let start = 0, end = firstEnd; start < own.length; start = end, end += window) {
            const rows = own.slice(start, end);
            for (const { name, score } of rows) {
              keys.set(name, Math.min(score, floor));
              scores.set(name, score);
            }
            floor = Math.min(floor, ...rows.map(({ score }) => score));
          }
        }
        const federation = federate(sources, { window });
        const { pages } = await walk(() => federation.viewFor(ANYONE), SEARCH, { sizes: [50, 7] });
        const edges = pages.flatMap((page) => page.edges);
        expect(edges).toHaveLength(keys.size);
        let last = Number.POSITIVE_INFINITY;
        for (const { template, score } of edges) {
          const name = `${template.registryName}/${template.name}`;
          expect(Math.round((score ?? -1) * 65_535)).toBe(scores.get(name));
          const key = keys.get(name) ?? Number.NaN;
          expect(key).toBeLessThanOrEqual(last);
          last = key;
        }
      }),
      { seed: SEED, numRuns: 12 },
    );
  });

  it('turn round at any edge', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(1_000_000), fc.constantFrom(1, 7, 50), fc.nat(), async (seed, window, place) => {
        const sources = makeSources(seed, [200, 90], WELL_BEHAVED);
        const federation = federate(sources, { window });
        const { names, pages } = await walk(() => federation.viewFor(ANYONE), SEARCH, { sizes: [33] });
        const edges = pages.flatMap((page) => page.edges);
        const at = place % edges.length;
        const cursor = edges[at]?.cursor() ?? '';
        const view = federation.viewFor(ANYONE);
        const before = await view.search(requestOf(SEARCH, { direction: 'BACKWARD', count: 25, cursor }));
        expect(namesOf(before)).toEqual(names.slice(Math.max(0, at - 25), at));
        const behind = await view.search(requestOf(SEARCH, { direction: 'FORWARD', count: 25, cursor }));
        expect(namesOf(behind)).toEqual(names.slice(at + 1, at + 26));
      }),
      { seed: SEED, numRuns: 40 },
    );
  });

  it('come exactly once where the fingerprint of a row at the edge of a window is 0', async () => {
    const names = namesWithFingerprintZero(4);
    // The last of the first window and the first of the second one, and the same behind that.
    const edges = [21, 22, 71, 72];
    const rows = generateRows(4, 150).map((row, index) => {
      const name = names[edges.indexOf(index)] ?? row.name;
      return { ...row, name, title: 'Python', description: `learning ${'more '.repeat(150 - index)}` };
    });
    const source = new CatalogSource({ name: 'r0', rank: 0, rows, behaviour: { ignoresSort: true } });
    for (const direction of ['FORWARD', 'BACKWARD'] as const) {
      const federation = federate([source]);
      const { names: walked } = await walk(() => federation.viewFor(ANYONE), SEARCH, { sizes: [1], direction });
      expect([...walked].sort()).toEqual(allNames([source]).sort());
    }
  });

  it('are the same on the way back to the first window when as many rows as a window has came before it', async () => {
    for (const more of [1, 21, 22, 35, 60]) {
      const [source] = makeSources(7, [120], { ignoresSort: true });
      if (source === undefined) throw new Error('there must be a source');
      const federation = federate([source]);
      const view = () => federation.viewFor(ANYONE);
      const { names, pages } = await walk(view, SEARCH, { sizes: [30], maxPages: 2 });
      const { rows } = source.catalog;
      source.catalog.remove(...rows.map(({ name }) => name));
      source.catalog.insert(...generateRows(1000 + more, more, { prefix: 'new' }).map(asMatch), ...rows);
      const cursor = pages.at(-1)?.endCursor() ?? null;
      const back = await view().search(requestOf(SEARCH, { direction: 'BACKWARD', count: 100, cursor }));
      // All but the last, behind which the cursor stands.
      expect(namesOf(back).filter((name) => names.includes(name))).toEqual(names.slice(0, -1));
    }
  });

  it('come exactly once where a cursor has no room for the places of all registries', async () => {
    const counts = Array<number>(100).fill(16);
    const sources = makeSources(9, counts, { ignoresSort: true });
    for (const direction of ['FORWARD', 'BACKWARD'] as const) {
      const federation = federate(sources, { window: 7 });
      const { names } = await walk(() => federation.viewFor(ANYONE), SEARCH, { sizes: [100, 70], direction });
      expect([...names].sort()).toEqual(allNames(sources).sort());
    }
  });

  it('without a query are what is popular, without scores', async () => {
    const sources = makeSources(1, [200, 90], WELL_BEHAVED);
    const view = federate(sources).viewFor(ANYONE);
    const page = { direction: 'FORWARD', count: 50, cursor: null } as const;
    const browsed = await view.search(requestOf({ field: 'RELEVANCE' }, page));
    const popular = await view.search(requestOf({ field: 'POPULARITY' }, page));
    expect(namesOf(browsed)).toEqual(namesOf(popular));
    expect(browsed.edges.map(({ score }) => score)).toEqual(Array(50).fill(null));
  });

  it('of a registry that ignores the query are scored like all others', async () => {
    const sources = makeSources(3, [150, 90], { ...WELL_BEHAVED, ignoresQuery: true });
    sources[0]?.catalog.insert({ name: 'nothing-of-it', version: '1' });
    const federation = federate(sources);
    const { names, pages } = await walk(() => federation.viewFor(ANYONE), SEARCH, { sizes: [40] });
    expect(new Set(names).size).toBe(names.length);
    expect(names).toHaveLength(241);
    const edges = pages.flatMap((page) => page.edges);
    expect(edges.find(({ template }) => template.name === 'nothing-of-it')?.score).toBe(0);
  });
});

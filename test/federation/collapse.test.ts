import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OrderField } from '../../src/domain/search.ts';
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
  sortInOnePlace,
  walk,
} from '../helpers/walks.ts';

const SEED = 20_270;
const WELL_BEHAVED: CatalogBehaviour = { claimsTotalOrder: true };
const BEHAVIOURS: Readonly<Record<string, CatalogBehaviour>> = {
  'keeps the protocol': WELL_BEHAVED,
  'ignores names': { ...WELL_BEHAVED, ignoresNames: true },
  'ignores filters': { ...WELL_BEHAVED, ignoresFilters: true },
  'orders ties by id': { tiesById: true },
  'ignores sorts': { ignoresSort: true },
  'gives 25 rows at most': { ...WELL_BEHAVED, capLimit: 25 },
  'repeats entries': { ...WELL_BEHAVED, repeatsEvery: 7 },
};

/** Rows of every registry: its own, and some of a common stock, each with keys, category and words of its own. */
function makeRows(seed: number, rank: number): WireTemplate[] {
  const random = createRandom(seed * 100 + rank);
  const common = generateRows(seed, 160).filter(() => random() < 0.5);
  return [...generateRows(seed * 100 + 50 + rank, 140), ...common].map((row) => {
    const downloads = random() < 0.6 ? Math.floor(random() * 9) : Math.floor(random() * 1e5);
    const { downloads: _stated, ...bare } = row;
    return {
      ...bare,
      category: random() < 0.5 ? 'ml' : 'bio',
      description: random() < 0.5 ? 'a special one' : 'a plain one',
      ...(random() < 0.4 ? {} : { downloads }),
    };
  });
}

function makeSources(seed: number, behaviour: CatalogBehaviour, namespaces: readonly string[] = []): CatalogSource[] {
  return [0, 1, 2].map((rank) => {
    const info = { namespace: namespaces[rank] ?? 'marketplace' };
    const own = rank === 2 ? WELL_BEHAVED : behaviour;
    return new CatalogSource({ name: `r${rank}`, rank, rows: makeRows(seed, rank), behaviour: own, info });
  });
}

/** What collapse must come to: of the matches, each name of a namespace at the place of the first registry that has it. */
function collapseInOnePlace(sources: readonly CatalogSource[], search: Search): string[] {
  const shown = new Map<string, Set<string>>();
  const kept = sources.map(({ info, catalog }) => {
    const names = shown.get(info.namespace) ?? new Set<string>();
    shown.set(info.namespace, names);
    const matches = catalog.rows.filter(
      (row) =>
        String(row.description).includes(search.query ?? '') &&
        (search.filter?.categories ?? [row.category]).includes(String(row.category)),
    );
    const rows = matches.filter((row) => !names.has(row.name));
    for (const row of rows) names.add(row.name);
    return new CatalogSource({ name: info.name, rank: info.rank, rows });
  });
  return sortInOnePlace(kept, { ...search, collapse: false });
}

const anySearch = fc.record({
  seed: fc.nat(1_000_000),
  field: fc.constantFrom<OrderField>('POPULARITY', 'NAME'),
  query: fc.constantFrom('', 'special'),
  filter: fc.constantFrom({}, { categories: ['ml'] }),
  window: fc.constantFrom(7, 50),
  direction: fc.constantFrom<'FORWARD' | 'BACKWARD'>('FORWARD', 'BACKWARD'),
  sizes: fc.array(fc.constantFrom(3, 7, 20, 50, 100), { minLength: 1, maxLength: 3 }),
});

describe.each(Object.entries(BEHAVIOURS))('a collapsed search, with registries that %s', (_name, behaviour) => {
  it('has each name once, as the entry of the first registry that has it among the matches, at its own place', async () => {
    await fc.assert(
      fc.asyncProperty(anySearch, async ({ seed, field, query, filter, window, direction, sizes }) => {
        fc.pre(!(behaviour.ignoresFilters && query !== ''));
        const sources = makeSources(seed, behaviour);
        const search: Search = { field, query, filter, collapse: true };
        const federation = federate(sources, { window });
        const { names } = await walk(() => federation.viewFor(ANYONE), search, { sizes, direction });
        await federation.close();
        expect(names).toEqual(collapseInOnePlace(sources, search));
      }),
      { seed: SEED, numRuns: 12 },
    );
  });

  it('by relevance has each name once, as the same entry', async () => {
    // Whether a row matches a query only its registry can tell.
    const sources = makeSources(4, { ...behaviour, ignoresFilters: false });
    const search: Search = { field: 'RELEVANCE', query: 'special', collapse: true };
    const expected = collapseInOnePlace(sources, search).sort();
    for (const direction of ['FORWARD', 'BACKWARD'] as const) {
      const federation = federate(sources);
      const { names } = await walk(() => federation.viewFor(ANYONE), search, { sizes: [20, 7], direction });
      await federation.close();
      expect([...names].sort()).toEqual(expected);
    }
  });
});

const QUERIES = [
  'special',
  'specia',
  'pecial',
  'a special',
  'special one',
  'plain',
  'plai',
  'a plain',
  'plain one',
  '',
];

describe.each(Object.entries(BEHAVIOURS))(
  'first pages of one search after another, with registries that %s',
  (_name, behaviour) => {
    it('have each name once, also where what they ask is known beforehand', async () => {
      for (const seed of [11, 12, 13]) {
        const sources = makeSources(seed, behaviour);
        const federation = federate(sources);
        const queries = behaviour.ignoresFilters ? [''] : QUERIES;
        for (const query of [...queries, ...queries, ...queries]) {
          for (const filter of [{}, { categories: ['ml'] }, { categories: ['bio'] }]) {
            const search: Search = { field: 'POPULARITY', query, filter, collapse: true };
            const page = { direction: 'FORWARD', count: 20, cursor: null } as const;
            const result = await federation.viewFor(ANYONE).search(requestOf(search, page));
            expect(namesOf(result)).toEqual(collapseInOnePlace(sources, search).slice(0, 20));
          }
        }
        await federation.close();
      }
    });
  },
);

describe('collapse', () => {
  it('does not cross namespaces', async () => {
    const sources = makeSources(5, WELL_BEHAVED, ['a', 'b', 'a']);
    const search: Search = { field: 'NAME', collapse: true };
    const { names } = await walk(federate(sources).viewFor(ANYONE), search, { sizes: [50] });
    expect(names).toEqual(collapseInOnePlace(sources, search));
    expect(names.length).toBeGreaterThan(collapseInOnePlace(makeSources(5, WELL_BEHAVED), search).length);
  });

  it('is off unless asked for: every registry keeps its entry', async () => {
    const sources = makeSources(5, WELL_BEHAVED);
    const { names } = await walk(federate(sources).viewFor(ANYONE), { collapse: false }, { sizes: [100] });
    expect(names).toEqual(sortInOnePlace(sources, {}));
  });

  it('a registry that cannot be asked suppresses nothing, and a count is no longer exact', async () => {
    const sources = makeSources(6, WELL_BEHAVED);
    const search: Search = { field: 'NAME', collapse: true };
    const [first, ...others] = sources;
    first?.lose();
    const { names, pages } = await walk(federate(sources).viewFor(ANYONE), search, { sizes: [50] });
    expect(names).toEqual(collapseInOnePlace(others, search));
    expect(pages.every((page) => page.partial)).toBe(true);
    expect(pages.some((page) => page.totalCountAccuracy === 'EXACT')).toBe(false);
  });

  it('never gives an entry twice while registries come and go, whatever was shown instead of it', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(1_000_000),
        fc.constantFrom<OrderField>('POPULARITY', 'NAME', 'RELEVANCE'),
        async (seed, field) => {
          const sources = makeSources(seed, WELL_BEHAVED);
          const random = createRandom(seed);
          const search: Search = { field, query: field === 'RELEVANCE' ? 'special' : '', collapse: true };
          const federation = federate(sources);
          const { names } = await walk(() => federation.viewFor(ANYONE), search, {
            sizes: [20, 7],
            between: () => {
              for (const source of sources) {
                if (random() < 0.2) source.lose();
                else if (random() < 0.5) source.regain();
              }
            },
          });
          for (const source of sources) source.regain();
          await federation.close();
          expect(new Set(names).size).toBe(names.length);
        },
      ),
      { seed: SEED, numRuns: 30 },
    );
  });

  it('asks an earlier registry once for all names of a page, and once more where the page reads another window', async () => {
    const sources = makeSources(7, WELL_BEHAVED);
    const federation = federate(sources);
    const pages: { readonly questions: number[]; readonly windows: number }[] = [];
    const isQuestion = (path: string) => path.includes('name=');
    const note = () => {
      const questions = sources.map((source) => source.asked.filter(isQuestion).length);
      const windows = sources.flatMap((source) => source.asked.filter((path) => !isQuestion(path)));
      pages.push({ questions, windows: windows.length });
      for (const source of sources) source.asked.length = 0;
    };
    const search: Search = { field: 'NAME', collapse: true };
    await walk(() => federation.viewFor(ANYONE), search, { sizes: [20], maxPages: 9, between: note });
    await federation.close();
    expect(pages.some(({ questions }) => questions[0] === 1)).toBe(true);
    for (const { questions, windows } of pages) {
      expect(questions[2]).toBe(0);
      // Every page reads each list's own window first; whatever is read beyond brings names that were not known before.
      for (const count of questions) expect(count).toBeLessThanOrEqual(1 + windows - sources.length);
    }
  });

  it('asks nothing where the first windows are the whole lists', async () => {
    const sources = makeSources(8, WELL_BEHAVED).map(
      ({ info, catalog }) => new CatalogSource({ name: info.name, rank: info.rank, rows: catalog.rows.slice(-5) }),
    );
    const page = { direction: 'FORWARD', count: 100, cursor: null } as const;
    const result = await federate(sources)
      .viewFor(ANYONE)
      .search(requestOf({ collapse: true }, page));
    expect(sources.flatMap((source) => source.asked.filter((path) => path.includes('name=')))).toEqual([]);
    expect(namesOf(result)).toEqual(collapseInOnePlace(sources, {}).slice(0, 100));
    expect([result.totalCount, result.totalCountAccuracy]).toEqual([collapseInOnePlace(sources, {}).length, 'EXACT']);
  });

  it('knows after a while which names a registry carries at all, and asks it about no others', async () => {
    const shared = generateRows(1, 30);
    const sources = [
      new CatalogSource({ name: 'r0', rank: 0, rows: [...generateRows(2, 400), ...shared], behaviour: WELL_BEHAVED }),
      new CatalogSource({ name: 'r1', rank: 1, rows: [...generateRows(3, 600), ...shared], behaviour: WELL_BEHAVED }),
    ];
    const federation = federate(sources);
    const search: Search = { field: 'POPULARITY', collapse: true };
    const first = await walk(() => federation.viewFor(ANYONE), search, { sizes: [20] });
    await federation.close();
    for (const source of sources) source.asked.length = 0;
    const second = await walk(() => federation.viewFor(ANYONE), search, { sizes: [20] });
    expect(second.names).toEqual(first.names);
    const named = sources[0]?.asked.filter((path) => path.includes('name=')) ?? [];
    const names = new Set(named.flatMap((path) => new URLSearchParams(path.split('?')[1]).getAll('name')));
    expect([...names].filter((name) => !shared.some((row) => row.name === name))).toEqual([]);
  });

  it('sees a name that an earlier registry got after its names were listed', async () => {
    const sources = makeSources(9, WELL_BEHAVED);
    const federation = federate(sources);
    const search: Search = { field: 'NAME', collapse: true };
    await walk(() => federation.viewFor(ANYONE), search, { sizes: [20] });
    await federation.close();
    const newName = sources[2]?.catalog.rows.findLast(
      (row) => !sources[0]?.catalog.rows.some(({ name }) => name === row.name),
    );
    if (newName === undefined) throw new Error('a name of the last registry alone is needed');
    sources[0]?.catalog.insert({ ...newName, downloads: 1 });
    const { names } = await walk(() => federation.viewFor(ANYONE), search, { sizes: [20] });
    await federation.close();
    expect(names).toEqual(collapseInOnePlace(sources, search));
  });
});

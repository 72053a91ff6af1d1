import { describe, expect, it } from 'vitest';
import type { OrderField } from '../../src/domain/search.ts';
import type { SearchResult } from '../../src/federation/answers.ts';
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

const WELL_BEHAVED: CatalogBehaviour = { claimsTotalOrder: true };
const FIELDS: readonly OrderField[] = ['POPULARITY', 'RATING', 'UPDATED', 'NAME', 'RELEVANCE'];
const DIRECTIONS = ['FORWARD', 'BACKWARD'] as const;

function makeSources(
  counts: readonly number[],
  behaviour: CatalogBehaviour = WELL_BEHAVED,
  ties = 0.6,
): CatalogSource[] {
  return counts.map(
    (count, rank) =>
      new CatalogSource({ name: `r${rank}`, rank, rows: generateRows(40 + rank, count, { ties }), behaviour }),
  );
}

/** Counts what it is asked for while its answers are held back. */
class HeldSource extends CatalogSource {
  held = 0;
  #gate: Promise<void> | null = null;

  hold(until: Promise<void>): void {
    this.#gate = until;
  }

  override async searchRows(...call: Parameters<CatalogSource['searchRows']>) {
    if (this.#gate !== null) this.held += 1;
    await this.#gate;
    return await super.searchRows(...call);
  }
}

const searchFor = (field: OrderField): Search => ({ field, query: field === 'RELEVANCE' ? 'environment' : '' });

/** Walks to the end; what each page cost. */
async function costsOf(
  sources: readonly CatalogSource[],
  search: Search,
  options: { direction: 'FORWARD' | 'BACKWARD'; window: number; count: number; pages: number },
) {
  const federation = federate(sources, { window: options.window });
  const costs: { requests: number; rows: number }[] = [];
  const forget = () => {
    costs.push({
      requests: sources.reduce((sum, source) => sum + source.asked.length, 0),
      rows: sources.reduce((sum, source) => sum + source.rowsAsked, 0),
    });
    for (const source of sources) source.asked.length = 0;
  };
  await walk(() => federation.viewFor(ANYONE), search, {
    sizes: [options.count],
    direction: options.direction,
    maxPages: options.pages,
    between: forget,
  });
  return costs;
}

describe('the cost of a page', () => {
  const CASES = FIELDS.flatMap((field) => DIRECTIONS.map((direction) => [field, direction] as const));

  it.each(CASES)(
    'under %s, %s, is at most R + min(R, n) + ⌈n/W⌉ windows, however deep it is',
    async (field, direction) => {
      for (const [window, count] of [
        [50, 20],
        [50, 100],
        [7, 20],
      ] as const) {
        const sources = makeSources([2500, 1500, 1200], WELL_BEHAVED, 0.1);
        const costs = await costsOf(sources, searchFor(field), { direction, window, count, pages: 105 });
        const R = sources.length;
        const bound = R + Math.min(R, count) + Math.ceil(count / window);
        // The first pages of a process learn what the registries are; a walk by relevance from the end scores everything once.
        const settled = costs.slice(field === 'RELEVANCE' && direction === 'BACKWARD' ? 3 : 2);
        for (const { requests } of settled) expect(requests).toBeLessThanOrEqual(bound);
        expect(costs.length).toBeGreaterThan(40);
      }
    },
  );

  it.each([
    ['a first page of 20 of one registry is one window', [1000], 20, 0, 1],
    ['a first page of 100 of one registry is three windows at once', [1000], 100, 0, 3],
    ['a first page of 20 of three registries is one window of each', [1000, 1000, 1000], 20, 0, 3],
    ['a first page of 100 of three registries is two windows of each at once', [1000, 1000, 1000], 100, 0, 6],
    ['a second page that comes to the end of its window asks for the next one at once', [1000], 20, 1, 2],
  ] as const)('%s', async (_promise, counts, count, pagesBefore, atOnce) => {
    for (const field of FIELDS) {
      // By relevance it is not known how much of its window a page has shown.
      if (field === 'RELEVANCE' && pagesBefore > 0) continue;
      const sources = counts.map((length, rank) => {
        const rows = generateRows(40 + rank, length, { ties: 0.1 });
        return new HeldSource({ name: `r${rank}`, rank, rows, behaviour: WELL_BEHAVED });
      });
      const view = federate(sources).viewFor(ANYONE);
      // What the registries are is known from another list.
      await view.search(requestOf({ field, query: 'row' }, { direction: 'FORWARD', count: 1, cursor: null }));
      let cursor: string | null = null;
      for (let page = 0; page < pagesBefore; page += 1) {
        const before: SearchResult = await view.search(
          requestOf(searchFor(field), { direction: 'FORWARD', count, cursor }),
        );
        cursor = before.endCursor();
      }
      const gate = Promise.withResolvers<void>();
      for (const source of sources) source.hold(gate.promise);
      const page = view.search(requestOf(searchFor(field), { direction: 'FORWARD', count, cursor }));
      await new Promise(setImmediate);
      const asked = sources.reduce((sum, source) => sum + source.held, 0);
      expect([field, asked]).toEqual([field, atOnce]);
      gate.resolve();
      expect(namesOf(await page)).toHaveLength(count);
    }
  });

  it.each(FIELDS)(
    'under %s does not grow with its depth: pages 120 to 200 ask for no more rows than 20 to 100',
    async (field) => {
      const sources = makeSources([2500, 1500, 1200], WELL_BEHAVED, 0.1);
      const costs = await costsOf(sources, searchFor(field), {
        direction: 'FORWARD',
        window: 50,
        count: 20,
        pages: 210,
      });
      const rowsOf = (from: number) => costs.slice(from, from + 80).reduce((sum, { rows }) => sum + rows, 0);
      expect(rowsOf(120)).toBeLessThanOrEqual(1.1 * rowsOf(20));
    },
  );

  it('of a cold process deep in a walk is that of any page: nothing before it is read', async () => {
    for (const field of FIELDS) {
      const sources = makeSources([2500, 1500], WELL_BEHAVED, 0.1);
      const search = searchFor(field);
      const { pages } = await walk(federate(sources).viewFor(ANYONE), search, { sizes: [100], maxPages: 12 });
      for (const source of sources) source.asked.length = 0;
      const cursor = pages.at(-1)?.endCursor() ?? null;
      await federate(sources)
        .viewFor(ANYONE)
        .search(requestOf(search, { direction: 'FORWARD', count: 20, cursor }));
      expect(sources.reduce((sum, source) => sum + source.asked.length, 0)).toBeLessThanOrEqual(2 + 2 + 1);
    }
  });

  it('is one window of each registry for the first page, and nothing when it lies in the cache', async () => {
    for (const field of FIELDS) {
      const sources = makeSources([400, 400, 400]).map(
        ({ info, catalog }) =>
          new CatalogSource({ name: info.name, rank: info.rank, rows: catalog.rows, keepsAnswers: true }),
      );
      const federation = federate(sources);
      const ask = (query: string) =>
        federation
          .viewFor(ANYONE)
          .search(requestOf({ field, query }, { direction: 'FORWARD', count: 20, cursor: null }));
      await ask('plain');
      // By name the collation has to be seen, once, on more rows than a page.
      expect(sources.map((source) => source.asked.length)).toEqual(Array(3).fill(field === 'NAME' ? 2 : 1));
      await ask('generated');
      expect(sources.map((source) => source.asked.length)).toEqual(Array(3).fill(field === 'NAME' ? 3 : 2));
      await ask('generated');
      expect(sources.map((source) => source.asked.length)).toEqual(Array(3).fill(field === 'NAME' ? 3 : 2));
    }
  });
});

/** Walks while pages end early, and checks that each of them gets on. */
async function walkBounded(
  sources: readonly CatalogSource[],
  search: Search,
  settings: Parameters<typeof federate>[1],
  direction: 'FORWARD' | 'BACKWARD',
) {
  const federation = federate(sources, settings);
  const pages: SearchResult[] = [];
  const cursors = new Set<string | null>([null]);
  let cursor: string | null = null;
  for (;;) {
    const page = await federation.viewFor(ANYONE).search(requestOf(search, { direction, count: 5, cursor }));
    pages.push(page);
    cursor = direction === 'FORWARD' ? page.endCursor() : page.startCursor();
    if (!(direction === 'FORWARD' ? page.hasNextPage : page.hasPreviousPage)) break;
    expect(cursors.has(cursor)).toBe(false);
    cursors.add(cursor);
  }
  return pages;
}

describe('a registry that ignores filters', () => {
  const isRare = (index: number) => index % 400 === 7;
  const makeRare = (behaviour: CatalogBehaviour) =>
    [3000, 800].map((count, rank) => {
      const rows = generateRows(60 + rank, count).map((row, index) => ({
        ...row,
        category: isRare(index) ? 'rare' : 'x',
      }));
      const own = rank === 0 ? { ...behaviour, ignoresFilters: true } : WELL_BEHAVED;
      return new CatalogSource({ name: `r${rank}`, rank, rows, behaviour: own });
    });
  const SORTERS = { 'sorts totally': WELL_BEHAVED, 'orders ties by id': { tiesById: true } };
  const CASES = Object.entries(SORTERS)
    .flatMap(([name, behaviour]) =>
      (['POPULARITY', 'NAME', 'RELEVANCE'] as const).flatMap((field) =>
        DIRECTIONS.flatMap((direction) =>
          [7, 50].map((window) => [name, field, direction, window, behaviour] as const),
        ),
      ),
    )
    .filter(([name, field]) => !(name === 'orders ties by id' && field === 'NAME'));

  it.each(CASES)(
    'and %s: %s, %s, windows of %i: a page scans 500 rows at most, ends early, and the walk finds everything',
    async (name, field, direction, window, behaviour) => {
      const sources = makeRare(behaviour);
      const search: Search = { ...searchFor(field), filter: { categories: ['rare'] } };
      const pages = await walkBounded(sources, search, { window, scan: 500 }, direction);
      const names = pages.flatMap(namesOf);
      const wanted = sources.flatMap((source) =>
        source.catalog.rows
          .filter(({ category }) => category === 'rare')
          .map(({ name }) => `${source.info.name}/${name}`),
      );
      expect([...names].sort()).toEqual(wanted.sort());
      if (field !== 'RELEVANCE') {
        const expected = sortInOnePlace(sources, search).filter((name) => wanted.includes(name));
        const joined = direction === 'FORWARD' ? names : pages.toReversed().flatMap(namesOf);
        expect(joined).toEqual(expected);
      }
      const early = pages.filter((page) => page.edges.length < 5);
      expect(early.length).toBeGreaterThan(0);
      // A group of equal keys is read to its end, and a walk by relevance from the end reads its floors.
      const isWhole = name === 'orders ties by id' || (field === 'RELEVANCE' && direction === 'BACKWARD');
      if (!isWhole) {
        for (const page of pages) expect(page.reports[0]?.scanned).toBeLessThanOrEqual(500);
      }
    },
  );
});

describe('a registry that cannot sort', () => {
  it('is read up to the drain bound, and its report says PARTIAL, truncated and how far', async () => {
    for (const [drain, depth] of [
      [{ rows: 300, requests: 10 }, 300],
      [{ rows: 5000, requests: 4 }, 400],
    ] as const) {
      const sources = makeSources([1000], { ignoresSort: true, capLimit: 100 });
      const federation = federate(sources, { drain });
      const first = await federation
        .viewFor(ANYONE)
        .search(requestOf({}, { direction: 'FORWARD', count: 20, cursor: null }));
      expect(first.reports[0]).toMatchObject({ order: 'PARTIAL', truncated: true, reachable: depth, outcome: 'OK' });
      const reference = new CatalogSource({
        name: 'r0',
        rank: 0,
        rows: sources[0]?.catalog.rows.slice(0, depth) ?? [],
      });
      const { names } = await walk(federation.viewFor(ANYONE), {}, { sizes: [100] });
      expect(names).toEqual(sortInOnePlace([reference], {}));
    }
  });

  it('and has no more rows than that is sorted here whole, and its report says GATEWAY', async () => {
    const sources = makeSources([300], { ignoresSort: true });
    const page = await federate(sources, { drain: { rows: 300, requests: 10 } })
      .viewFor(ANYONE)
      .search(requestOf({}, { direction: 'FORWARD', count: 20, cursor: null }));
    expect(page.reports[0]).toMatchObject({ order: 'GATEWAY', truncated: false, reachable: null });
    expect([page.totalCount, page.totalCountAccuracy]).toEqual([300, 'EXACT']);
  });

  it('is asked for its rows and no more than its requests', async () => {
    const sources = makeSources([3000], { ignoresSort: true });
    await federate(sources, { drain: { rows: 1000, requests: 10 } })
      .viewFor(ANYONE)
      .search(requestOf({}, { direction: 'FORWARD', count: 20, cursor: null }));
    // One window more shows that it does not sort.
    expect(sources[0]?.asked.length).toBeLessThanOrEqual(11);
  });

  it('is drained once for any number of pages that want it at the same time', async () => {
    const sources = makeSources([1000], { ignoresSort: true });
    const federation = federate(sources, { drain: { rows: 1000, requests: 10 } });
    const request = requestOf({}, { direction: 'FORWARD', count: 20, cursor: null });
    await federation.viewFor(ANYONE).search(request);
    const single = sources[0]?.asked.length ?? 0;
    const again = federate(sources, { drain: { rows: 1000, requests: 10 } });
    await again.viewFor(ANYONE).search(request);
    for (const source of sources) source.asked.length = 0;
    await Promise.all(Array.from({ length: 50 }, () => again.viewFor(ANYONE).search(request)));
    expect(sources[0]?.asked.length).toBeLessThanOrEqual(single);
  });
});

describe('a registry whose ties come in an order of their own', () => {
  it('is read by whole groups, and one whose ties are all of it is drained', async () => {
    const rows = generateRows(9, 900, { missing: 0 }).map((row) => ({ ...row, downloads: 5 }));
    const sources = [new CatalogSource({ name: 'r0', rank: 0, rows, behaviour: { tiesById: true } })];
    const settings = { drain: { rows: 400, requests: 40 } };
    const pages = await walkBounded(sources, {}, settings, 'FORWARD');
    expect(pages[0]?.reports[0]).toMatchObject({ order: 'PARTIAL', truncated: true, reachable: 400 });
    expect(new Set(pages.flatMap(namesOf)).size).toBe(400);
  });
});

import { describe, expect, it } from 'vitest';
import { BadCursor } from '../../src/domain/errors.ts';
import type { OrderDirection, OrderField, SearchRequest } from '../../src/domain/search.ts';
import type { SearchResult } from '../../src/federation/answers.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
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

const FIELDS: readonly OrderField[] = ['POPULARITY', 'RATING', 'UPDATED', 'NAME', 'RELEVANCE'];
const searchFor = (field: OrderField, direction: OrderDirection = 'ASC'): Search => ({
  ...{ field, direction, query: field === 'RELEVANCE' ? 'environment' : '' },
});
const forward = (count: number, cursor: string | null) => ({ direction: 'FORWARD', count, cursor }) as const;

function makeSources(...counts: readonly number[]): CatalogSource[] {
  return counts.map((count, rank) => new CatalogSource({ name: `r${rank}`, rank, rows: generateRows(rank, count) }));
}

describe('a cursor belongs to its search', () => {
  const base = requestOf(
    { field: 'NAME', query: 'environment', filter: { categories: ['ml', 'bio'] } },
    forward(5, null),
  );
  const OTHERS: readonly (readonly [string, Partial<SearchRequest>])[] = [
    ['another query', { query: 'environments' }],
    ['no query', { query: '' }],
    ['another filter', { filter: { ...base.filter, categories: ['ml'] } }],
    ['a filter more', { filter: { ...base.filter, verified: true } }],
    ['other registries', { filter: { ...base.filter, registries: ['r0'] } }],
    ['other kinds of registries', { filter: { ...base.filter, registryTypes: ['OFFICIAL'] } }],
    ['another field', { order: { field: 'RATING', direction: 'ASC' } }],
    ['another direction', { order: { field: 'NAME', direction: 'DESC' } }],
    ['collapse', { collapse: true }],
  ];
  const SAME: readonly (readonly [string, Partial<SearchRequest>])[] = [
    ['another page size', { page: forward(50, null) }],
    ['the other direction', { page: { direction: 'BACKWARD', count: 5, cursor: null } }],
    ['another time to wait', { timeoutMs: 4_000 }],
    ['registries that are required', { require: ['r0'] }],
    ['the same filter in other words', { filter: { ...base.filter, categories: ['bio', 'ml', 'bio'] } }],
  ];
  const take = async (other: Partial<SearchRequest>) => {
    const federation = federate(makeSources(60, 40));
    const cursor = (await federation.viewFor(ANYONE).search(base)).endCursor();
    const request = { ...base, ...other };
    return await federation.viewFor(ANYONE).search({ ...request, page: { ...request.page, cursor } });
  };

  it.each(OTHERS)('and is refused with %s', async (_what, other) => {
    await expect(take(other)).rejects.toBeInstanceOf(BadCursor);
  });

  it.each(SAME)('and is taken up with %s', async (_what, other) => {
    expect((await take(other)).edges.length).toBeGreaterThan(0);
  });

  it('and names the argument that held a wrong one', async () => {
    const view = federate(makeSources(60)).viewFor(ANYONE);
    const wrong = (direction: 'FORWARD' | 'BACKWARD') =>
      view.search({ ...base, page: { direction, count: 5, cursor: 'no' } });
    await expect(wrong('FORWARD')).rejects.toMatchObject({ field: 'after' });
    await expect(wrong('BACKWARD')).rejects.toMatchObject({ field: 'before' });
  });

  it('and is refused without one call to a registry', async () => {
    const sources = makeSources(60);
    const request = requestOf({ field: 'NAME' }, forward(5, 'A'.repeat(90)));
    await expect(federate(sources).viewFor(ANYONE).search(request)).rejects.toBeInstanceOf(BadCursor);
    expect(sources[0]?.asked).toEqual([]);
  });
});

describe('registries that come and go between two pages of a walk', () => {
  it('that are gone drop out unsaid; what the others have comes exactly once', async () => {
    for (const field of FIELDS) {
      const [first, second, third] = makeSources(120, 90, 60);
      if (first === undefined || second === undefined || third === undefined) throw new Error('three are needed');
      const search = searchFor(field);
      const before = await walk(federate([first, second, third]).viewFor(ANYONE), search, { sizes: [40], maxPages: 2 });
      const names = [...before.names];
      let cursor = before.pages.at(-1)?.endCursor() ?? null;
      for (let goesOn = true; goesOn; ) {
        const page: SearchResult = await federate([first, third])
          .viewFor(ANYONE)
          .search(requestOf(search, forward(40, cursor)));
        expect(page.partial).toBe(false);
        names.push(...namesOf(page));
        cursor = page.endCursor();
        goesOn = page.hasNextPage;
      }
      expect(new Set(names).size).toBe(names.length);
      const others = names.filter((name) => !name.startsWith('r1/'));
      expect([...others].sort()).toEqual(sortInOnePlace([first, third], searchFor('NAME')).sort());
      if (field !== 'RELEVANCE') expect(others).toEqual(sortInOnePlace([first, third], search));
    }
  });

  it('that are new join after the last row shown', async () => {
    for (const field of FIELDS.filter((each) => each !== 'RELEVANCE')) {
      const [first, second] = makeSources(120, 90);
      if (first === undefined || second === undefined) throw new Error('two are needed');
      const search = searchFor(field);
      const before = await walk(federate([first]).viewFor(ANYONE), search, { sizes: [40], maxPages: 1 });
      const all = sortInOnePlace([first, second], search);
      const place = all.indexOf(before.names.at(-1) ?? '');
      const page = requestOf(search, forward(100, before.pages[0]?.endCursor() ?? null));
      const next = await federate([first, second]).viewFor(ANYONE).search(page);
      expect(namesOf(next)).toEqual(all.slice(place + 1, place + 101));
      expect(next.reports.map(({ lateRows }) => lateRows)).toEqual([0, 0]);
    }
  });
});

describe('100 registries', () => {
  /** Names of 500 characters in three bytes each; registries fail and come back on the way. */
  const makeHundred = () =>
    Array.from({ length: 100 }, (_, rank) => {
      const rows = generateRows(rank, 12, { missing: 0.2 }).map((row) => ({
        ...row,
        name: `${row.name}-${'中'.repeat(495 - row.name.length)}`,
      }));
      return new CatalogSource({ name: `r${rank}`, rank, rows });
    });

  it.each(FIELDS)('are walked with cursors of 1,024 characters at most, names of 500 characters: %s', async (field) => {
    const sources = makeHundred();
    const search = searchFor(field, 'DESC');
    const { names, pages } = await walk(federate(sources).viewFor(ANYONE), search, { sizes: [100] });
    expect([...names].sort()).toEqual(sortInOnePlace(sources, searchFor('NAME')).sort());
    if (field !== 'RELEVANCE') expect(names).toEqual(sortInOnePlace(sources, search));
    for (const page of pages) {
      expect(page.endCursor()?.length).toBeLessThanOrEqual(1024);
      expect(page.edges[50]?.cursor().length ?? 0).toBeLessThanOrEqual(1024);
    }
  });

  it.each(FIELDS)('are walked while some of them fail at different places: nothing is lost, %s', async (field) => {
    const sources = makeHundred();
    const random = createRandom(5);
    const search = searchFor(field, 'DESC');
    const federation = federate(sources);
    const names: string[] = [];
    let cursor: string | null = null;
    for (let index = 0; index < 60; index += 1) {
      if (index < 8) sources[Math.floor(random() * 100)]?.lose();
      else for (const source of sources) source.regain();
      const page: SearchResult = await federation.viewFor(ANYONE).search(requestOf(search, forward(100, cursor)));
      names.push(...namesOf(page));
      cursor = page.endCursor();
      expect(cursor?.length ?? 0).toBeLessThanOrEqual(1024);
      if (!page.hasNextPage && !page.partial) break;
    }
    expect([...new Set(names)].sort()).toEqual(sortInOnePlace(sources, searchFor('NAME')).sort());
  });
});

/** What is asked of registries while whoever walks looks at a page. Registries on loopback that count what arrives. */
import { describe, expect, it } from 'vitest';
import type { SearchResult } from '../../src/federation/answers.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { makeRows } from '../helpers/faulty-registry-source.ts';
import { type OpenFederation, openFederation } from '../helpers/open-federation.ts';
import { namesOf, requestOf, type Search } from '../helpers/walks.ts';

/** Rows of each window but the first, which has these. */
const WINDOW = 50;
const FIRST_WINDOW = 22;
/** Each but the first is asked for with the row before it. */
const SEAM = 1;
const PAGE = 20;
const ROWS = 230;
const WALKS: readonly (Search & { readonly promise: string })[] = [
  { promise: 'by popularity', field: 'POPULARITY' },
  { promise: 'by relevance', field: 'RELEVANCE', query: 'template' },
];

function startRegistry(): Promise<FaultyRegistry> {
  return startFaultyRegistry({ rows: makeRows(ROWS), behaviour: { claimsTotalOrder: true } });
}

function askPage(
  gateway: OpenFederation,
  search: Search,
  cursor: string | null,
  direction: 'FORWARD' | 'BACKWARD' = 'FORWARD',
): Promise<SearchResult> {
  return gateway.view().search(requestOf(search, { direction, count: PAGE, cursor }));
}

/** So many pages from the beginning; gives the last of them. */
async function walkPages(gateway: OpenFederation, search: Search, pages: number): Promise<SearchResult> {
  let page = await askPage(gateway, search, null);
  for (let index = 1; index < pages; index += 1) page = await askPage(gateway, search, page.endCursor());
  return page;
}

/** What would have been read ahead before this was read ahead by now: a walk elsewhere has its window. */
async function passFence(gateway: OpenFederation, fence: FaultyRegistry, field: 'RATING' | 'UPDATED'): Promise<void> {
  const before = fence.arrivalsAt().length;
  await walkPages(gateway, { field, filter: { registries: ['fence'] } }, 2);
  await fence.whenArrived(before + 2);
}

describe.each(WALKS)('a walk $promise', (search) => {
  it('finds the window of its next page in the cache', async () => {
    await using registry = await startRegistry();
    await using gateway = await openFederation({ one: registry });
    // The first page comes from the first window, the second and the third from the second one.
    const third = await walkPages(gateway, search, 3);
    expect(third.reports[0]?.cache).toBe('HIT');
    await registry.whenArrived(3);
    await expect
      .poll(async () => (await askPage(gateway, search, third.endCursor())).reports[0]?.cache, { interval: 5 })
      .toBe('HIT');
    expect(registry.arrivalsAt()[2]?.query.get('offset')).toBe(String(FIRST_WINDOW + WINDOW - 1));
  });

  it('asks the registry as often as it would without, and for the same', async () => {
    await using registry = await startRegistry();
    await using gateway = await openFederation({ one: registry });
    const names: string[] = [];
    for (let cursor: string | null = null, more = true; more; ) {
      const page: SearchResult = await askPage(gateway, search, cursor);
      names.push(...namesOf(page));
      [cursor, more] = [page.endCursor(), page.hasNextPage];
    }
    expect(new Set(names).size).toBe(ROWS);
    const offsets = registry.arrivalsAt().map(({ query }) => Number(query.get('offset')));
    // Each window once, from the row before it on.
    expect(offsets).toEqual([0, 21, 71, 121, 171, 221]);
  });

  it('that is given up has cost one window, and one of a first page alone nothing', async () => {
    await using registry = await startRegistry();
    await using fence = await startRegistry();
    await using gateway = await openFederation({ one: registry, fence });
    const only = { ...search, filter: { registries: ['one'] } };
    const first = await askPage(gateway, only, null);
    await passFence(gateway, fence, 'RATING');
    expect(registry.arrivalsAt()).toHaveLength(1);
    const second = await askPage(gateway, only, first.endCursor());
    await registry.whenArrived(3);
    await askPage(gateway, only, first.endCursor());
    await passFence(gateway, fence, 'UPDATED');
    const offsets = registry.arrivalsAt().map(({ query }) => query.get('offset'));
    // For the first page, for the second, and read ahead for the fourth.
    expect(offsets).toEqual(['0', '21', '71']);
    expect(second.reports[0]).toMatchObject({ scanned: FIRST_WINDOW + SEAM + WINDOW });
  });
});

describe('a walk backwards', () => {
  it('finds the window before its own in the cache', async () => {
    await using registry = await startRegistry();
    await using gateway = await openFederation({ one: registry });
    const search: Search = { field: 'POPULARITY' };
    const last = await askPage(gateway, search, null, 'BACKWARD');
    const one = await askPage(gateway, search, last.startCursor(), 'BACKWARD');
    const asked = registry.arrivalsAt().length;
    const before = await askPage(gateway, search, one.startCursor(), 'BACKWARD');
    await registry.whenArrived(asked + 1);
    const offsets = registry.arrivalsAt().map(({ query }) => Number(query.get('offset')));
    expect(offsets.at(-1)).toBe(121);
    await expect
      .poll(async () => (await askPage(gateway, search, before.startCursor(), 'BACKWARD')).reports[0]?.cache)
      .toBe('HIT');
  });
});

describe('nothing is read ahead of a registry', () => {
  /** A walk of two pages over "one", with everything that it may have had read ahead done. */
  async function countAhead(
    registry: FaultyRegistry,
    overrides: Parameters<typeof openFederation>[2],
    search: Search = { field: 'POPULARITY' },
  ): Promise<number> {
    await using fence = await startRegistry();
    await using gateway = await openFederation({ one: registry }, {}, overrides);
    await using other = await openFederation({ fence });
    await walkPages(gateway, search, 2);
    const asked = registry.arrivalsAt().length;
    await passFence(other, fence, 'RATING');
    return registry.arrivalsAt().length - asked;
  }

  it('without spare budget', async () => {
    await using registry = await startRegistry();
    const rateLimit = { requestsPerSecond: 0.001, burst: 2, concurrent: 20, maxQueue: 200 };
    expect(await countAhead(registry, { rateLimit })).toBe(0);
  });

  it('whose answers are not kept', async () => {
    await using registry = await startRegistry();
    expect(await countAhead(registry, { cache: { search: 0 } })).toBe(0);
  });

  it('whose list ends in the window that was read', async () => {
    await using registry = await startFaultyRegistry({ rows: makeRows(50), behaviour: { claimsTotalOrder: true } });
    expect(await countAhead(registry, {})).toBe(0);
  });

  it('which does not sort, since its list is read whole', async () => {
    await using registry = await startFaultyRegistry({ rows: makeRows(ROWS), behaviour: { ignoresSort: true } });
    expect(await countAhead(registry, {})).toBe(0);
  });
});

import { describe, expect, it } from 'vitest';
import { firstRowsOf, wholeFirstRowsOf } from '../../src/federation/first-window.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import { createRandom } from '../helpers/random.ts';
import { ANYONE, federate, generateRows, namesOf, requestOf } from '../helpers/walks.ts';

const PAGE = 20;
const WINDOW = 50;
const FIRST_PAGE = { direction: 'FORWARD', count: PAGE, cursor: null } as const;

describe('the first window of each of some registries', () => {
  it('is a page of one registry, and shorter the more there are', () => {
    const sizes = Array.from({ length: 200 }, (_, index) => firstRowsOf(index + 1, WINDOW));
    expect(sizes[0]).toBe(wholeFirstRowsOf(WINDOW));
    expect(sizes.toSorted((left, right) => right - left)).toEqual(sizes);
    for (const [index, size] of sizes.entries()) expect(size * (index + 1)).toBeGreaterThan(PAGE);
  });

  it('is never longer than the others', () => {
    for (const windowSize of [1, 7, 21]) expect(firstRowsOf(1, windowSize)).toBe(windowSize);
  });

  it('is enough for nearly every page that is dealt at random', () => {
    const random = createRandom(7);
    for (const registries of [2, 3, 10, 20, 100]) {
      let short = 0;
      for (let page = 0; page < 2_000; page += 1) {
        const taken = Array<number>(registries).fill(0);
        for (let row = 0; row < PAGE; row += 1) {
          const registry = Math.floor(random() * registries);
          taken[registry] = (taken[registry] ?? 0) + 1;
        }
        // One row more must be known, and one shows that no tie is missing.
        if (Math.max(...taken) > firstRowsOf(registries, WINDOW) - 2) short += 1;
      }
      expect(short / 2_000).toBeLessThan(0.07);
    }
  });
});

/** One registry whose every row comes before those of the others. */
function makeSources(field: 'POPULARITY' | 'RELEVANCE'): CatalogSource[] {
  return ['first', 'second', 'third'].map((name, rank) => {
    const rows = generateRows(rank, 200).map((row, index) => ({
      ...row,
      downloads: (name === 'first' ? 1_000_000 : 0) + 200 - index,
      title: field === 'RELEVANCE' && name === 'first' ? 'special' : 'other',
      description: 'special',
    }));
    const behaviour = { claimsTotalOrder: true, ignoresSort: field === 'RELEVANCE' };
    return new CatalogSource({ name, rank, rows, behaviour });
  });
}

const limitOf = (path: string) => new URL(path, 'http://registry').searchParams.get('limit');
const limitsOf = ({ asked }: CatalogSource) => asked.map(limitOf);

describe.each(['POPULARITY', 'RELEVANCE'] as const)('a registry that fills the pages by %s', (field) => {
  it('is asked for all that it will be shown of at once, after some pages, and the others for no more', async () => {
    const sources = makeSources(field);
    const federation = federate(sources);
    for (let page = 0; page < 4; page += 1) {
      for (const source of sources) source.asked.length = 0;
      const query = field === 'RELEVANCE' ? 'special' : '';
      const result = await federation.viewFor(ANYONE).search(requestOf({ field, query }, FIRST_PAGE));
      expect(namesOf(result).every((name) => name.startsWith('first/'))).toBe(true);
    }
    const short = String(firstRowsOf(3, WINDOW));
    const filled = field === 'POPULARITY' ? ['22'] : [short, String(WINDOW + 1)];
    expect(sources.map(limitsOf)).toEqual([filled, [short], [short]]);
  });
});

/** Three registries that carry the same names in another order each, and some of their own. */
function makeSharing(ownEach: number, sharedRows: number): CatalogSource[] {
  const shared = generateRows(1, sharedRows, { prefix: 'shared' });
  return ['first', 'second', 'third'].map((name, rank) => {
    const rows = [...generateRows(rank + 2, ownEach), ...shared].map((row, index) => ({
      ...row,
      downloads: (index * (rank + 7)) % 997,
    }));
    return new CatalogSource({ name, rank, rows, behaviour: { claimsTotalOrder: true } });
  });
}

describe('first windows of registries that share names', () => {
  it.each([
    { of: 'short lists are longer once longer ones had told often what was asked', own: 8, shared: 10, learnt: '22' },
    { of: 'long lists, which end behind any first window, stay as they are', own: 100, shared: 200, learnt: '13' },
  ])('of $of, where names are collapsed', async ({ own, shared, learnt }) => {
    const sources = makeSharing(own, shared);
    const federation = federate(sources);
    const askFirstPage = async (collapse: boolean, query: string) => {
      for (const source of sources) source.asked.length = 0;
      await federation.viewFor(ANYONE).search(requestOf({ field: 'POPULARITY', collapse, query }, FIRST_PAGE));
      const questions = sources.flatMap(({ asked }) => asked.filter((path) => path.includes('name=')));
      // The first one fills the pages: what it has, the others have as well.
      const windows = sources
        .slice(1)
        .flatMap(({ asked }) => asked.filter((path) => path.endsWith('offset=0') && !path.includes('name=')));
      return { questions: questions.length, windows: windows.map(limitOf) };
    };
    const before = await askFirstPage(true, 'row');
    expect(before.questions).toBeGreaterThan(0);
    expect(before.windows).toEqual(['13', '13']);
    for (let page = 0; page < 6; page += 1) await askFirstPage(true, 'row '.repeat(page + 2));
    const after = await askFirstPage(true, '');
    expect(after.windows).toEqual([learnt, learnt]);
    if (learnt === '22') expect(after.questions).toBe(0);
    expect((await askFirstPage(false, 'row')).windows).toEqual(['13', '13']);
  });
});

import { describe, expect, it } from 'vitest';
import { CatalogSource } from '../helpers/catalog-source.ts';
import { ANYONE, federate, generateRows, namesOf, requestOf } from '../helpers/walks.ts';

/** A registry whose every answer is the beginning of its list, whatever offset is asked for. */
function withoutOffset(count: number, omitsCount: boolean): CatalogSource {
  const source = new CatalogSource({
    name: 'static',
    rank: 0,
    rows: generateRows(3, count),
    behaviour: { claimsTotalOrder: true, omitsCount },
  });
  const search = source.catalog.search.bind(source.catalog);
  source.catalog.search = (query) => {
    query.set('offset', '0');
    return search(query);
  };
  return source;
}

describe('a registry that knows no offset', () => {
  it.each([
    ['counts', false],
    ['does not count', true],
  ])('and %s is asked a few times at most, and no entry of it comes twice', async (_how, omitsCount) => {
    for (const count of [1, 30, 49, 50, 51, 200]) {
      const source = withoutOffset(count, omitsCount);
      const other = new CatalogSource({ name: 'other', rank: 1, rows: generateRows(4, 120) });
      const view = federate([source, other]).viewFor(ANYONE);
      // One answer is all that can be had of it: a first window, and more of it once that is known.
      for (const least of [15, 21]) {
        const names: string[] = [];
        let cursor: string | null = null;
        for (let page = 0; page < 20; page += 1) {
          const result = await view.search(requestOf({}, { direction: 'FORWARD', count: 20, cursor }));
          names.push(...namesOf(result));
          cursor = result.endCursor();
          if (!result.hasNextPage || cursor === null) break;
        }
        expect(new Set(names).size).toBe(names.length);
        expect(names.filter((name) => name.startsWith('other/'))).toHaveLength(120);
        const own = names.filter((name) => name.startsWith('static/')).length;
        expect(own).toBeGreaterThanOrEqual(Math.min(count, least));
        expect(source.asked.length).toBeLessThan(100);
        source.asked.length = 0;
      }
    }
  });
});

describe('equal searches at once', () => {
  it('are one search', async () => {
    const source = new CatalogSource({ name: 'one', rank: 0, rows: generateRows(5, 300) });
    const federation = federate([source]);
    const request = requestOf({ query: 'special' }, { direction: 'FORWARD', count: 20, cursor: null });
    const results = await Promise.all(
      Array.from({ length: 100 }, () => federation.viewFor(ANYONE).search({ ...request })),
    );
    expect(source.asked).toHaveLength(1);
    expect(new Set(results.map((result) => namesOf(result).join())).size).toBe(1);
  });
});

import { describe, expect, it } from 'vitest';
import { CatalogSource } from '../helpers/catalog-source.ts';
import { ANYONE, federate, sortInOnePlace, walk } from '../helpers/walks.ts';

describe('names that are long and begin alike', () => {
  it.each<[number, string, number]>([
    [2, 'é'.repeat(230), 60],
    [2, 'n'.repeat(480), 60],
    [100, 'bioconductor-single-cell-differential-expression-of-', 4],
  ])('are walked exactly once over %i registries', async (registries, stem, count) => {
    for (const order of [{ field: 'POPULARITY' }, { field: 'NAME' }] as const) {
      for (const direction of ['FORWARD', 'BACKWARD'] as const) {
        const sources = Array.from({ length: registries }, (_, rank) => {
          const rows = Array.from({ length: count }, (_each, index) => ({
            name: `${stem}${index * 100 + rank}`,
            version: '1',
            downloads: 7,
          }));
          return new CatalogSource({ name: `r${rank}`, rank, rows });
        });
        const federation = federate(sources);
        const joined = await walk(() => federation.viewFor(ANYONE), order, {
          sizes: [17, 40],
          direction,
          maxPages: 60,
        });
        const expected = sortInOnePlace(sources, order);
        expect(joined.names).toHaveLength(expected.length);
        expect(joined.names.every((name, index) => name === expected[index])).toBe(true);
        for (const page of joined.pages) expect(page.endCursor()?.length).toBeLessThanOrEqual(1024);
      }
    }
  });
});

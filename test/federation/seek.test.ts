import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { NO_CRITERIA } from '../../src/domain/search.ts';
import { ListReader } from '../../src/federation/list-reader.ts';
import { seekBoundary, seekEnd } from '../../src/federation/seek.ts';
import { RegistryTraits } from '../../src/federation/traits.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';

const list = { query: '', criteria: NO_CRITERIA, order: { field: 'NAME', direction: 'ASC' } } as const;
const nameAt = (index: number) => `n${String(index).padStart(5, '0')}`;

function open(count: number, windowSize: number) {
  const rows = Array.from({ length: count }, (_, index) => ({ name: nameAt(index), version: '1' }));
  const source = new CatalogSource({ name: 'one', rank: 0, rows });
  return { source, reader: new ListReader(source, list, windowSize, new RegistryTraits(), Number.POSITIVE_INFINITY) };
}

describe('a place in a list', () => {
  it('is found from any hint, in windows that grow with the logarithm of how far off it was', async () => {
    const sizes = fc.constantFrom(1, 7, 50);
    await fc.assert(
      fc.asyncProperty(fc.nat(600), fc.nat(600), fc.nat(900), sizes, async (count, place, hint, windowSize) => {
        const boundary = Math.min(place, count);
        const { reader, source } = open(count, windowSize);
        expect(await seekBoundary(reader, (row) => row.name < nameAt(boundary), hint)).toBe(boundary);
        const windowsOff = 1 + Math.abs(hint - boundary) / windowSize;
        expect(source.asked.length).toBeLessThanOrEqual(4 + 2 * Math.ceil(Math.log2(windowsOff + 1)));
      }),
      { seed: 20_265, numRuns: 300 },
    );
  });

  it.each([1, 7, 50])('is read once when the hint still fits, in windows of %i', async (windowSize) => {
    for (let boundary = 0; boundary < 200; boundary += 1) {
      const { reader, source } = open(200, windowSize);
      expect(await seekBoundary(reader, (row) => row.name < nameAt(boundary), boundary)).toBe(boundary);
      expect(source.asked).toHaveLength(1);
    }
  });

  it('is the end where all rows are before it, whatever the registry counts', async () => {
    for (const count of [0, 1, 49, 50, 51, 500]) {
      for (const hint of [0, 49, 400, 5000]) expect(await seekEnd(open(count, 50).reader, hint)).toBe(count);
    }
  });
});

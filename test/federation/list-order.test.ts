import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OrderDirection, OrderField, TemplateOrder } from '../../src/domain/search.ts';
import { inspectOrder } from '../../src/federation/list-order.ts';
import { comparePositionsIn } from '../../src/federation/order.ts';
import { RegistryTraits } from '../../src/federation/traits.ts';
import { FaultyCatalog } from '../helpers/faulty-registry-catalog.ts';
import { generateRows } from '../helpers/walks.ts';
import { readRows, type WireMembers } from '../helpers/wire-rows.ts';

const POPULAR: TemplateOrder = { field: 'POPULARITY', direction: 'DESC' };
const NAMED: TemplateOrder = { field: 'NAME', direction: 'ASC' };

function inspect(order: TemplateOrder, rows: readonly (WireMembers | null)[]) {
  const read = rows.map((row) => (row === null ? null : (readRows('one', [row])[0] ?? null)));
  return inspectOrder(read, order, comparePositionsIn(order));
}

describe('what a list shows of its order', () => {
  it('a list sorted as the protocol demands is total, whatever the order', () => {
    const fields: readonly OrderField[] = ['POPULARITY', 'RATING', 'UPDATED', 'NAME'];
    const directions: readonly OrderDirection[] = ['ASC', 'DESC'];
    fc.assert(
      fc.property(fc.nat(), fc.constantFrom(...fields), fc.constantFrom(...directions), (seed, field, direction) => {
        const catalog = new FaultyCatalog(generateRows(seed, 60), {});
        const query = new URLSearchParams({
          sort_by: field.toLowerCase(),
          sort_order: direction.toLowerCase(),
          limit: '100',
        });
        expect(inspect({ field, direction }, catalog.search(query).templates).seen).toBe('TOTAL');
      }),
      { seed: 20_264, numRuns: 60 },
    );
  });

  it('ties that do not stand by name are ordered by the key alone', () => {
    const rows = [
      { name: 'b', downloads: 2 },
      { name: 'a', downloads: 2 },
      { name: 'c', downloads: 1 },
    ];
    expect(inspect(POPULAR, rows)).toEqual({ seen: 'BY_KEY', tiesInOrder: 0 });
  });

  it('keys that ascend where they should descend are no order', () => {
    const rows = [
      { name: 'a', downloads: 1 },
      { name: 'b', downloads: 2 },
    ];
    expect(inspect(POPULAR, rows).seen).toBe('UNSORTED');
    expect(inspect({ ...POPULAR, direction: 'ASC' }, rows).seen).toBe('TOTAL');
  });

  it.each<OrderDirection>(['ASC', 'DESC'])('missing values before others are no order, %s', (direction) => {
    expect(inspect({ ...POPULAR, direction }, [{ name: 'a' }, { name: 'b', downloads: 1 }]).seen).toBe('UNSORTED');
    expect(inspect({ ...POPULAR, direction }, [{ name: 'a', downloads: 1 }, { name: 'b' }]).seen).toBe('TOTAL');
  });

  it('names by a locale are no order where code points are asked', () => {
    expect(inspect(NAMED, [{ name: 'é' }, { name: 'f' }]).seen).toBe('UNSORTED');
    expect(inspect(NAMED, [{ name: '\uFF21' }, { name: '😀' }]).seen).toBe('TOTAL');
    expect(inspect(NAMED, [{ name: '😀' }, { name: '\uFF21' }]).seen).toBe('UNSORTED');
  });

  it('counts the ties that stand in order, and nothing across a malformed entry', () => {
    const tie = (name: string) => ({ name, downloads: 1 });
    expect(inspect(POPULAR, [tie('a'), tie('b'), tie('c'), { name: 'd' }, { name: 'e' }]).tiesInOrder).toBe(3);
    expect(inspect(POPULAR, [tie('a'), null, tie('b')])).toEqual({ seen: 'TOTAL', tiesInOrder: 1 });
    expect(inspect(POPULAR, [])).toEqual({ seen: 'TOTAL', tiesInOrder: 0 });
  });
});

describe('what was learnt of a registry', () => {
  it('is not unlearnt: an order once seen broken stays so', () => {
    const traits = new RegistryTraits();
    expect(traits.listOrder(POPULAR)).toBeNull();
    for (const seen of ['TOTAL', 'UNSORTED', 'BY_KEY'] as const) traits.noteListOrder(POPULAR, seen);
    expect(traits.listOrder(POPULAR)).toBe('UNSORTED');
  });

  it('is learnt for each order by itself', () => {
    const traits = new RegistryTraits();
    traits.noteListOrder(POPULAR, 'BY_KEY');
    expect(traits.listOrder({ ...POPULAR, direction: 'ASC' })).toBeNull();
    expect(traits.listOrder(NAMED)).toBeNull();
  });

  it('ties are trusted only when many were seen in order', () => {
    const traits = new RegistryTraits();
    traits.noteTiesInOrder(POPULAR, 49);
    expect(traits.areTiesTrusted(POPULAR)).toBe(false);
    traits.noteTiesInOrder(POPULAR, 1);
    expect(traits.areTiesTrusted(POPULAR)).toBe(true);
    expect(traits.areTiesTrusted({ ...POPULAR, direction: 'ASC' })).toBe(false);
  });
});

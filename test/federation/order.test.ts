import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OrderDirection, OrderField, TemplateOrder } from '../../src/domain/search.ts';
import { compareCodePoints, comparePositionsIn, type Position, sortKeyOf } from '../../src/federation/order.ts';
import { readRows } from '../helpers/wire-rows.ts';

const SEED = 20_261;
const FIELDS: readonly OrderField[] = ['RELEVANCE', 'POPULARITY', 'RATING', 'UPDATED', 'NAME'];
const DIRECTIONS: readonly OrderDirection[] = ['ASC', 'DESC'];
const ORDERS = FIELDS.flatMap((field) => DIRECTIONS.map((direction): TemplateOrder => ({ field, direction })));

/** Names that differ in case, in marks, and on both sides of U+FFFF; few, so that equal ones meet. */
const oddName = fc.constantFrom(
  'a',
  'A',
  'b',
  'İ',
  'i',
  'ı',
  'I',
  'i\u0307',
  'é',
  'e\u0301',
  '\uFF21',
  '\uE000',
  '😀',
  '𝒳',
  '',
);
const anyName = fc.oneof(oddName, fc.string({ unit: 'binary', maxLength: 4 }));
const anyKey = fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 2 }), fc.double({ min: 0, max: 5, noNaN: true }));

const unscored: fc.Arbitrary<Position> = fc
  .record({ key: anyKey, name: anyName, rank: fc.integer({ min: 0, max: 2 }) })
  .map((place) => ({ ...place, nameLower: place.name.toLowerCase(), tier: 0, windowStart: 0, score: 0 }));

const scored: fc.Arbitrary<Position> = fc
  .record({
    key: fc.integer({ min: 0, max: 3 }),
    tier: fc.constantFrom<0 | 1>(0, 1),
    name: oddName,
    rank: fc.integer({ min: 0, max: 2 }),
    windowStart: fc.constantFrom(0, 50, 100),
    extra: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ extra, ...place }) => ({ ...place, nameLower: place.name.toLowerCase(), score: place.key + extra }));

const positionsIn = (order: TemplateOrder) => {
  if (order.field === 'RELEVANCE') return fc.oneof(unscored, scored);
  return order.field === 'NAME' ? unscored.map((place) => ({ ...place, key: 0 })) : unscored;
};

describe('the order of code points', () => {
  it('is that of the UTF-8 bytes, also beyond U+FFFF', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' }), (left, right) => {
        const expected = Buffer.compare(Buffer.from(left), Buffer.from(right));
        expect(Math.sign(compareCodePoints(left, right))).toBe(expected);
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  it('puts U+E000 to U+FFFF before supplementary characters, which UTF-16 units do not', () => {
    expect(compareCodePoints('\uFF21', '😀')).toBeLessThan(0);
    expect('\uFF21' < '😀').toBe(false);
    expect(compareCodePoints('x\u{10FFFF}', 'x\uE000')).toBeGreaterThan(0);
    expect(compareCodePoints('x', 'x\u{10000}')).toBeLessThan(0);
  });
});

describe('the order of a search', () => {
  it.each(ORDERS)('is total: $field $direction', (order) => {
    const compare = comparePositionsIn(order);
    const position = positionsIn(order);
    fc.assert(
      fc.property(position, position, position, (a, b, c) => {
        expect(compare(a, a)).toBe(0);
        expect(Math.sign(compare(a, b)) + Math.sign(compare(b, a))).toBe(0);
        if (compare(a, b) <= 0 && compare(b, c) <= 0) expect(compare(a, c)).toBeLessThanOrEqual(0);
        if (compare(a, b) === 0) expect([a.name, a.rank]).toEqual([b.name, b.rank]);
      }),
      { seed: SEED, numRuns: 3000 },
    );
  });

  it.each(ORDERS.filter(({ field }) => field !== 'NAME'))('puts missing values last: $field $direction', (order) => {
    const compare = comparePositionsIn(order);
    fc.assert(
      fc.property(unscored, unscored, (a, b) => {
        fc.pre(a.key !== null);
        expect(compare(a, { ...b, key: null })).toBeLessThan(0);
      }),
      { seed: SEED },
    );
  });

  const TIES: [promise: string, direction: OrderDirection, first: Partial<Position>, second: Partial<Position>][] = [
    ['the lower-cased name before the name', 'ASC', { name: 'a' }, { name: 'B' }],
    ['of equal lower-cased names the smaller code point first', 'ASC', { name: 'A' }, { name: 'a' }],
    ['also where the key descends', 'DESC', { name: 'A' }, { name: 'a' }],
    ['Turkish İ is i with a dot above, behind the plain i', 'ASC', { name: 'i' }, { name: 'İ' }],
    ['and before every letter behind i', 'ASC', { name: 'İ' }, { name: 'j' }],
    ['dotless ı is a letter of its own, behind z', 'ASC', { name: 'z' }, { name: 'ı' }],
    ['a full-width letter before an emoji', 'ASC', { name: '\uFF21' }, { name: '😀' }],
    ['of equal names the resolution order', 'DESC', { name: 'same', rank: 0 }, { name: 'same', rank: 1 }],
  ];
  it.each(TIES)('decides ties: %s', (_promise, direction, first, second) => {
    const place = (members: Partial<Position>): Position => {
      const name = members.name ?? '';
      return { key: 1, tier: 0, rank: 0, windowStart: 0, score: 0, name, nameLower: name.toLowerCase(), ...members };
    };
    expect(comparePositionsIn({ field: 'POPULARITY', direction })(place(first), place(second))).toBeLessThan(0);
  });

  it('is that of the reversed names under NAME DESC, but for names that differ in case alone', () => {
    const ascending = comparePositionsIn({ field: 'NAME', direction: 'ASC' });
    const descending = comparePositionsIn({ field: 'NAME', direction: 'DESC' });
    const position = positionsIn({ field: 'NAME', direction: 'ASC' });
    fc.assert(
      fc.property(position, position, (a, b) => {
        fc.pre(a.nameLower !== b.nameLower);
        expect(Math.sign(descending(a, b))).toBe(Math.sign(ascending(b, a)));
      }),
      { seed: SEED },
    );
  });
});

describe('the key of a row', () => {
  it('is what the order asks for, and nothing where the registry states none', () => {
    const [row, bare] = readRows('one', [
      { downloads: 7, rating: 4.5, updated_at: '2024-05-01T00:00:00Z' },
      { downloads: 'many', rating: 9, updated_at: 'yesterday' },
    ]);
    if (row === undefined || bare === undefined) throw new Error('two rows must have been read');
    const keysOf = (each: typeof row) => FIELDS.map((field) => sortKeyOf(each, { field, direction: 'ASC' }));
    expect(keysOf(row)).toEqual([0, 7, 4.5, Date.UTC(2024, 4, 1), 0]);
    expect(keysOf(bare)).toEqual([0, null, null, null, 0]);
  });
});

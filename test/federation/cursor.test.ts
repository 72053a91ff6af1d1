import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { digestText } from '../../src/federation/bytes.ts';
import {
  type CursorMark,
  type CursorPlace,
  type CursorRegistry,
  CursorSeal,
  type CursorState,
  registryIdOf,
} from '../../src/federation/cursor.ts';
import type { ListOrder } from '../../src/federation/traits.ts';

const SEED = 20_262;
const SEAL = new CursorSeal(['the first secret of the tests', 'the second secret of the tests']);
const PRINT = createHash('sha256').update('one search').digest();
const OTHER_PRINT = createHash('sha256').update('another search').digest();

const anyMark: fc.Arbitrary<CursorMark> = fc
  .record({
    key: fc.oneof(fc.constant(null), fc.nat(), fc.maxSafeNat(), fc.double({ noNaN: true, noDefaultInfinity: true })),
    tier: fc.constantFrom<0 | 1>(0, 1),
    name: fc.string({ unit: 'binary', maxLength: 20 }).map((text) => ({ text, digest: null })),
    registryId: fc.nat(0xffffff),
    rank: fc.nat(99),
    hint: fc.nat(1e9),
    score: fc.integer({ min: -1, max: 65_536 }),
  })
  .map((mark) => (mark.tier === 1 ? mark : { ...mark, score: 0, hint: 0 }));

const anyPlace: fc.Arbitrary<CursorPlace> = fc.oneof(
  fc.constantFrom<CursorPlace>({ type: 'WITH_MARK' }, { type: 'HEAD' }, { type: 'TAIL' }),
  anyMark.map((mark): CursorPlace => ({ type: 'OWN', mark })),
);

const sortedRegistry: fc.Arbitrary<CursorRegistry> = fc.record({
  registryId: fc.nat(0xffffff),
  place: anyPlace,
  hint: fc.nat(),
  rowHash: fc.option(fc.nat(0xffff)),
  readAs: fc.constantFrom<ListOrder>('TOTAL', 'BY_KEY', 'UNSORTED'),
  floors: fc.constant([]),
  reachesFirst: fc.constant(false),
  anchors: fc.constant([]),
});

const scoredRegistry: fc.Arbitrary<CursorRegistry> = fc.record({
  registryId: fc.nat(0xffffff),
  place: anyPlace,
  hint: fc.integer({ min: 1, max: 1e9 }),
  rowHash: fc.constant(null),
  readAs: fc.constant(null),
  floors: fc.array(fc.nat(65_536), { maxLength: 20 }),
  reachesFirst: fc.boolean(),
  anchors: fc.oneof(
    fc.constant([]),
    fc.array(fc.option(fc.integer({ min: 1, max: 0xffff })), { minLength: 6, maxLength: 6 }),
  ),
});

const anyState: fc.Arbitrary<CursorState> = fc.record({
  mark: fc.option(anyMark),
  firstRows: fc.nat(126),
  registries: fc.array(fc.oneof(sortedRegistry, scoredRegistry), { maxLength: 4 }),
});

const SAMPLE: CursorState = {
  firstRows: 13,
  mark: {
    key: 4.5,
    tier: 0,
    score: 0,
    rank: 0,
    hint: 0,
    registryId: registryIdOf('one'),
    name: { text: 'İ-😀', digest: null },
  },
  registries: ['one', 'two', 'three'].map((name, index) => ({
    ...{ registryId: registryIdOf(name), place: { type: 'WITH_MARK' }, hint: 50 * index + 1 },
    ...{ rowHash: 7 * index, readAs: 'TOTAL', floors: [], reachesFirst: false, anchors: [] },
  })),
};

/** Another character of base64url in that place. */
function alter(cursor: string, index: number, by: number): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
  const character = alphabet[(alphabet.indexOf(cursor.charAt(index)) + by) % 64] ?? '';
  return cursor.slice(0, index) + character + cursor.slice(index + 1);
}

describe('a cursor', () => {
  it('opens to what was sealed', () => {
    fc.assert(
      fc.property(anyState, (state) => {
        expect(SEAL.open(SEAL.seal(state, PRINT), PRINT)).toEqual(state);
      }),
      { seed: SEED, numRuns: 500 },
    );
  });

  it('is the same for the same place, and another for another', () => {
    fc.assert(
      fc.property(anyState, anyState, (left, right) => {
        expect(SEAL.seal(left, PRINT)).toBe(SEAL.seal(structuredClone(left), PRINT));
        const areEqual = JSON.stringify(left) === JSON.stringify(right);
        if (!areEqual && JSON.stringify(left).includes('-0') === JSON.stringify(right).includes('-0')) {
          expect(SEAL.seal(left, PRINT)).not.toBe(SEAL.seal(right, PRINT));
        }
      }),
      { seed: SEED },
    );
  });

  it('holds nothing that could be read: neither names nor equal beginnings', () => {
    const cursors = ['one', 'two'].map((name) => SEAL.seal({ ...SAMPLE, mark: markNamed(name) }, PRINT));
    const bytes = cursors.map((cursor) => Buffer.from(cursor, 'base64url').toString('latin1'));
    expect(bytes[0]).not.toContain('one');
    expect(cursors[0]?.slice(0, 8)).not.toBe(cursors[1]?.slice(0, 8));
  });

  it('is refused when any single character of it was changed', () => {
    const cursor = SEAL.seal(SAMPLE, PRINT);
    for (let index = 0; index < cursor.length; index += 1) {
      for (const by of [1, 2, 16, 33]) expect(SEAL.open(alter(cursor, index, by), PRINT)).toBeNull();
    }
    expect(SEAL.open(cursor, PRINT)).toEqual(SAMPLE);
  });

  it('is refused when it was cut, lengthened, padded or put together from two', () => {
    const cursor = SEAL.seal(SAMPLE, PRINT);
    const other = SEAL.seal({ ...SAMPLE, mark: null }, PRINT);
    for (let length = 0; length < cursor.length; length += 1)
      expect(SEAL.open(cursor.slice(0, length), PRINT)).toBeNull();
    const wrong = [`${cursor}A`, `${cursor}=`, `${cursor}\n`, ` ${cursor}`, cursor + cursor, `${cursor}é`];
    for (const each of wrong) expect(SEAL.open(each, PRINT)).toBeNull();
    for (let at = 1; at < other.length; at += 1) {
      expect(SEAL.open(cursor.slice(0, at) + other.slice(at), PRINT)).toBeNull();
    }
  });

  it('is refused when it is anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.base64String(), fc.string({ minLength: 1000, maxLength: 2000 })), (text) => {
        expect(SEAL.open(text, PRINT)).toBeNull();
      }),
      { seed: SEED },
    );
  });

  it('of another search is refused', () => {
    expect(SEAL.open(SEAL.seal(SAMPLE, PRINT), OTHER_PRINT)).toBeNull();
  });

  it('is opened by every secret and sealed by the first, so that secrets can be changed', () => {
    const before = new CursorSeal(['old secret']);
    const during = new CursorSeal(['new secret', 'old secret']);
    const after = new CursorSeal(['new secret']);
    const old = before.seal(SAMPLE, PRINT);
    expect(during.open(old, PRINT)).toEqual(SAMPLE);
    expect(after.open(during.seal(SAMPLE, PRINT), PRINT)).toEqual(SAMPLE);
    expect(after.open(old, PRINT)).toBeNull();
    expect(before.open(during.seal(SAMPLE, PRINT), PRINT)).toBeNull();
  });

  it('cannot be made without a secret', () => {
    expect(() => new CursorSeal([])).toThrow(/secrets must hold at least one/);
  });
});

function markNamed(text: string, key: number | null = 12_345): CursorMark {
  return { key, tier: 0, score: 0, rank: 3, hint: 0, registryId: registryIdOf('one'), name: { text, digest: null } };
}

const NAME_OF_500 = '中'.repeat(500);
/** Keys as an order has them: the date in milliseconds takes the most bytes of the whole numbers, an average all eight. */
const KEYS = [
  ['POPULARITY', 123_456_789],
  ['RATING', 4.123456789],
  ['UPDATED', Date.UTC(2026, 0, 1)],
  ['NAME', 0],
] as const;

describe('the length of a cursor with 100 registries', () => {
  const registries = (readAs: ListOrder | null, lost: number, key: number): CursorRegistry[] =>
    Array.from({ length: 100 }, (_, index) => ({
      registryId: registryIdOf(`registry-${index}`),
      place:
        index < lost ? { type: 'OWN', mark: markNamed(`${index}${NAME_OF_500}`, key + index) } : { type: 'WITH_MARK' },
      hint: 1_000_000 + index,
      rowHash: readAs === 'TOTAL' ? 60_000 - index : null,
      readAs,
      floors: readAs === null ? Array.from({ length: 200 }, (_, ago) => 60_000 - ago) : [],
      reachesFirst: false,
      anchors: readAs === null ? [1, 2, 3, 4, 5, 6] : [],
    }));

  describe.each(KEYS)('under %s', (_field, key) => {
    it.each([0, 1, 5, 20])('is at most 1,024 characters with %i of them lost at different places', (lost) => {
      const cursor = SEAL.seal(
        { mark: markNamed(NAME_OF_500, key), firstRows: 5, registries: registries('TOTAL', lost, key) },
        PRINT,
      );
      expect(cursor.length).toBeLessThanOrEqual(1024);
      expect(SEAL.open(cursor, PRINT)).not.toBeNull();
    });
  });

  it.each([0, 1, 5, 20])('is at most 1,024 characters under RELEVANCE with %i of them lost', (lost) => {
    const mark: CursorMark = { ...markNamed(NAME_OF_500, 40_000), tier: 1, score: 50_000 };
    const cursor = SEAL.seal({ mark, firstRows: 5, registries: registries(null, lost, 30_000) }, PRINT);
    expect(cursor.length).toBeLessThanOrEqual(1024);
    expect(SEAL.open(cursor, PRINT)).not.toBeNull();
  });

  it('keeps of a long name its beginning and what tells the whole of it', () => {
    const state: CursorState = { mark: markNamed(NAME_OF_500), firstRows: 5, registries: registries('TOTAL', 0, 0) };
    const opened = SEAL.open(SEAL.seal(state, PRINT), PRINT)?.mark?.name;
    expect(opened?.text.length).toBeLessThan(500);
    expect(NAME_OF_500.startsWith(opened?.text ?? 'none')).toBe(true);
    expect(opened?.digest).toBe(digestText(NAME_OF_500));
  });

  it('keeps a cut name recognisable when the cursor made of it is sealed again', () => {
    const cut = { text: '中'.repeat(100), digest: digestText(NAME_OF_500) };
    const mark = { ...markNamed(''), name: cut };
    const state: CursorState = { mark, firstRows: 5, registries: registries('TOTAL', 0, 0) };
    expect(SEAL.open(SEAL.seal(state, PRINT), PRINT)?.mark?.name.digest).toBe(cut.digest);
  });
});

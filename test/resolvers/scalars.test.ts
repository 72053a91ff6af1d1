import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseDateTimeMs, scalars } from '../../resolvers/scalars.ts';

describe('DateTime', () => {
  it.each([
    ['2026-03-01T12:00:00Z', Date.UTC(2026, 2, 1, 12)],
    ['2026-03-01t12:00:00z', Date.UTC(2026, 2, 1, 12)],
    ['2026-03-01T12:00:00.5Z', Date.UTC(2026, 2, 1, 12, 0, 0, 500)],
    ['2026-03-01T12:00:00.123456789Z', Date.UTC(2026, 2, 1, 12, 0, 0, 123)],
    ['2026-03-01T12:00:00+05:30', Date.UTC(2026, 2, 1, 6, 30)],
    ['2024-02-29T00:00:00-01:00', Date.UTC(2024, 1, 29, 1)],
    ['0001-01-01T00:00:00Z', -62_135_596_800_000],
  ])('%s is a time', (text, timeMs) => {
    expect(parseDateTimeMs(text)).toBe(timeMs);
    expect(scalars.DateTime.__serialize(timeMs)).toBe(new Date(timeMs).toISOString());
  });

  it.each([
    '2026-02-29T00:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-01T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-01-01T00:60:00Z',
    '2026-01-01T00:00:61Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00',
    '2026-01-01',
    '2026-01-01 00:00:00Z',
    '1767225600000',
    '',
    'now',
  ])('%j is none', (text) => {
    expect(parseDateTimeMs(text)).toBeNull();
    expect(() => scalars.DateTime.__parseValue(text)).toThrow('RFC 3339');
  });

  it('is written as JavaScript writes a time, whichever it is', () => {
    const anyTime = fc.oneof(
      fc.integer({ min: 0, max: 4e12 }),
      fc.integer({ min: -8.64e15, max: 8.64e15 }),
      fc.double({ min: -8.64e15, max: 8.64e15, noNaN: true }),
      fc.constantFrom(0, -0, -1, 0.5, 8.64e15, Date.UTC(10_000, 0, 1), Date.UTC(10_000, 0, 1) - 1),
    );
    fc.assert(
      fc.property(anyTime, (timeMs) => {
        expect(scalars.DateTime.__serialize(timeMs)).toBe(new Date(timeMs).toISOString());
      }),
      { numRuns: 2000 },
    );
  });

  it('is written alike on more days than are remembered, and on each again', () => {
    for (const start of [0, 1001, 0]) {
      for (let day = 0; day < 4500; day += 1) {
        const timeMs = day * 86_400_000 + start * 43_199;
        expect(scalars.DateTime.__serialize(timeMs)).toBe(new Date(timeMs).toISOString());
      }
    }
  });

  it('is not written from what is no time', () => {
    for (const value of [Number.NaN, Number.POSITIVE_INFINITY, 8.65e15, '2026-01-01', null]) {
      expect(() => scalars.DateTime.__serialize(value)).toThrow('milliseconds');
    }
  });
});

describe('URL and SafeInt', () => {
  it('are strict in both directions', () => {
    expect(scalars.URL.__parseValue('https://example.org/a')).toBe('https://example.org/a');
    for (const value of ['javascript:alert(1)', '/a', 'ftp://example.org', '', 1]) {
      expect(() => scalars.URL.__parseValue(value)).toThrow('http');
      expect(() => scalars.URL.__serialize(value)).toThrow('http');
    }
    expect(scalars.SafeInt.__parseValue(2 ** 53 - 1)).toBe(2 ** 53 - 1);
    for (const value of [2 ** 53, 1.5, '1', Number.NaN, true]) {
      expect(() => scalars.SafeInt.__parseValue(value)).toThrow('2^53');
      expect(() => scalars.SafeInt.__serialize(value)).toThrow('whole number');
    }
  });
});

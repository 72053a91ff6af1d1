import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readTimeMs } from '../../datasources/wire-values.ts';

const twoDigits = fc.integer({ min: 0, max: 99 }).map((value) => String(value).padStart(2, '0'));
const inOrder = fc
  .date({ min: new Date('0000-01-01T00:00:00Z'), max: new Date('9999-12-31T23:59:59Z'), noInvalidDate: true })
  .map((date) => date.toISOString());
/** Of the right form, whatever the numbers: days that no month has, hours that no day has. */
const ofTheForm = fc
  .tuple(
    fc.integer({ min: 0, max: 9_999 }),
    ...[twoDigits, twoDigits, twoDigits, twoDigits, twoDigits],
    fc.constantFrom('', '.5', '.000', '.123', '.123456', '.12a'),
    fc.constantFrom('Z', 'z', '+01:00', '-23:59', ''),
  )
  .map(([year, month, day, hour, minute, second, fraction, zone]) => {
    const date = `${String(year).padStart(4, '0')}-${month}-${day}`;
    return `${date}T${hour}:${minute}:${second}${fraction}${zone}`;
  });
/** A character of it is another one. */
const damaged = fc
  .tuple(inOrder, fc.nat({ max: 23 }), fc.constantFrom(...' -:.TtZz0/x+\u0660'))
  .map(([text, at, character]) => text.slice(0, at) + character + text.slice(at + 1));

describe('a time', () => {
  it('is read as the engine reads it, where it is one of RFC 3339', () => {
    const form = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d))?$/i;
    fc.assert(
      fc.property(fc.oneof(inOrder, ofTheForm, damaged), (text) => {
        const timeMs = form.test(text) ? Date.parse(text) : Number.NaN;
        expect(readTimeMs(text)).toBe(Number.isNaN(timeMs) ? null : timeMs);
      }),
      { numRuns: 3_000 },
    );
  });

  it.each([
    ['2025-01-31T09:20:24Z', 1_738_315_224_000],
    ['2025-01-31T09:20:24.512Z', 1_738_315_224_512],
    ['2025-01-31', 1_738_281_600_000],
    ['2025-01-31T09:20:24', null],
    ['31 January 2025', null],
    [1_738_315_224_000, null],
  ])('%s is %s', (value, expected) => {
    expect(readTimeMs(value)).toBe(expected);
  });
});

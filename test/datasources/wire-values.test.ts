import { describe, expect, it } from 'vitest';
import { readTimeMs } from '../../datasources/wire-values.ts';

describe('a time', () => {
  it.each([
    ['2025-01-31T09:20:24Z', 1_738_315_224_000],
    ['2025-01-31T09:20:24.512Z', 1_738_315_224_512],
    ['2025-01-31T10:20:24+01:00', 1_738_315_224_000],
    ['2025-01-31t09:20:24z', 1_738_315_224_000],
    ['2025-01-31', 1_738_281_600_000],
    ['2025-01-31T09:20:24', null],
    ['2025-13-31T09:20:24Z', null],
    ['2025-01-31T09:61:24Z', null],
    ['2025-01-31T09:20:24.Z', null],
    ['31 January 2025', null],
    [`2025-01-31T09:20:24.${'5'.repeat(40)}Z`, null],
    [1_738_315_224_000, null],
  ])('%s is %s', (value, expected) => {
    expect(readTimeMs(value)).toBe(expected);
  });
});

import { describe, expect, it } from 'vitest';
import { type CacheDirectives, NO_DIRECTIVES, readDirectives } from '../../datasources/http/directives.ts';

const CASES: readonly [string, Partial<CacheDirectives>][] = [
  ['', {}],
  ['max-age=60', { maxAgeMs: 60_000 }],
  ['Public, Max-Age="60"', { maxAgeMs: 60_000 }],
  ['private, max-age=60, s-maxage=5', { maxAgeMs: 60_000 }],
  ['max-age=60, max-age=5', { maxAgeMs: 60_000 }],
  ['max-age=soon', { maxAgeMs: 0 }],
  ['max-age=-1', { maxAgeMs: 0 }],
  ['max-age=99999999999999', { maxAgeMs: 2 ** 31 * 1000 }],
  ['no-store', { noStore: true }],
  ['no-cache', { maxAgeMs: 0, mustRevalidate: true }],
  ['no-cache, max-age=60', { maxAgeMs: 0, mustRevalidate: true }],
  ['no-cache="set-cookie", max-age=60', { maxAgeMs: 60_000 }],
  ['max-age=60, must-revalidate', { maxAgeMs: 60_000, mustRevalidate: true }],
  ['max-age=60, stale-while-revalidate=30', { maxAgeMs: 60_000, staleWhileRevalidateMs: 30_000 }],
  ['max-age=60,stale-if-error=30', { maxAgeMs: 60_000, staleIfErrorMs: 30_000 }],
  ['x-no-store-please', {}],
  ['extension="no-store, max-age=5"', {}],
  [';;==,,', {}],
];

describe('Cache-Control', () => {
  it.each(CASES)('%j is read as RFC 9111 and 5861 have it', (text, expected) => {
    expect(readDirectives({ 'cache-control': text })).toEqual({ ...NO_DIRECTIVES, ...expected });
  });

  it('is shortened by the time that the answer has spent elsewhere (Age)', () => {
    expect(readDirectives({ 'cache-control': 'max-age=60', age: '20' }).maxAgeMs).toBe(40_000);
    expect(readDirectives({ 'cache-control': 'max-age=60', age: '90' }).maxAgeMs).toBe(0);
    expect(readDirectives({ 'cache-control': 'max-age=60', age: 'old' }).maxAgeMs).toBe(60_000);
    expect(readDirectives({ 'cache-control': 'max-age=60' }).maxAgeMs).toBe(60_000);
  });
});

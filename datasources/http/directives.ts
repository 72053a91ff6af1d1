import type { IncomingHttpHeaders } from 'node:http';

/** What a registry says about keeping its answer, as far as a private cache heeds it (RFC 9111, 5.2.2; RFC 5861). */
export interface CacheDirectives {
  readonly noStore: boolean;
  /** How much longer the answer is fresh, its `Age` taken off, in milliseconds; null: the registry says nothing. */
  readonly maxAgeMs: number | null;
  /** Once it is not fresh any more it must not be used unasked, not even when the registry is down. */
  readonly mustRevalidate: boolean;
  /** How long after that it may be given while it is asked for again, or when it cannot be had; null: nothing is said. */
  readonly staleWhileRevalidateMs: number | null;
  readonly staleIfErrorMs: number | null;
}

/** A registry that says nothing. */
export const NO_DIRECTIVES: CacheDirectives = Object.freeze({
  noStore: false,
  maxAgeMs: null,
  mustRevalidate: false,
  staleWhileRevalidateMs: null,
  staleIfErrorMs: null,
});

/** Beyond this (RFC 9111, 1.2.2) a number of seconds says no more than that it is large. */
const MOST_SECONDS = 2 ** 31;

/** The last header that was read: a registry sends the same one with every answer. */
let last = { text: '', directives: NO_DIRECTIVES };

/**
 * Reads Cache-Control and Age. `no-cache` is a lifetime of nothing that must be revalidated (RFC 9111, 5.2.2.4); a `max-age`
 * that is no number makes the answer stale (4.2.1). `private` is heeded by nature: answers are kept by credentials;
 * `s-maxage` and `proxy-revalidate` are for shared caches.
 */
export function readDirectives(headers: IncomingHttpHeaders): CacheDirectives {
  const text = headers['cache-control'];
  if (text === undefined || text === '') return NO_DIRECTIVES;
  if (text !== last.text) last = { text, directives: parseDirectives(text) };
  const { directives } = last;
  const ageSeconds = Number(headers.age ?? 0);
  if (directives.maxAgeMs === null || !(ageSeconds > 0)) return directives;
  return { ...directives, maxAgeMs: Math.max(0, directives.maxAgeMs - ageSeconds * 1000) };
}

function parseDirectives(text: string): CacheDirectives {
  const values = new Map<string, string>();
  // Values of directives with commas in them are quoted lists of field names, which say nothing here.
  for (const [, name = '', quoted, plain] of text.matchAll(
    /([\w!#$%&'*+.^`|~-]+)(?:\s*=\s*(?:"([^"]*)"|([^\s,]*)))?/g,
  )) {
    const key = name.toLowerCase();
    if (!values.has(key)) values.set(key, quoted ?? plain ?? '');
  }
  // With field names, `no-cache` speaks of those header fields alone.
  const isNoCache = values.get('no-cache') === '';
  return Object.freeze({
    noStore: values.has('no-store'),
    maxAgeMs: isNoCache ? 0 : readSeconds(values.get('max-age')),
    mustRevalidate: isNoCache || values.has('must-revalidate'),
    staleWhileRevalidateMs: readSeconds(values.get('stale-while-revalidate')),
    staleIfErrorMs: readSeconds(values.get('stale-if-error')),
  });
}

/** Milliseconds of so many seconds; nothing for what is no number; null where there is none. */
function readSeconds(value: string | undefined): number | null {
  if (value === undefined) return null;
  return /^\d+$/.test(value) ? Math.min(Number(value), MOST_SECONDS) * 1000 : 0;
}

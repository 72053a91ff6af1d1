import type { AnswerHead } from '../../src/domain/cache.ts';
import type { RegistryFailure } from '../../src/domain/errors.ts';
import type { UpstreamRequest, UpstreamResponse } from './layer.ts';

/** A 404 is kept this long at most: a template that was just published must not stay unknown for an hour. */
const ABSENCE_LIFETIME_MS = 60_000;

/** How long answers may be used beyond their lifetime, as the registry is configured (contract 2). Milliseconds. */
export interface Leniency {
  /** While they are asked for again behind the reader's back. */
  readonly staleWhileRevalidateMs: number;
  /** When they cannot be had. */
  readonly staleIfErrorMs: number;
}

/**
 * Says until when an answer may be used. The configured lifetime bounds what the registry grants; the registry may ask for
 * less. What it says itself may be overrun only as far as it says so itself (RFC 5861), and not at all where it must be
 * revalidated (RFC 9111, 5.2.2.2). `call`: when the registry
 * was asked, and how long it took. `revalidated`: what the answer, a 304, speaks of.
 */
export function makeHead(
  request: UpstreamRequest,
  response: UpstreamResponse,
  leniency: Leniency,
  call: { readonly askedAtMs: number; readonly tookMs: number },
  revalidated: AnswerHead | null,
): AnswerHead {
  const { fetchedAtMs, body } = response;
  const etag = response.etag ?? revalidated?.etag ?? null;
  const { maxAgeMs, mustRevalidate, staleWhileRevalidateMs, staleIfErrorMs } = response.directives;
  const isAbsent = response.outcome === 'ABSENT';
  const configuredMs = isAbsent ? Math.min(request.lifetimeMs, ABSENCE_LIFETIME_MS) : request.lifetimeMs;
  const lifetimeMs = maxAgeMs === null || maxAgeMs > configuredMs ? configuredMs : maxAgeMs;
  const freshUntilMs = fetchedAtMs + lifetimeMs;
  let reuseUntilMs = freshUntilMs;
  let standInUntilMs = freshUntilMs;
  if (!mustRevalidate) {
    if (configuredMs > 0) reuseUntilMs += leniency.staleWhileRevalidateMs;
    if (maxAgeMs !== null)
      reuseUntilMs = Math.min(reuseUntilMs, fetchedAtMs + maxAgeMs + (staleWhileRevalidateMs ?? 0));
    standInUntilMs += Math.min(leniency.staleIfErrorMs, staleIfErrorMs ?? Number.POSITIVE_INFINITY);
  }
  // What has an ETag can be made fresh again without a body, for as long as it would be kept otherwise.
  const revalidatableUntilMs = etag === null ? 0 : freshUntilMs + leniency.staleIfErrorMs;
  return {
    isAbsent,
    etag,
    mediaType: body?.mediaType ?? revalidated?.mediaType ?? '',
    reprDigest: body?.reprDigest ?? revalidated?.reprDigest ?? null,
    askedAtMs: call.askedAtMs,
    fetchedAtMs,
    freshUntilMs,
    reuseUntilMs,
    standInUntilMs,
    keepUntilMs: Math.max(reuseUntilMs, standInUntilMs, revalidatableUntilMs),
    tookMs: call.tookMs,
  };
}

/** Failures that say something about what was asked for, rather than that nothing could be learnt. */
export function isAnswer(failure: RegistryFailure): boolean {
  switch (failure.type) {
    case 'AUTHENTICATION':
    case 'AUTHORIZATION':
    case 'NOT_FOUND':
    case 'CONFLICT':
    case 'INVALID':
    case 'READ_ONLY':
      return true;
    case 'CONNECTION':
    case 'TIMEOUT':
    case 'RATE_LIMIT':
    case 'CIRCUIT_OPEN':
    case 'PROTOCOL':
    case 'SERVER':
    case 'TLS':
      return false;
  }
}

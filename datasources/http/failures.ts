import type { IncomingHttpHeaders } from 'node:http';
import { RegistryFailure } from '../../src/domain/errors.ts';

/** A 429 without Retry-After: how long the registry is left alone. */
const DEFAULT_PAUSE_MS = 1_000;
/** A Retry-After is believed up to here: a slip of the registry must not shut it out for days. */
const LONGEST_PAUSE_MS = 3_600_000;

const TIMEOUT_CODES: ReadonlySet<string> = new Set([
  'UND_ERR_CONNECT_TIMEOUT',
  'UND_ERR_HEADERS_TIMEOUT',
  'UND_ERR_BODY_TIMEOUT',
  'ETIMEDOUT',
]);

/** What OpenSSL and Node call a certificate they do not trust, beside those that begin with CERT_, ERR_SSL_ or ERR_TLS_. */
const CERTIFICATE_CODES: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_GET_CRL',
  'UNABLE_TO_DECODE_ISSUER_PUBLIC_KEY',
  'HOSTNAME_MISMATCH',
  'INVALID_CA',
  'INVALID_PURPOSE',
  'PATH_LENGTH_EXCEEDED',
  'EPROTO',
]);

const PROTOCOL_CODES: ReadonlySet<string> = new Set([
  'UND_ERR_RES_CONTENT_LENGTH_MISMATCH',
  'UND_ERR_HEADERS_OVERFLOW',
  'UND_ERR_RES_EXCEEDED_MAX_SIZE',
  'UND_ERR_RESPONSE',
]);

/**
 * Translates what the socket, TLS or the HTTP parser threw, once. `answering`: the head of the answer had arrived, so that
 * an orderly end of the connection means an answer cut short.
 */
export function failureOfError(registryName: string, error: unknown, answering: boolean): RegistryFailure {
  if (error instanceof RegistryFailure) return error;
  const code = codeOf(error);
  const details = { cause: error, logDetail: `${code}: ${error instanceof Error ? error.message : String(error)}` };
  if (TIMEOUT_CODES.has(code)) return new RegistryFailure('TIMEOUT', registryName, details);
  if (/^(CERT_|ERR_SSL_|ERR_TLS_|ERR_OSSL)/.test(code) || CERTIFICATE_CODES.has(code)) {
    return new RegistryFailure('TLS', registryName, details);
  }
  if (PROTOCOL_CODES.has(code) || code.startsWith('HPE_') || (answering && code === 'UND_ERR_SOCKET')) {
    return new RegistryFailure('PROTOCOL', registryName, details);
  }
  return new RegistryFailure('CONNECTION', registryName, details);
}

/** An AggregateError of several addresses tried speaks through its first member. */
function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) return codeOf(error.errors[0]);
  if (typeof error !== 'object' || error === null || !('code' in error)) return 'UNKNOWN';
  return String(error.code);
}

/** Translates a status that brings no answer. `nowMs` on the clock of `Date.now()`. */
export function failureOfStatus(
  registryName: string,
  statusCode: number,
  headers: IncomingHttpHeaders,
  nowMs: number,
): RegistryFailure {
  const details = { statusCode, retryAfterMs: readRetryAfterMs(headers['retry-after'], nowMs) };
  switch (statusCode) {
    case 401:
      return new RegistryFailure('AUTHENTICATION', registryName, { statusCode });
    case 403:
      return new RegistryFailure('AUTHORIZATION', registryName, { statusCode });
    case 404:
    case 410:
      return new RegistryFailure('NOT_FOUND', registryName, { statusCode });
    case 408:
      return new RegistryFailure('TIMEOUT', registryName, details);
    case 409:
      return new RegistryFailure('CONFLICT', registryName, { statusCode });
    case 429:
      return new RegistryFailure('RATE_LIMIT', registryName, {
        statusCode,
        retryAfterMs: details.retryAfterMs ?? DEFAULT_PAUSE_MS,
      });
  }
  if (statusCode >= 500) return new RegistryFailure('SERVER', registryName, details);
  if (statusCode >= 400) return new RegistryFailure('INVALID', registryName, { statusCode });
  return protocolFailure(registryName, `a status ${statusCode} brings no answer`, statusCode);
}

/** An answer that is none of the protocol. `detail` goes to the log alone. */
export function protocolFailure(registryName: string, detail: string, statusCode: number | null = null) {
  return new RegistryFailure('PROTOCOL', registryName, { statusCode, logDetail: detail });
}

/** Retry-After in seconds or as a date (RFC 9110, 10.2.3), in milliseconds from now; null: absent or neither. */
function readRetryAfterMs(value: string | undefined, nowMs: number): number | null {
  if (value === undefined) return null;
  const text = value.trim();
  const waitMs = /^\d{1,10}$/.test(text) ? Number(text) * 1000 : Date.parse(text) - nowMs;
  return Number.isFinite(waitMs) ? Math.min(Math.max(0, Math.ceil(waitMs)), LONGEST_PAUSE_MS) : null;
}

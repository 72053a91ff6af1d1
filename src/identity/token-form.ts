/**
 * What can be said of a token before anybody is asked for a key, and before any arithmetic is done: it decides what is
 * refused at once. Nothing of it is proven yet.
 */
import { decodeJwt, decodeProtectedHeader, type JWTPayload, type ProtectedHeaderParameters } from 'jose';
import { Unauthenticated } from '../access/errors.ts';

/** RFC 9068, section 2.1, and RFC 7519, section 5.1; RFC 7515, section 4.1.9 allows the prefix. */
const TYPES = new Set(['jwt', 'at+jwt', 'application/jwt', 'application/at+jwt']);
/**
 * RFC 8725, section 3.10: a token must not say by which key it is verified, nor where that is. And nothing is understood here
 * that would have to be (`crit`).
 */
const REFUSED_MEMBERS = ['jwk', 'jku', 'x5u', 'x5c', 'crit', 'b64', 'zip'] as const;
const MAX_KEY_ID_LENGTH = 256;

export interface TokenExpectations {
  readonly issuer: string;
  /** Any of them. */
  readonly audience: readonly string[];
  readonly algorithms: readonly string[];
  readonly clockToleranceMs: number;
}

/**
 * Throws Unauthenticated for a token that cannot be good, whoever signed it. `nowMs`: as `Date.now()`.
 * RFC 7519, section 7.2; RFC 8725, sections 3.1 (algorithms), 3.8 (issuer), 3.9 (audience), 3.11 (type).
 */
export function checkTokenForm(token: string, expected: TokenExpectations, nowMs: number): void {
  const { header, claims } = decode(token);
  if (typeof header.alg !== 'string' || !expected.algorithms.includes(header.alg)) throw invalidToken();
  if (header.typ !== undefined && !TYPES.has(String(header.typ).toLowerCase())) throw invalidToken();
  if (REFUSED_MEMBERS.some((name) => Object.hasOwn(header, name))) throw invalidToken();
  if (header.kid !== undefined && (typeof header.kid !== 'string' || header.kid.length > MAX_KEY_ID_LENGTH))
    throw invalidToken();
  if (claims.iss !== expected.issuer) throw invalidToken();
  const audiences: readonly unknown[] = Array.isArray(claims.aud) ? claims.aud : [claims.aud];
  if (!audiences.some((audience) => typeof audience === 'string' && expected.audience.includes(audience)))
    throw invalidToken();
  if (typeof claims.exp !== 'number' || !Number.isFinite(claims.exp)) throw invalidToken();
  if (claims.exp * 1000 <= nowMs - expected.clockToleranceMs) throw expiredToken();
  if (claims.nbf !== undefined && !(Number(claims.nbf) * 1000 <= nowMs + expected.clockToleranceMs))
    throw invalidToken();
}

function decode(token: string): { readonly header: ProtectedHeaderParameters; readonly claims: JWTPayload } {
  try {
    return { header: decodeProtectedHeader(token), claims: decodeJwt(token) };
  } catch {
    throw invalidToken();
  }
}

/** One message for all that is wrong: whoever tries tokens learns nothing of how near one came. */
export function invalidToken(): Unauthenticated {
  return new Unauthenticated(
    'The token must be one that the issuer of this gateway signed for it; what was given is not. Sign in again.',
    'INVALID',
  );
}

/** The refusal of a token that was valid once. */
export function expiredToken(): Unauthenticated {
  return new Unauthenticated('The token must be valid now; what was given has expired. Sign in again.', 'EXPIRED');
}

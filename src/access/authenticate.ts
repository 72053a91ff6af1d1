/** Who calls: by API key, by a token of the issuer that is trusted, or anonymous where the configuration allows it. */
import { hash } from 'node:crypto';
import type { ApiKeyConfig, Config } from '../config/config.ts';
import type { Caller } from '../domain/caller.ts';
import { Unauthenticated } from './errors.ts';

const ANONYMOUS: Caller = Object.freeze({
  authenticated: false,
  subject: null,
  roles: Object.freeze([]),
  groups: Object.freeze([]),
});

// RFC 9110, section 11.4 and RFC 6750, section 2.1: the scheme in any case, one token68 behind it.
const BEARER = /^Bearer +([A-Za-z0-9\-._~+/]+=*) *$/i;
// Visible ASCII: what a header can carry unchanged.
const PLAIN_KEY = /^[\x21-\x7e]{1,512}$/;
/** Longest header that is looked into, so that a hostile one costs nothing; tokens of real issuers have 1 to 4 kB. */
const MAX_HEADER_LENGTH = 8192;
// RFC 7515, section 3.1: header, payload and signature of a signed token. One without a signature is none.
const SIGNED_TOKEN = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

export interface Credentials {
  /** The header `Authorization` as received. */
  readonly authorization: string | undefined;
  /** The header `X-API-Key` as received; several of them are joined by commas and so match no key. */
  readonly apiKey: string | undefined;
}

/** Says whose a token is (src/identity has one). */
export interface TokenVerifier {
  /** Who was found to send the token with this SHA-256 (hex), while that holds; undefined: it has to be verified. */
  find(digest: string): Caller | undefined;
  /** Rejects with Unauthenticated, or with IdentityUnavailable where it cannot be told. */
  verify(token: string, digest: string): Promise<Caller>;
}

/** Says who calls: at once, unless a token has to be verified that was not seen before. */
export type Authenticate = (credentials: Credentials) => Caller | Promise<Caller>;

/**
 * Makes the function that says who calls. It throws Unauthenticated for a key that is unknown or malformed, which never
 * falls back to anonymous, and for no key at all where anonymous callers are denied. Without `tokens` nobody signs in by one.
 */
export function createAuthenticator(
  auth: Pick<Config['auth'], 'anonymous' | 'apiKeys'>,
  tokens: TokenVerifier | null = null,
): Authenticate {
  const callers = new Map(auth.apiKeys.map((key) => [key.sha256, toCaller(key)]));
  const kinds = tokens === null ? 'an API key' : 'an API key or a token';
  return ({ authorization, apiKey }) => {
    if (authorization === undefined && apiKey === undefined) {
      if (auth.anonymous === 'allow') return ANONYMOUS;
      throw new Unauthenticated(
        `This gateway asks for ${kinds}; none was given. Send it as "Authorization: Bearer <${tokens === null ? 'key' : 'key or token'}>".`,
        'MISSING',
      );
    }
    const key = readKey(authorization, apiKey);
    // By its digest, so that no text of a key outlives its request here, and none is remembered that the configuration does
    // not have anyway. What the time of the look-up could tell is of digests alone: who guesses can neither choose those nor
    // get from one that is close to the key.
    const digest = key === null || key === '' ? null : hash('sha256', key, 'hex');
    const caller = digest === null ? undefined : (callers.get(digest) ?? tokens?.find(digest));
    if (caller !== undefined) return caller;
    if (tokens !== null && key !== null && digest !== null && apiKey === undefined && SIGNED_TOKEN.test(key))
      return tokens.verify(key, digest);
    throw new Unauthenticated(
      `The credentials must be ${tokens === null ? 'one API key that this gateway knows' : 'one API key that this gateway knows, or a token of its issuer'}; what was given is not. Check the key.`,
      'INVALID',
    );
  };
}

function toCaller({ id, roles, groups }: ApiKeyConfig): Caller {
  return Object.freeze({ authenticated: true, subject: id, roles: [...roles], groups: [...groups] });
}

/** The key, or null where what was sent is none. Two different keys at once are none either: whose rights would count? */
function readKey(authorization: string | undefined, apiKey: string | undefined): string | null {
  const bearer = authorization === undefined ? null : readBearer(authorization);
  if (apiKey === undefined) return bearer;
  if (!PLAIN_KEY.test(apiKey) || (bearer !== null && bearer !== apiKey)) return null;
  return apiKey;
}

/** Empty where there is none. */
function readBearer(authorization: string): string {
  return authorization.length > MAX_HEADER_LENGTH ? '' : (BEARER.exec(authorization)?.[1] ?? '');
}

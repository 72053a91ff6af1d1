/** Who calls: by API key, or anonymous where the configuration allows it. */
import { createHash, timingSafeEqual } from 'node:crypto';
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
/** Longest key that is hashed, so that a hostile header costs nothing. */
const MAX_KEY_LENGTH = 512;

export interface Credentials {
  /** The header `Authorization` as received. */
  readonly authorization: string | undefined;
  /** The header `X-API-Key` as received; several of them are joined by commas and so match no key. */
  readonly apiKey: string | undefined;
}

interface KnownKey {
  readonly hash: Buffer;
  readonly caller: Caller;
}

/**
 * Makes the function that says who calls. It throws Unauthenticated for a key that is unknown or malformed, which never
 * falls back to anonymous, and for no key at all where anonymous callers are denied.
 */
export function createAuthenticator(auth: Config['auth']): (credentials: Credentials) => Caller {
  const knownKeys = auth.apiKeys.map(toKnownKey);
  return ({ authorization, apiKey }) => {
    if (authorization === undefined && apiKey === undefined) {
      if (auth.anonymous === 'allow') return ANONYMOUS;
      throw new Unauthenticated(
        'This gateway asks for an API key; none was given. Send it as "Authorization: Bearer <key>".',
      );
    }
    const caller = findCaller(readKey(authorization, apiKey), knownKeys);
    if (caller === null) {
      throw new Unauthenticated(
        'The credentials must be one API key that this gateway knows; what was given is not. Check the key.',
      );
    }
    return caller;
  };
}

function toKnownKey({ id, sha256, roles, groups }: ApiKeyConfig): KnownKey {
  const caller = Object.freeze({ authenticated: true, subject: id, roles: [...roles], groups: [...groups] });
  return { hash: Buffer.from(sha256, 'hex'), caller };
}

/** The key, or null where what was sent is none. Two different keys at once are none either: whose rights would count? */
function readKey(authorization: string | undefined, apiKey: string | undefined): string | null {
  const bearer = authorization === undefined ? null : (BEARER.exec(authorization.slice(0, MAX_KEY_LENGTH))?.[1] ?? '');
  if (apiKey === undefined) return bearer;
  if (!PLAIN_KEY.test(apiKey) || (bearer !== null && bearer !== apiKey)) return null;
  return apiKey;
}

/** Compares with every known key, so that the time taken tells nothing of which one came close. */
function findCaller(key: string | null, knownKeys: readonly KnownKey[]): Caller | null {
  if (key === null || key === '') return null;
  const hash = createHash('sha256').update(key).digest();
  let found: Caller | null = null;
  for (const known of knownKeys) {
    if (timingSafeEqual(known.hash, hash)) found = known.caller;
  }
  return found;
}

/** Who calls: by API key, or anonymous where the configuration allows it. */
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
/** Longest key that is hashed, so that a hostile header costs nothing. */
const MAX_KEY_LENGTH = 512;

export interface Credentials {
  /** The header `Authorization` as received. */
  readonly authorization: string | undefined;
  /** The header `X-API-Key` as received; several of them are joined by commas and so match no key. */
  readonly apiKey: string | undefined;
}

/**
 * Makes the function that says who calls. It throws Unauthenticated for a key that is unknown or malformed, which never
 * falls back to anonymous, and for no key at all where anonymous callers are denied.
 */
export function createAuthenticator(auth: Config['auth']): (credentials: Credentials) => Caller {
  const callers = new Map(auth.apiKeys.map((key) => [key.sha256, toCaller(key)]));
  return ({ authorization, apiKey }) => {
    if (authorization === undefined && apiKey === undefined) {
      if (auth.anonymous === 'allow') return ANONYMOUS;
      throw new Unauthenticated(
        'This gateway asks for an API key; none was given. Send it as "Authorization: Bearer <key>".',
      );
    }
    const caller = findCaller(readKey(authorization, apiKey), callers);
    if (caller === null) {
      throw new Unauthenticated(
        'The credentials must be one API key that this gateway knows; what was given is not. Check the key.',
      );
    }
    return caller;
  };
}

function toCaller({ id, roles, groups }: ApiKeyConfig): Caller {
  return Object.freeze({ authenticated: true, subject: id, roles: [...roles], groups: [...groups] });
}

/** The key, or null where what was sent is none. Two different keys at once are none either: whose rights would count? */
function readKey(authorization: string | undefined, apiKey: string | undefined): string | null {
  const bearer = authorization === undefined ? null : (BEARER.exec(authorization.slice(0, MAX_KEY_LENGTH))?.[1] ?? '');
  if (apiKey === undefined) return bearer;
  if (!PLAIN_KEY.test(apiKey) || (bearer !== null && bearer !== apiKey)) return null;
  return apiKey;
}

/**
 * Looks the key's digest up, so that no text of a key outlives its request here, and none is remembered that the
 * configuration does not have anyway. What the time of the look-up could tell is of digests alone: who guesses can neither
 * choose those nor get from one that is close to the key.
 */
function findCaller(key: string | null, callers: ReadonlyMap<string, Caller>): Caller | null {
  if (key === null || key === '') return null;
  return callers.get(hash('sha256', key, 'hex')) ?? null;
}

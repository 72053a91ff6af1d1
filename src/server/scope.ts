/** Of a caller all that an answer can depend on, unless it is live: answers are shared within one scope and never beyond it. */
import { hash } from 'node:crypto';
import { makeCallerKey } from '../access/caller-quotas.ts';
import type { Caller } from '../domain/caller.ts';

export interface Scope {
  /** Equal for callers whose answers are equal. */
  readonly key: string;
  /** Names of the places where its requests are looked for, by method and media type: ready, since each request needs one. */
  readonly rooms: Readonly<Record<'getJson' | 'postJson' | 'getGraphql' | 'postGraphql', string>>;
  /** Whether what it is answered may lie in a cache that others share: whoever asks without credentials gets the same. */
  readonly isPublic: boolean;
  /** Stands for the caller where its requests are counted; null: those of its address are. */
  readonly callerKey: string | null;
}

/**
 * Makes the function that tells a caller's scope: its roles, its groups, whether it proved who it is, and its token, where
 * registries are asked by it. Who it is shows in
 * `viewer` alone, which is live. What is known of a caller is remembered as long as the object is.
 */
export function createScopeReader(): (caller: Caller) => Scope {
  const known = new WeakMap<Caller, Scope>();
  return (caller) => {
    const found = known.get(caller);
    if (found !== undefined) return found;
    const scope = toScope(caller);
    known.set(caller, scope);
    return scope;
  };
}

function toScope({ authenticated, subject, issuer, roles, groups, token }: Caller): Scope {
  // A caller has a token only where some registry is asked by it, and then nobody else has its answers.
  const own = token === undefined ? [] : [token.fingerprint];
  const rights = JSON.stringify([...own, authenticated, [...new Set(roles)].sort(), [...new Set(groups)].sort()]);
  const key = hash('sha256', rights, 'base64');
  const rooms = {
    getJson: `GET json ${key}`,
    postJson: `POST json ${key}`,
    getGraphql: `GET graphql ${key}`,
    postGraphql: `POST graphql ${key}`,
  };
  // An id of a key and a subject of an issuer may read alike; an issuer is a URL, and empty for keys.
  const callerKey = authenticated ? makeCallerKey(`${issuer ?? ''} ${subject}`) : null;
  return { key, rooms, isPublic: !authenticated, callerKey };
}

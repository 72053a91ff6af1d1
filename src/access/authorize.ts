/** What a caller may do beyond reading. */
import type { Caller } from '../domain/caller.ts';
import { Forbidden, Unauthenticated } from './errors.ts';

/** Throws Forbidden for a caller without the role, and Unauthenticated where that is because it is anonymous. */
export function requireRole(caller: Caller, role: string): void {
  if (caller.roles.includes(role)) return;
  if (caller.authenticated) {
    throw new Forbidden(
      `This needs the role "${role}"; the caller does not have it. Ask whoever runs the gateway for it.`,
    );
  }
  throw new Unauthenticated(
    `This needs a caller of the role "${role}"; no proof of who calls was given. Send it as "Authorization: Bearer <key or token>".`,
    'MISSING',
  );
}

/** Throws Unauthenticated for an anonymous caller. */
export function requireIdentity(caller: Caller): void {
  if (caller.authenticated) return;
  throw new Unauthenticated(
    'This needs a caller who has proved who it is; no proof was given. Send it as "Authorization: Bearer <key or token>".',
    'MISSING',
  );
}

import { normalizeName } from '../domain/names.ts';

/**
 * A claim's glob in the form in which it is held against normalised names. Stars are kept out of it, so that each stays
 * one; an escaped or full-width star becomes one too: names are compared after decoding, and a claim had better hold more.
 */
export function normalizeClaim(claim: string): string {
  return claim.split('*').map(normalizeName).join('*').replace(/\*+/g, '*');
}

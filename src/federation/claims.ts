import { matchesGlob, normalizeName } from '../domain/names.ts';
import type { RegistryInfo } from '../domain/registry.ts';

/** Says whether a name is claimed by a registry other than the one that offers it. */
export type IsClaimedElsewhere = (name: string, offeredBy: string) => boolean;

/**
 * Compiles the claims of all registries, also of those that a caller may not see: a claimed name is never served from
 * another registry, whoever asks and whether or not the claiming one is up. Names are compared after percent-decoding,
 * NFKC and case folding. Returns null where nothing is claimed.
 */
export function compileClaims(registries: readonly RegistryInfo[]): IsClaimedElsewhere | null {
  const claims = registries.flatMap((registry) => registry.claims.map((glob) => ({ glob, owner: registry.name })));
  if (claims.length === 0) return null;
  return (name, offeredBy) => {
    const normalized = normalizeName(name);
    return claims.some((claim) => claim.owner !== offeredBy && matchesGlob(claim.glob, normalized));
  };
}

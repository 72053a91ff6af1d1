import type { CallerToken } from './caller-token.ts';
import type { RegistryInfo } from './registry.ts';

/** Who asks, as the server established it. */
export interface Caller {
  readonly authenticated: boolean;
  readonly subject: string | null;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  /** Who vouches for the subject: the issuer of its token. Absent for API keys, whose ids are the gateway's own. */
  readonly issuer?: string;
  /** What registries with `passthrough` credentials are sent. Absent where the caller has none, or no registry wants it. */
  readonly token?: CallerToken;
}

/**
 * Says whether the caller may see the registry: a registry without `access` is for everyone; otherwise one common role or
 * one common group suffices.
 */
export function maySeeRegistry(caller: Caller, registry: Pick<RegistryInfo, 'access'>): boolean {
  const { access } = registry;
  if (access === null) return true;
  return (
    access.roles.some((role) => caller.roles.includes(role)) ||
    access.groups.some((group) => caller.groups.includes(group))
  );
}

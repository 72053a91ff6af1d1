/** What the claims of a verified token say of its owner. */
import type { JWTPayload } from 'jose';

/**
 * The texts at a place of the claims: a list of them, or one text with spaces between (RFC 6749, section 3.3). The place is the
 * name of a claim or, where there is none of that name, names within names with dots between ("realm_access.roles").
 */
export function readTexts(claims: JWTPayload, place: string): readonly string[] {
  const value = Object.hasOwn(claims, place) ? claims[place] : readPath(claims, place.split('.'));
  const texts: readonly unknown[] = typeof value === 'string' ? value.split(/\s+/) : Array.isArray(value) ? value : [];
  return [...new Set(texts.filter((text): text is string => typeof text === 'string' && text !== ''))];
}

function readPath(value: unknown, path: readonly string[]): unknown {
  let found = value;
  for (const name of path) {
    if (typeof found !== 'object' || found === null || !Object.hasOwn(found, name)) return undefined;
    found = Reflect.get(found, name);
  }
  return found;
}

/**
 * The gateway's roles for those of the issuer. Without a mapping they are the same; with one, a role of the issuer that it does
 * not name is none here: an "admin" of some other service is not one of the gateway.
 */
export function mapRoles(
  roles: readonly string[],
  mapping: Readonly<Record<string, readonly string[]>> | null,
): readonly string[] {
  if (mapping === null) return roles;
  return [...new Set(roles.flatMap((role) => (Object.hasOwn(mapping, role) ? (mapping[role] ?? []) : [])))];
}

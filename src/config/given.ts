/** How a fault shows what was given, without ever showing a secret. */
import type { KeyPath } from './faults.ts';

/** Longer ones are cut: the line says where to look. */
const MAX_SHOWN_CHARACTERS = 60;

const SECRET_KEYS = new Set(['credentials', 'secret', 'webhook', 'sha256', 'jwt', 'token', 'password', 'passphrase']);

/** Says whether nothing of the value at this path may be shown. Of credentials, only their type may. */
export function isSecretPath(path: KeyPath): boolean {
  if (path.at(-1) === 'type' && path.at(-2) === 'credentials') return false;
  // What stands in the place of its files may be the key itself.
  if (path.at(-1) === 'tls') return true;
  return path.some((part) => typeof part === 'string' && SECRET_KEYS.has(part));
}

/** A value in words: short ones as they are, collections by what they are, secrets by nothing but their kind. */
export function describeValue(value: unknown, path: KeyPath): string {
  if (value === undefined) return 'nothing';
  if (value === null) return 'nothing (null)';
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list';
  if (typeof value === 'object') return 'a mapping';
  if (value === '') return 'an empty text';
  if (isSecretPath(path) || isKeyText(value))
    return `a ${typeof value === 'string' ? 'text' : typeof value} (not shown)`;
  if (typeof value === 'string') return quoteShort(withoutUrlSecrets(value, path));
  return String(value);
}

/** RFC 7468: whoever gives a key where its file is wanted. */
function isKeyText(value: unknown): boolean {
  return typeof value === 'string' && value.includes('-----BEGIN ');
}

/** A text in quotes, cut when it is long. */
export function quoteShort(value: string): string {
  const characters = Array.from(value.slice(0, 2 * MAX_SHOWN_CHARACTERS + 2));
  const shown =
    characters.length > MAX_SHOWN_CHARACTERS ? `${characters.slice(0, MAX_SHOWN_CHARACTERS).join('')}…` : value;
  return JSON.stringify(shown);
}

/** User names, passwords and query parameters in an address are secrets too. */
function withoutUrlSecrets(value: string, path: KeyPath): string {
  const last = path.at(-1);
  if (last !== 'url' && last !== 'proxy') return value;
  const at = value.lastIndexOf('@');
  const host = at < 0 ? value : `${/^[a-z]+:\/\//i.exec(value)?.[0] ?? ''}***@${value.slice(at + 1)}`;
  return host.replace(/[?#].*$/s, (rest) => `${rest[0] ?? ''}***`);
}

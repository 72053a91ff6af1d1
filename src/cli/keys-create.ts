/** `marketplace keys create`: a new API key, shown once, and the entry of the configuration that knows it by its digest. */
import { hash, randomBytes } from 'node:crypto';
import { stringify } from 'yaml';
import { EXIT_DONE, EXIT_USAGE, type Host } from './host.ts';

/** 256 bits: nobody guesses it, so that a plain SHA-256 keeps it (a slow hash is for what people choose). */
const KEY_BYTES = 32;
/** So that a key that is found where it should not be tells what it is, to people and to scanners of secrets. */
const PREFIX = 'mkt_';

export interface KeyOptions {
  readonly id?: string;
  /** Names with commas between. */
  readonly roles?: string;
  readonly groups?: string;
  readonly format: 'yaml' | 'json';
}

/** Prints the key and its entry. Gives the exit code: 0, or 2 where a name cannot be one. */
export function createKey({ id, roles, groups, format }: KeyOptions, host: Host): number {
  const entry = {
    id: id ?? `key-${randomBytes(4).toString('hex')}`,
    sha256: '',
    roles: listNames(roles),
    groups: listNames(groups),
  };
  const wrong = [entry.id, ...entry.roles, ...entry.groups].find((name) => !isName(name));
  if (wrong !== undefined) {
    host.printErrorLine('Ids, roles and groups must be text of one line, not empty, without control characters.');
    return EXIT_USAGE;
  }
  const key = PREFIX + randomBytes(KEY_BYTES).toString('base64url');
  entry.sha256 = hash('sha256', key, 'hex');
  if (format === 'json') {
    host.printLine(JSON.stringify({ key, apiKey: entry }));
    return EXIT_DONE;
  }
  host.printLine('# The key. It goes to its user; it is shown this once and kept nowhere.');
  host.printLine(key);
  host.printLine('');
  host.printLine('# What the gateway knows of it: goes into the configuration.');
  host.printLine(stringify({ auth: { apiKeys: [entry] } }).trimEnd());
  return EXIT_DONE;
}

function listNames(given: string | undefined): readonly string[] {
  return given === undefined ? [] : [...new Set(given.split(',').map((name) => name.trim()))];
}

function isName(name: string): boolean {
  return name !== '' && !/\p{Cc}/u.test(name);
}

/** What the environment says beside the configuration file. Every variable is read or refused, never ignored. */
import { resolve } from 'node:path';
import type { StorageLocation } from './config.ts';
import { DATABASE_FORMS, parseDatabaseUrl } from './database-url.ts';
import type { ConfigFault } from './faults.ts';
import { quoteShort } from './given.ts';
import { findNearest } from './nearest.ts';
import { isRedisUrl } from './urls.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

export interface EnvironmentSettings {
  readonly host: string;
  readonly port: number;
  /** Absolute. */
  readonly dataDirectory: string;
  readonly logLevel: string;
  /** Processes that serve at one address. */
  readonly workers: number;
  /** Of the configuration's profiles; null: none is chosen. */
  readonly profile: string | null;
  /** Where processes share; null: this is the only one. */
  readonly redisUrl: string | null;
  /** As DATABASE_URL says; null: it says nothing. */
  readonly storage: StorageLocation | null;
}

/** MARKETPLACE_API_KEY and MARKETPLACE_GATEWAY are for commands that ask a gateway; what loads a configuration has no use for them. */
const KNOWN = [
  'MARKETPLACE_API_KEY',
  'MARKETPLACE_CONFIG',
  'MARKETPLACE_DATA',
  'MARKETPLACE_GATEWAY',
  'MARKETPLACE_PROFILE',
  'MARKETPLACE_SECRET',
  'MARKETPLACE_WORKERS',
];
/** More than there are cores of one machine that they would use. */
const MAX_WORKERS = 256;
/** As pino knows them. */
const LOG_LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'];

/**
 * Reads PORT, HOST, MARKETPLACE_DATA, MARKETPLACE_PROFILE, MARKETPLACE_WORKERS, REDIS_URL, DATABASE_URL and LOG_LEVEL, and
 * finds what has no meaning. An empty variable counts as absent.
 *
 * @param referenced the variables that the configuration reads by `${...}`; those may have any name.
 * @param workingDirectory where a relative data directory starts.
 */
export function readEnvironment(
  environment: Environment,
  referenced: ReadonlySet<string>,
  workingDirectory: string,
): { readonly settings: EnvironmentSettings; readonly faults: readonly ConfigFault[] } {
  const read = (name: string): string | null => (environment[name] === '' ? null : (environment[name] ?? null));
  const faults = findUnknown(environment, referenced);

  const port = read('PORT') ?? '4000';
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) {
    faults.push(faultOf('PORT', 'a whole number from 0 to 65535', quoteShort(port)));
  }
  const host = read('HOST') ?? '127.0.0.1';
  if (!/^[\p{L}\p{N}._:%-]{1,255}$/u.test(host)) {
    faults.push(faultOf('HOST', 'a host name or an address, without scheme and port', quoteShort(host)));
  }
  const logLevel = read('LOG_LEVEL') ?? 'info';
  if (!LOG_LEVELS.includes(logLevel)) {
    const nearest = findNearest(logLevel, LOG_LEVELS);
    faults.push(faultOf('LOG_LEVEL', `one of ${LOG_LEVELS.join(', ')}`, quoteShort(logLevel), nearest));
  }
  const redisUrl = read('REDIS_URL');
  if (redisUrl !== null && !isRedisUrl(redisUrl)) {
    // It may hold a password: what was given is not told.
    faults.push(faultOf('REDIS_URL', 'redis://host:port/database, or rediss: for TLS, without query and fragment'));
  }
  const databaseUrl = read('DATABASE_URL');
  const storage = databaseUrl === null ? null : parseDatabaseUrl(databaseUrl, workingDirectory);
  if (databaseUrl !== null && storage === null) faults.push(faultOf('DATABASE_URL', DATABASE_FORMS));
  const workers = read('MARKETPLACE_WORKERS') ?? '1';
  if (!/^[1-9]\d{0,2}$/.test(workers) || Number(workers) > MAX_WORKERS) {
    faults.push(faultOf('MARKETPLACE_WORKERS', `a whole number from 1 to ${MAX_WORKERS}`, quoteShort(workers)));
  }
  const profile = read('MARKETPLACE_PROFILE');
  const dataDirectory = resolve(workingDirectory, read('MARKETPLACE_DATA') ?? '.marketplace');
  const places = { dataDirectory, redisUrl, storage };
  return { settings: { host, port: Number(port), ...places, logLevel, profile, workers: Number(workers) }, faults };
}

function findUnknown(environment: Environment, referenced: ReadonlySet<string>): ConfigFault[] {
  return Object.entries(environment)
    .filter(([name, value]) => name.startsWith('MARKETPLACE_') && value !== undefined && value !== '')
    .filter(([name]) => !referenced.has(name))
    .flatMap(([name]) => {
      if (name === 'MARKETPLACE_SECRET') {
        // A secret that nobody reads is a secret that its owner believes to be in use.
        return [
          faultOf(name, `read by the configuration (secret: "\${MARKETPLACE_SECRET}" under server), or left unset`),
        ];
      }
      if (KNOWN.includes(name)) return [];
      const expected = `left unset: this version knows ${KNOWN.join(', ')}, and the configuration does not read it`;
      return [faultOf(name, expected, null, findNearest(name, KNOWN))];
    });
}

function faultOf(
  name: string,
  expected: string,
  given: string | null = null,
  suggestion: string | null = null,
): ConfigFault {
  return { source: 'environment', line: null, column: null, key: name, expected, given, suggestion };
}

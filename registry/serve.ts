/**
 * Starting a registry from a command line: what the arguments mean, and nothing about where they came from.
 */
import { readFile, stat } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import type { FolderFault } from './folder.ts';
import { createRegistry, type RegistryOptions } from './registry.ts';

/** What `--help` shows. */
export const USAGE = `Usage: <command> <folder> [options]

Serves the templates in a folder by the registry protocol.

  --port <number>           where to listen (default: any free port)
  --host <address>          (default: 127.0.0.1)
  --read-only               take no publications
  --token <token>           who shows it may publish; also REGISTRY_TOKEN, which no process list shows
  --read-token <token>      who shows it may read; without it, users and keys, everybody may
  --authorized-keys <file>  OpenSSH public keys whose owners may read and publish by signed requests
  --public-read             everybody may read, whatever credentials there are
  --public-url <url>        where clients reach it, when that is not where it listens
  --max-limit <number>      the largest page (default: 100)
  --tls-cert <file>         with --tls-key: serve https
  --tls-key <file>
  --tls-client-ca <file>    serve only clients with a certificate of this authority
`;

/** Arguments that make no sense; the message says which and what to do. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

/** A registry that is running. */
export interface RunningRegistry {
  readonly url: string;
  /** Names in its catalogue. */
  readonly size: number;
  /** Files that could not be used. */
  readonly faults: readonly FolderFault[];
  readonly close: () => Promise<void>;
}

/**
 * Starts a registry as the arguments say (USAGE); `environment` may hold REGISTRY_TOKEN. Rejects with a UsageError when an
 * argument is wrong, and with the system's error when the folder, a file or the port cannot be had.
 */
export async function runRegistry(
  argumentsList: readonly string[],
  environment: Readonly<Record<string, string | undefined>> = {},
): Promise<RunningRegistry> {
  const { values, positionals } = parseArguments(argumentsList);
  const [folder, ...rest] = positionals;
  if (folder === undefined || rest.length > 0) throw new UsageError(`Name one folder of templates.\n\n${USAGE}`);
  const info = await stat(folder).catch(() => null);
  if (info === null || !info.isDirectory()) throw new UsageError(`"${folder}" must be a folder of templates.`);
  const publishTokens = [values.token ?? environment.REGISTRY_TOKEN ?? []].flat();
  const registry = createRegistry({
    folder,
    publishTokens,
    readTokens: values['read-token'] ?? [],
    recordRequests: 0,
    ...(values['read-only'] === true ? { readOnly: true } : {}),
    ...(values['public-read'] === true ? { publicRead: true } : {}),
    ...(values['public-url'] === undefined ? {} : { publicUrl: readUrl(values['public-url']) }),
    ...(values['max-limit'] === undefined ? {} : { maxLimit: readNumber('max-limit', values['max-limit'], 1, 10_000) }),
    ...(await readKeys(values['authorized-keys'])),
    ...(await readTls(values['tls-cert'], values['tls-key'], values['tls-client-ca'])),
  });
  const url = await registry.listen({
    port: readNumber('port', values.port ?? '0', 0, 65_535),
    host: values.host ?? '127.0.0.1',
  });
  return { url, size: registry.size, faults: registry.faults, close: registry.close };
}

function parseArguments(argumentsList: readonly string[]) {
  try {
    return parseArgs({
      args: [...argumentsList],
      allowPositionals: true,
      options: {
        port: { type: 'string' },
        host: { type: 'string' },
        'read-only': { type: 'boolean' },
        'public-read': { type: 'boolean' },
        'public-url': { type: 'string' },
        token: { type: 'string', multiple: true },
        'read-token': { type: 'string', multiple: true },
        'authorized-keys': { type: 'string' },
        'max-limit': { type: 'string' },
        'tls-cert': { type: 'string' },
        'tls-key': { type: 'string' },
        'tls-client-ca': { type: 'string' },
      },
    });
  } catch (cause) {
    // parseArgs names the argument and never its neighbours' values.
    throw new UsageError(`${cause instanceof Error ? cause.message : 'The arguments are wrong.'}\n\n${USAGE}`, {
      cause,
    });
  }
}

function readNumber(name: string, text: string, minimum: number, maximum: number): number {
  const number = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (number >= minimum && number <= maximum) return number;
  throw new UsageError(`--${name} must be a whole number from ${minimum} to ${maximum}, but "${text}" was given.`);
}

function readUrl(text: string): string {
  if (URL.canParse(text) && /^https?:/.test(text)) return text;
  throw new UsageError(`--public-url must be an http or https address, but "${text}" was given.`);
}

async function readKeys(file: string | undefined): Promise<Pick<RegistryOptions, 'authorizedKeys'>> {
  return file === undefined ? {} : { authorizedKeys: (await readFile(file, 'utf8')).split(/\r?\n/) };
}

async function readTls(
  certFile: string | undefined,
  keyFile: string | undefined,
  caFile: string | undefined,
): Promise<Pick<RegistryOptions, 'tls'>> {
  if (certFile === undefined && keyFile === undefined && caFile === undefined) return {};
  if (certFile === undefined || keyFile === undefined) {
    throw new UsageError('--tls-cert and --tls-key must be given together.');
  }
  const [cert, key] = await Promise.all([readFile(certFile, 'utf8'), readFile(keyFile, 'utf8')]);
  return { tls: { cert, key, ...(caFile === undefined ? {} : { ca: await readFile(caFile, 'utf8') }) } };
}

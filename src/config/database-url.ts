/** DATABASE_URL: where what must outlive the process is kept. */
import { join, resolve } from 'node:path';
import type { StorageLocation } from './config.ts';

export const DATABASE_FORMS = 'postgres://<user>:<password>@<host>:<port>/<database> or sqlite:<path>';
export const IN_MEMORY = { kind: 'sqlite', path: ':memory:' } as const satisfies StorageLocation;

/** In the data directory. */
const DATABASE_FILE = 'marketplace.sqlite';

/** Where everything is kept that must outlive the process, when `DATABASE_URL` does not say. */
export function defaultStorage(dataDirectory: string): StorageLocation {
  return { kind: 'sqlite', path: join(dataDirectory, DATABASE_FILE) };
}

/** null: it has neither form. A relative path starts at the working directory. */
export function parseDatabaseUrl(text: string, workingDirectory: string): StorageLocation | null {
  const path = /^sqlite:(?:\/\/)?(.+)$/s.exec(text)?.[1];
  if (path === IN_MEMORY.path) return IN_MEMORY;
  if (path !== undefined)
    return path.includes('\u0000') ? null : { kind: 'sqlite', path: resolve(workingDirectory, path) };
  if (!/^postgres(?:ql)?:\/\//.test(text) || !URL.canParse(text)) return null;
  const { hostname, pathname, searchParams } = new URL(text);
  // A server on this machine may be named by the folder of its socket: ?host=/var/run/postgresql.
  const hasHost = hostname !== '' || searchParams.has('host');
  return hasHost && pathname.length > 1 ? { kind: 'postgres', url: text } : null;
}

/**
 * How far the trail had come when this gateway wrote it down, in the data directory, beside the secret. The signature in the
 * database tells that nobody moved the trail's end; it cannot tell that the whole database was put back to an older state. This
 * can, for whoever cannot write here as well.
 */
import { readFileSync } from 'node:fs';
import { rename, writeFile } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import type { ChainPlace } from './chain.ts';

/** In the data directory. */
export const ANCHOR_FILE = 'audit-head.json';

/** `database`: which trail it is of. */
export interface Anchor extends ChainPlace {
  readonly database: string;
}

/** null: there is none, none of this database, or it cannot be read. */
export function readAnchor(path: string, database: string): Anchor | null {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return null;
  }
  if (typeof value !== 'object' || value === null) return null;
  const { sequence, hash, database: of }: { sequence?: unknown; hash?: unknown; database?: unknown } = value;
  if (typeof of !== 'string' || !isSame(of, database, path) || typeof hash !== 'string' || typeof sequence !== 'number')
    return null;
  return Number.isSafeInteger(sequence) ? { database, sequence, hash } : null;
}

/** A file that is kept beside this one is the same wherever both were moved to. */
function isSame(noted: string, database: string, path: string): boolean {
  return noted === database || (dirname(database) === dirname(path) && basename(noted) === basename(database));
}

/** Replaces the file whole. Rejects with what the file system says. */
export async function writeAnchor(path: string, { database, sequence, hash }: Anchor): Promise<void> {
  // Processes may share the directory.
  const written = `${path}.${crypto.randomUUID()}`;
  await writeFile(written, `${JSON.stringify({ database, sequence, hash })}\n`, { mode: 0o600 });
  await rename(written, path);
}

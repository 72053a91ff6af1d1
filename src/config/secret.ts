/** The secret that a gateway makes for itself when the configuration names none. */
import { randomBytes } from 'node:crypto';
import { linkSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** As long as the key of AES-256. */
const SECRET_BYTES = 32;

/**
 * Reads `<data directory>/secret`, and makes it first where there is none: 32 random bytes in hexadecimal, for the owner's
 * eyes only. Processes that start at once agree: the file appears complete or not at all, and the first one stays.
 *
 * @throws the file system's error, or one that says that the file holds something else.
 */
export function loadOrCreateSecret(dataDirectory: string): string {
  const path = join(dataDirectory, 'secret');
  const present = readIfPresent(path);
  if (present !== null) return checkSecret(present, path);
  mkdirSync(dataDirectory, { recursive: true, mode: 0o700 });
  const draft = join(dataDirectory, `secret.${randomBytes(9).toString('hex')}`);
  try {
    writeFileSync(draft, `${randomBytes(SECRET_BYTES).toString('hex')}\n`, { flag: 'wx', mode: 0o600, flush: true });
    linkIfAbsent(draft, path);
  } finally {
    rmSync(draft, { force: true });
  }
  return checkSecret(readFileSync(path, 'utf8'), path);
}

function readIfPresent(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return null;
    throw error;
  }
}

/** A hard link fails where the name is taken, which a rename would not. */
function linkIfAbsent(draft: string, path: string): void {
  try {
    linkSync(draft, path);
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
  }
}

function checkSecret(content: string, path: string): string {
  const secret = content.trim();
  if (/^[0-9a-f]{64}$/.test(secret)) return secret;
  throw new Error(`${path} must hold 64 hexadecimal digits; remove it, and a new secret is made`);
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : null;
}

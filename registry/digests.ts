/**
 * Digest fields of RFC 9530: a dictionary of algorithms with base64 digests.
 */
import { hash, timingSafeEqual } from 'node:crypto';

const ALGORITHMS: Readonly<Record<string, string>> = { 'sha-256': 'sha256', 'sha-512': 'sha512' };
const MEMBER = /^([a-z0-9-]+)=:([A-Za-z0-9+/]+=*):$/;

/** The field value for some bytes: SHA-256. */
export function formatDigest(bytes: Uint8Array): string {
  return `sha-256=:${hash('sha256', bytes, 'base64')}:`;
}

/**
 * Whether a field agrees with the bytes: it must name at least one algorithm that is known here (sha-256, sha-512), and
 * every one of those must fit. Members of other algorithms are ignored, as the RFC has it.
 */
export function matchesDigest(field: string, bytes: Uint8Array): boolean {
  let checked = 0;
  for (const part of field.split(',')) {
    const member = MEMBER.exec(part.trim());
    if (member === null) return false;
    const algorithm = ALGORITHMS[member[1] ?? ''];
    if (algorithm === undefined) continue;
    const given = Buffer.from(member[2] ?? '', 'base64');
    const actual = hash(algorithm, bytes, 'buffer');
    if (given.byteLength !== actual.byteLength || !timingSafeEqual(given, actual)) return false;
    checked += 1;
  }
  return checked > 0;
}

/** Entity tags (RFC 9110, 8.8.3 and 13.1.2). */
import { hash } from 'node:crypto';

/** A strong one: equal for equal bytes, whichever process made them. */
export function makeEtag(bytes: Uint8Array): string {
  return `"${hash('sha256', bytes, 'base64url')}"`;
}

/** Whether `If-None-Match` names the tag. Compared weakly, as that header is. */
export function matchesEtag(header: string | undefined, etag: string): boolean {
  if (header === undefined) return false;
  return header.split(',').some((candidate) => {
    const given = candidate.trim().replace(/^W\//, '');
    return given === etag || given === '*';
  });
}

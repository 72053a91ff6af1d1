/** Cursors of the trail: the sequence of an event, sealed (AES-256-GCM) and bound to the criteria it was found by. */
import { createCipheriv, createDecipheriv, hash, hkdfSync, randomBytes } from 'node:crypto';
import type { AuditCriteria } from '../domain/audit.ts';
import { BadCursor } from '../domain/errors.ts';
import { canonicalize } from './event-hash.ts';

const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SEQUENCE_BYTES = 8;

export class AuditCursors {
  readonly #keys: readonly Uint8Array[];

  /** `secrets`: the first seals, all of them open. */
  constructor(secrets: readonly string[]) {
    this.#keys = secrets.map(
      (secret) => new Uint8Array(hkdfSync('sha256', secret, '', 'marketplace audit cursor', 32)),
    );
  }

  seal(sequence: number, criteria: AuditCriteria): string {
    const [key] = this.#keys;
    if (key === undefined) throw new RangeError('there must be a key to seal with');
    const nonce = randomBytes(NONCE_BYTES);
    const payload = Buffer.alloc(SEQUENCE_BYTES);
    payload.writeBigUInt64BE(BigInt(sequence));
    const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(fingerprint(criteria));
    return Buffer.concat([nonce, cipher.update(payload), cipher.final(), cipher.getAuthTag()]).toString('base64url');
  }

  /** Throws BadCursor. */
  open(cursor: string, criteria: AuditCriteria, field: string): number {
    const bytes = Buffer.from(cursor, 'base64url');
    if (bytes.length === NONCE_BYTES + SEQUENCE_BYTES + TAG_BYTES) {
      for (const key of this.#keys) {
        const sequence = decrypt(bytes, key, fingerprint(criteria));
        if (sequence !== null) return sequence;
      }
    }
    throw new BadCursor(field);
  }
}

function decrypt(bytes: Buffer, key: Uint8Array, aad: Uint8Array): number | null {
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, NONCE_BYTES), { authTagLength: TAG_BYTES })
      .setAAD(aad)
      .setAuthTag(bytes.subarray(-TAG_BYTES));
    const payload = Buffer.concat([decipher.update(bytes.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
    return Number(payload.readBigUInt64BE());
  } catch {
    return null;
  }
}

function fingerprint(criteria: AuditCriteria): Uint8Array {
  return hash('sha256', canonicalize({ ...criteria }), 'buffer');
}

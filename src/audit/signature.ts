/** The signature of the chain's two ends: who has no secret of the gateway's can move neither. */
import { createHmac, hash, hkdfSync, timingSafeEqual } from 'node:crypto';
import type { AuditChainRow } from '../storage/tables.ts';
import { canonicalize } from './event-hash.ts';

/** The ends of the chain, unsigned. */
export type ChainEnds = Omit<AuditChainRow, 'id' | 'key_id' | 'signature'>;

/** UNSIGNED: a chain that has never had an event. UNKNOWN: signed by a secret that is none of ours. */
export type SignatureVerdict = 'SIGNED' | 'UNSIGNED' | 'UNKNOWN' | 'FORGED';

interface SigningKey {
  readonly id: string;
  readonly bytes: Uint8Array;
}

export class ChainSigner {
  readonly #keys: readonly [SigningKey, ...SigningKey[]];

  /** `secrets`: the first signs, all of them verify. */
  constructor(secrets: readonly string[]) {
    const [first, ...others] = secrets.map(deriveKey);
    if (first === undefined) throw new RangeError('secrets must hold at least one secret, got none');
    this.#keys = [first, ...others];
  }

  sign(ends: ChainEnds): Pick<AuditChainRow, 'key_id' | 'signature'> {
    const [key] = this.#keys;
    return { key_id: key.id, signature: compute(key, ends) };
  }

  verify(row: AuditChainRow): SignatureVerdict {
    if (row.signature === '' && row.head_sequence === 0 && row.base_sequence === 0) return 'UNSIGNED';
    const key = this.#keys.find(({ id }) => id === row.key_id);
    if (key === undefined) return 'UNKNOWN';
    const expected = Buffer.from(compute(key, row));
    const given = Buffer.from(row.signature);
    return expected.length === given.length && timingSafeEqual(expected, given) ? 'SIGNED' : 'FORGED';
  }
}

/** HKDF (RFC 5869) with a purpose of its own: a cursor's key signs no chain. */
function deriveKey(secret: string): SigningKey {
  const bytes = new Uint8Array(hkdfSync('sha256', secret, '', 'marketplace audit trail', 32));
  // Tells keys apart and says nothing of them.
  return { id: hash('sha256', Buffer.concat([Buffer.from('key id'), bytes]), 'hex').slice(0, 16), bytes };
}

function compute({ id, bytes }: SigningKey, { base_sequence, base_hash, head_sequence, head_hash }: ChainEnds): string {
  const text = canonicalize({
    baseHash: base_hash,
    baseSequence: base_sequence,
    headHash: head_hash,
    headSequence: head_sequence,
    keyId: id,
  });
  return createHmac('sha256', bytes).update(text).digest('hex');
}

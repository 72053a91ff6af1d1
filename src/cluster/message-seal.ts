import { createHmac, hkdfSync, timingSafeEqual } from 'node:crypto';

const KEY_BYTES = 32;
const MAC_BYTES = 32;
/** Enough that no two things share a name (RFC 2104, 5: not less than half of the output). */
const NAME_BYTES = 16;

/**
 * Authenticates what processes leave for each other in a place that others may write to (HMAC-SHA-256, RFC 2104, under keys
 * that are derived from the gateway's secrets by RFC 5869). It hides nothing.
 */
export class MessageSeal {
  readonly #keys: readonly Buffer[];

  /** `secrets`: the first one signs, all of them verify. `purpose`: what is signed for one is worth nothing for another. */
  constructor(secrets: readonly string[], purpose: string) {
    this.#keys = secrets.map((secret) =>
      Buffer.from(hkdfSync('sha256', secret, '', `marketplace ${purpose}`, KEY_BYTES)),
    );
  }

  /** The bytes with their signature before them. `place`: where they are to lie; elsewhere they do not verify. */
  seal(place: string, bytes: Uint8Array): Buffer {
    const [key] = this.#keys;
    if (key === undefined) throw new RangeError('a seal needs a secret');
    return Buffer.concat([sign(key, place, bytes), bytes]);
  }

  /** A short name for something that nobody else shall read off it. */
  nameOf(text: string): string {
    const [key] = this.#keys;
    if (key === undefined) throw new RangeError('a seal needs a secret');
    return sign(key, 'name', Buffer.from(text)).toString('base64url', 0, NAME_BYTES);
  }

  /** The bytes without their signature; null: nobody who knows a secret has put them there. */
  open(place: string, sealed: Uint8Array): Buffer | null {
    if (sealed.length < MAC_BYTES) return null;
    const all = Buffer.from(sealed.buffer, sealed.byteOffset, sealed.byteLength);
    const bytes = all.subarray(MAC_BYTES);
    const isGenuine = this.#keys.some((key) => timingSafeEqual(sign(key, place, bytes), all.subarray(0, MAC_BYTES)));
    return isGenuine ? bytes : null;
  }
}

/** No place has a line feed in it: where it ends is plain. */
function sign(key: Buffer, place: string, bytes: Uint8Array): Buffer {
  return createHmac('sha256', key).update(`${place}\n`).update(bytes).digest();
}

/** The binary form of cursors: variable-length numbers, short texts; and the short hashes that texts are recognised by. */
import { createHash } from 'node:crypto';

/** Behind a text that was cut: what tells the whole of it. */
const CUT_DIGEST_BYTES = 6;

/** A text as a cursor keeps it. */
export interface KeptText {
  /** The whole text, or its beginning. */
  readonly text: string;
  /** Of the whole text, where `text` is only its beginning; null where it is whole. */
  readonly digest: string | null;
}

export class ByteWriter {
  readonly #bytes: number[] = [];

  writeByte(value: number): void {
    this.#bytes.push(value & 0xff);
  }

  writeUint16(value: number): void {
    this.#bytes.push((value >>> 8) & 0xff, value & 0xff);
  }

  writeUint24(value: number): void {
    this.#bytes.push((value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
  }

  /** A whole number from 0 to 2^53 - 1, seven bits a byte. */
  writeVarint(value: number): void {
    let rest = value;
    while (rest >= 0x80) {
      this.#bytes.push((rest % 0x80) | 0x80);
      rest = Math.floor(rest / 0x80);
    }
    this.#bytes.push(rest);
  }

  /** A sort key: whole numbers short, others as IEEE 754 doubles, null as itself. */
  writeNumber(value: number | null): void {
    if (value === null) this.writeByte(0);
    else if (Number.isSafeInteger(value) && value >= 0 && !Object.is(value, -0)) {
      this.writeByte(1);
      this.writeVarint(value);
    } else {
      this.writeByte(2);
      const double = Buffer.alloc(8);
      double.writeDoubleBE(value);
      this.#bytes.push(...double);
    }
  }

  /** A text; of a longer one than `maxBytes` (UTF-8) the beginning and a digest of the whole. Says whether it was cut. */
  writeText({ text, digest }: KeptText, maxBytes: number): boolean {
    const kept = beginningOf(text, maxBytes);
    const keptDigest = digest ?? (kept === text ? null : digestText(text));
    const bytes = Buffer.from(kept);
    this.writeVarint(bytes.length * 2 + (keptDigest === null ? 0 : 1));
    this.#bytes.push(...bytes);
    if (keptDigest !== null) this.#bytes.push(...Buffer.from(keptDigest, 'base64url'));
    return keptDigest !== null;
  }

  toBytes(): Uint8Array {
    return Uint8Array.from(this.#bytes);
  }
}

/** Reads what ByteWriter wrote. It is only given authenticated bytes: an end that comes too early is a defect. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  readByte(): number {
    const byte = this.#bytes[this.#offset];
    if (byte === undefined) throw new RangeError(`there must be a byte at ${this.#offset}, the payload ends there`);
    this.#offset += 1;
    return byte;
  }

  readUint16(): number {
    return (this.readByte() << 8) | this.readByte();
  }

  readUint24(): number {
    return (this.readByte() << 16) | this.readUint16();
  }

  readVarint(): number {
    let value = 0;
    for (let factor = 1; ; factor *= 0x80) {
      const byte = this.readByte();
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  }

  readNumber(): number | null {
    switch (this.readByte()) {
      case 0:
        return null;
      case 1:
        return this.readVarint();
      default:
        return this.#read(8).readDoubleBE();
    }
  }

  readText(): KeptText {
    const head = this.readVarint();
    const text = this.#read(Math.floor(head / 2)).toString('utf8');
    return { text, digest: head % 2 === 0 ? null : this.#read(CUT_DIGEST_BYTES).toString('base64url') };
  }

  #read(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => this.readByte()));
  }
}

function beginningOf(text: string, maxBytes: number): string {
  if (Buffer.byteLength(text) <= maxBytes) return text;
  let kept = '';
  let bytes = 0;
  for (const character of text) {
    bytes += Buffer.byteLength(character);
    if (bytes > maxBytes) break;
    kept += character;
  }
  return kept;
}

/** What a text that was cut is recognised by: 48 bits of its SHA-256. */
export function digestText(text: string): string {
  return createHash('sha256').update(text).digest().subarray(0, CUT_DIGEST_BYTES).toString('base64url');
}

/** FNV-1a over the UTF-16 units of a text, 32 bits: quick to make, and good enough where a collision costs only a question. */
export function hashText(text: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < text.length; index += 1) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193);
  return hash >>> 0;
}

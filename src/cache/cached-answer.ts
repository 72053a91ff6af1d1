import { zstdDecompressSync } from 'node:zlib';
import type { AnswerHead, AnswerSubject } from '../domain/cache.ts';
import { indexRows, type RowIndex } from './row-index.ts';
import type { Slabs, Slice } from './slabs.ts';

/** The body of an answer, as whoever parses it is given it. */
interface AnswerBody {
  readonly bytes: Buffer;
  readonly mediaType: string;
  readonly etag: string | null;
  readonly reprDigest: string | null;
}

export type ParseBody = (body: AnswerBody) => unknown;

/** An answer as it comes from a registry. */
export interface NewAnswer {
  readonly key: string;
  readonly registry: string;
  readonly subject: AnswerSubject;
  readonly head: AnswerHead;
  /** null: there is none, the value is all. */
  readonly bytes: Uint8Array | null;
  readonly value: unknown;
  readonly parse: ParseBody;
  /** Of one caller: it is kept in memory alone, and told to no other process. Not, where it is not said. */
  readonly isPrivate?: boolean;
  /** It takes the place of one that was used: it will be used as well. */
  readonly isInUse: boolean;
  /** The cache's epoch when it was asked for: what has changed since may not be in it. */
  readonly epoch: number;
}

/** How bytes are kept. */
export type Packing = 'PLAIN' | 'ZSTD';

/** What an answer in memory is made of. `parse` null: nobody who could parse it has asked yet. */
type AnswerParts = Pick<NewAnswer, 'key' | 'registry' | 'subject' | 'head' | 'bytes' | 'isPrivate'> & {
  readonly parse: ParseBody | null;
};

/** What else is known of an answer that was kept elsewhere. */
export interface StoredForm {
  /** Of the body as it came. */
  readonly sizeBytes: number;
  readonly packing: Packing;
  readonly rows: RowIndex | null;
}

/** A parsed body weighs about this many times its bytes. */
const PARSED_WEIGHT = 3;
/** An answer weighs at least this: its key and the bookkeeping. */
const OVERHEAD_BYTES = 768;

/**
 * An answer in memory: as the bytes that came, until it is used again, as what was parsed from them afterwards. Most windows
 * of a search are never used again, and thousands of small objects in each would be carried along by every collection of
 * garbage: that costs a search more than parsing a window a second time does.
 */
export class CachedAnswer {
  readonly key: string;
  readonly registry: string;
  readonly subject: AnswerSubject;
  /** Of the body as it came. */
  readonly sizeBytes: number;
  readonly isPrivate: boolean;
  head: AnswerHead;
  /** It is known to hold what had changed up to this epoch of the cache. */
  epoch: number;
  /** No refresh in the background before this time: one has failed. */
  refreshNotBeforeMs = 0;
  /** The persistent tier has it. */
  isPersisted = false;
  /** Nothing is left to be done about it in a quiet time. */
  isTidy = false;
  readonly #slabs: Slabs;
  #parse: ParseBody | null;
  #slice: Slice | null;
  #packing: Packing;
  #isParsed: boolean;
  #value: unknown;
  #rows: RowIndex | null | undefined;
  #holds = 0;
  #isDropped = false;

  /** `stored`: how it was kept elsewhere; null: it is as it came from the registry. */
  constructor(slabs: Slabs, answer: AnswerParts, epoch: number, stored: StoredForm | null) {
    const { bytes } = answer;
    this.key = answer.key;
    this.registry = answer.registry;
    this.subject = answer.subject;
    this.isPrivate = answer.isPrivate ?? false;
    this.sizeBytes = stored?.sizeBytes ?? bytes?.length ?? 0;
    this.head = answer.head;
    this.epoch = epoch;
    this.#slabs = slabs;
    this.#parse = answer.parse;
    this.#slice = bytes === null ? null : slabs.store(bytes);
    this.#packing = stored?.packing ?? 'PLAIN';
    this.#isParsed = bytes === null;
    this.#value = null;
    this.#rows = stored?.rows;
  }

  get isParsed(): boolean {
    return this.#isParsed;
  }

  get isDropped(): boolean {
    return this.#isDropped;
  }

  get packing(): Packing {
    return this.#packing;
  }

  get hasBytes(): boolean {
    return this.#slice !== null;
  }

  /** Bytes of memory, about. */
  get weight(): number {
    const value = this.#isParsed ? this.sizeBytes * PARSED_WEIGHT : 0;
    return value + (this.#slice?.length ?? 0) + this.key.length + OVERHEAD_BYTES;
  }

  /** The value; from now on it is kept parsed. Throws what `parse` throws. */
  read(parse: ParseBody): unknown {
    if (!this.#isParsed) this.become(this.#parseBytes(parse));
    return this.#value;
  }

  /** Takes what was parsed elsewhere. */
  become(value: unknown): void {
    this.#value = value;
    this.#isParsed = true;
  }

  /** What its rows say; reads them when that was not done yet. null: it has none, or they can no longer be read. */
  rows(): RowIndex | null {
    if (this.#rows === undefined) this.#rows = this.#indexRows();
    return this.#rows;
  }

  /** Reads of its value what its rows say, while it is at hand: parsing it again costs more. */
  noteRows(value: unknown): void {
    this.#rows = indexRows(this.subject, value);
  }

  #indexRows(): RowIndex | null {
    if (this.#isParsed) return indexRows(this.subject, this.#value);
    if (this.#parse === null) return null;
    try {
      return indexRows(this.subject, this.#parseBytes(this.#parse));
    } catch {
      return null;
    }
  }

  #parseBytes(parse: ParseBody): unknown {
    const { mediaType, etag, reprDigest } = this.head;
    return parse({ bytes: this.#openBytes(), mediaType, etag, reprDigest });
  }

  /** The body as it came. A document is its bytes, and keeps them; what is read as JSON may be read where it lies. */
  #openBytes(): Buffer {
    if (this.#slice === null) throw new RangeError('the bytes of an answer that gave them up must not be read');
    const view = this.#slabs.view(this.#slice);
    if (this.#packing === 'ZSTD') return zstdDecompressSync(view, { maxOutputLength: Math.max(1, this.sizeBytes) });
    return this.subject.layer === 'TEMPLATE' ? Buffer.from(view) : view;
  }

  /** The bytes as they are kept, readable until `unpinBytes`; null: it has none. */
  pinBytes(): { readonly slice: Slice; readonly bytes: Buffer } | null {
    const slice = this.#slice;
    if (slice === null) return null;
    this.#slabs.pin(slice);
    return { slice, bytes: this.#slabs.view(slice) };
  }

  unpinBytes(slice: Slice): void {
    this.#slabs.unpin(slice);
  }

  /** Keeps the bytes in less room. */
  pack(packed: Uint8Array): void {
    if (this.#slice === null) return;
    this.#slabs.free(this.#slice);
    this.#slice = this.#slabs.store(packed);
    this.#packing = 'ZSTD';
  }

  /** Gives the bytes up: the value is there, or nobody will ask. */
  freeBytes(): void {
    if (this.#slice !== null) this.#slabs.free(this.#slice);
    this.#slice = null;
  }

  /** While it is held it stays readable, though it was dropped. */
  hold(): void {
    this.#holds += 1;
  }

  release(): void {
    this.#holds -= 1;
    if (this.#holds === 0 && this.#isDropped) this.freeBytes();
  }

  /** It is out of the cache. */
  drop(): void {
    this.#isDropped = true;
    if (this.#holds === 0) this.freeBytes();
  }
}

/** An answer as it was sent, with all that is needed to send it again: bytes, headers, and until when it is true. */
import { type ContentCoding, encodeContent } from './content-coding.ts';
import { makeEtag, matchesEtag } from './entity-tag.ts';
import type { OperationRecord } from './operation-record.ts';
import { SHARED_HEADERS } from './responses.ts';

/** What an answer weighs beside its bytes and keys: headers, maps, and the object itself. */
const OVERHEAD_BYTES = 2048;

/** Up to here node sends head and body by one write out of one piece of text; a longer text it would copy once more. */
const MAX_TEXT_BYTES = 15_000;

/** One form of the bytes. */
export interface Variant {
  /** Short ones as text of one character a byte ("latin1"), which goes out with the head as one. */
  readonly content: Buffer | string;
  readonly etag: string;
  /** Names and values by turns, as `writeHead` takes them; the values at the two places below are set before each use. */
  readonly headers: string[];
}

/** Places in `Variant.headers`. */
export const REQUEST_ID_AT = 1;
export const CACHE_CONTROL_AT = 3;

/** A request as it came: in two parts, since joining them for each request is felt. */
export interface RawKey {
  /** Who asked, and in which form. */
  readonly room: string;
  /** The bytes, one character each. */
  readonly text: string;
}

export interface FinishedParts {
  readonly key: string;
  readonly body: string;
  readonly contentType: string;
  readonly isPublic: boolean;
  readonly usesOrigin: boolean;
  readonly record: OperationRecord;
  /** On the clock of `Date.now()`. */
  readonly freshUntilMs: number;
  /** When the oldest of what it is made of was asked for, on the clock of `performance.now()`. */
  readonly sinceMs: number;
  /** By name. */
  readonly registryNames: ReadonlySet<string>;
}

/** Whoever counts what answers weigh. */
interface Keeper {
  reweigh(answer: FinishedAnswer): void;
}

export class FinishedAnswer {
  readonly key: string;
  readonly record: OperationRecord;
  readonly sinceMs: number;
  readonly registryNames: ReadonlySet<string>;
  readonly identity: Variant;
  /** Keys of requests that are answered with it, as they came. */
  readonly rawKeys: RawKey[] = [];
  /** The last invalidation that it is known to stand. */
  epoch = 0;
  /** When it was last looked up in the order of leaving (`Date.now()`). */
  usedAtMs = 0;
  freshUntilMs: number;
  weightBytes: number;
  readonly #parts: Pick<FinishedParts, 'contentType' | 'isPublic' | 'usesOrigin'>;
  /** null: it is being made, or not worth it. */
  readonly #encoded = new Map<ContentCoding, Variant | null>();
  #cacheControl = '';
  #toldSeconds = -1;

  constructor(parts: FinishedParts) {
    const { key, body, record, freshUntilMs, sinceMs, registryNames, contentType, isPublic, usesOrigin } = parts;
    this.key = key;
    this.record = record;
    this.freshUntilMs = freshUntilMs;
    this.sinceMs = sinceMs;
    this.registryNames = registryNames;
    this.#parts = { contentType, isPublic, usesOrigin };
    const bytes = Buffer.from(body);
    this.identity = this.#makeVariant(bytes, null);
    this.weightBytes = OVERHEAD_BYTES + key.length + bytes.byteLength;
  }

  /** For the time that is left of it. */
  cacheControl(nowMs: number): string {
    const seconds = Math.max(0, Math.floor((this.freshUntilMs - nowMs) / 1000));
    if (seconds !== this.#toldSeconds) {
      this.#toldSeconds = seconds;
      this.#cacheControl = describeLifetime(this.#parts.isPublic, seconds);
    }
    return this.#cacheControl;
  }

  /**
   * The variant for a client that takes these codings, the best first. The first that asks for one gets what there is;
   * `keeper` is told when the one it asked for was made.
   */
  choose(codings: readonly ContentCoding[], keeper: Keeper): Variant {
    for (const coding of codings) {
      const variant = this.#encoded.get(coding);
      if (variant === undefined) {
        this.#encoded.set(coding, null);
        void this.#encode(coding, keeper);
      } else if (variant !== null) return variant;
    }
    return this.identity;
  }

  /** The variant that the client has already, by `If-None-Match`; null: none. */
  findKnown(ifNoneMatch: string | undefined): Variant | null {
    if (ifNoneMatch === undefined) return null;
    if (matchesEtag(ifNoneMatch, this.identity.etag)) return this.identity;
    for (const variant of this.#encoded.values()) {
      if (variant !== null && matchesEtag(ifNoneMatch, variant.etag)) return variant;
    }
    return null;
  }

  /** Never rejects: a variant that cannot be made is one that there is not. */
  async #encode(coding: ContentCoding, keeper: Keeper): Promise<void> {
    const { content } = this.identity;
    const plain = typeof content === 'string' ? Buffer.from(content, 'latin1') : content;
    const bytes = await encodeContent(plain, coding).catch(() => null);
    if (bytes === null) return;
    this.#encoded.set(coding, this.#makeVariant(bytes, coding));
    this.weightBytes += bytes.byteLength;
    keeper.reweigh(this);
  }

  #makeVariant(bytes: Buffer, coding: ContentCoding | null): Variant {
    const etag = makeEtag(bytes);
    const { contentType, usesOrigin } = this.#parts;
    const headers = [
      'X-Request-Id',
      '',
      'Cache-Control',
      '',
      'ETag',
      etag,
      'Vary',
      describeVariance(usesOrigin),
      ...SHARED_HEADERS,
    ];
    const { cost } = this.record;
    if (cost !== null) headers.push('X-GraphQL-Cost', String(cost));
    headers.push('Content-Type', contentType);
    if (coding !== null) headers.push('Content-Encoding', coding);
    headers.push('Content-Length', String(bytes.byteLength));
    const content = bytes.byteLength > MAX_TEXT_BYTES ? bytes : bytes.toString('latin1');
    return { content, etag, headers };
  }
}

/** RFC 9110, 12.5.5: the headers of a request that its answer depends on. */
export function describeVariance(usesOrigin: boolean): string {
  return `Accept, Accept-Encoding, Authorization, X-API-Key${usesOrigin ? ', X-Forwarded-Proto' : ''}`;
}

/** RFC 9111, 5.2.2: what depends on credentials may lie with whoever has them, and nowhere else. */
export function describeLifetime(isPublic: boolean, seconds: number): string {
  return `${isPublic ? 'public' : 'private'}, max-age=${seconds}`;
}

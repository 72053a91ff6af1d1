/** Content codings (RFC 9110, 8.4 and 12.5.3): which one a client gets, and how its bytes are made. */
import { promisify } from 'node:util';
import { brotliCompress, constants, gzip, zstdCompress } from 'node:zlib';
import { LRUCache } from 'lru-cache';

export type ContentCoding = 'br' | 'zstd' | 'gzip';

/** By how small they make an answer. */
const CODINGS: readonly ContentCoding[] = ['br', 'zstd', 'gzip'];
/** Below it the headers of a packet weigh more than what is saved. */
const MIN_ENCODED_BYTES = 1024;
/** What is made once and sent often may take its time; beyond these levels there is little to be had. */
const BROTLI_QUALITY = 6;
const REMEMBERED_HEADERS = 200;
/** A browser's header has 30 characters; a longer one than this is read anew each time. */
const MAX_REMEMBERED_CHARACTERS = 200;

const NO_CODINGS: readonly ContentCoding[] = Object.freeze([]);

const compressBrotli = promisify(brotliCompress);
const compressZstd = promisify(zstdCompress);
const compressGzip = promisify(gzip);

/**
 * Makes the function that reads `Accept-Encoding`: the codings that the client prefers to none at all, the best first: by
 * quality, then by how small they are. What was read of a header is remembered.
 */
export function createCodingChooser(): (header: string | undefined) => readonly ContentCoding[] {
  const known = new LRUCache<string, readonly ContentCoding[]>({ max: REMEMBERED_HEADERS });
  return (header) => {
    if (header === undefined || header === '') return NO_CODINGS;
    const found = known.get(header);
    if (found !== undefined) return found;
    const codings = readCodings(header);
    if (header.length <= MAX_REMEMBERED_CHARACTERS) known.set(header, codings);
    return codings;
  };
}

function readCodings(header: string): readonly ContentCoding[] {
  const qualities = new Map(header.split(',').map(readPart));
  // One that is not named is as welcome as "*"; without that none is, save for what is not encoded.
  const qualityOf = (coding: string) =>
    qualities.get(coding) ?? (coding === 'gzip' ? qualities.get('x-gzip') : undefined) ?? qualities.get('*') ?? 0;
  const plain = qualities.get('identity') ?? 0;
  return CODINGS.map((coding) => ({ coding, quality: qualityOf(coding) }))
    .filter(({ quality }) => quality > 0 && quality >= plain)
    .sort((left, right) => right.quality - left.quality)
    .map(({ coding }) => coding);
}

function readPart(part: string): readonly [string, number] {
  const [name = '', ...parameters] = part.split(';').map((each) => each.trim().toLowerCase());
  const given = parameters.find((parameter) => parameter.startsWith('q='));
  const quality = given === undefined ? 1 : Number(given.slice(2));
  return [name, quality >= 0 && quality <= 1 ? quality : 0];
}

/** The bytes in that coding, made off this thread; null where they would not be worth it. */
export async function encodeContent(bytes: Uint8Array, coding: ContentCoding): Promise<Buffer | null> {
  if (bytes.byteLength < MIN_ENCODED_BYTES) return null;
  const encoded = await compress(bytes, coding);
  return encoded.byteLength < 0.9 * bytes.byteLength ? encoded : null;
}

function compress(bytes: Uint8Array, coding: ContentCoding): Promise<Buffer> {
  switch (coding) {
    case 'br':
      return compressBrotli(bytes, { params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } });
    case 'zstd':
      return compressZstd(bytes);
    case 'gzip':
      return compressGzip(bytes);
    default:
      return coding satisfies never;
  }
}

import { crc32 } from 'node:zlib';
import type { AnswerHead, AnswerSubject } from '../domain/cache.ts';
import type { TemplateCriteria } from '../domain/search.ts';
import type { Complexity } from '../domain/template.ts';
import type { Packing, StoredForm } from './cached-answer.ts';

/** Grows when records of before can no longer be understood: those are then as good as none. */
const FORMAT = 1;
const CHECKSUM_BYTES = 4;

/**
 * An answer as it leaves the process: what is known of it, and its body. They stand apart, so that a store can show what all
 * of its answers are about without reading their bodies.
 */
export interface StoredRecord {
  /** A checksum (CRC-32) of all that follows and of the body; then JSON. */
  readonly label: Uint8Array;
  readonly body: Uint8Array;
}

export interface RecordLabel extends StoredForm {
  readonly registry: string;
  readonly subject: AnswerSubject;
  readonly head: AnswerHead;
  readonly hasBody: boolean;
}

/** Writes a record: the label as JSON behind a checksum over both, and the body as it is. */
export function encodeRecord(label: RecordLabel, body: Uint8Array): StoredRecord {
  const { rows, ...plain } = label;
  const index = rows === null ? null : { names: writeNames(rows.names), isLoose: rows.isLoose };
  const json = Buffer.from(JSON.stringify({ format: FORMAT, ...plain, rows: index }));
  const bytes = Buffer.allocUnsafe(CHECKSUM_BYTES + json.length);
  bytes.set(json, CHECKSUM_BYTES);
  bytes.writeUInt32LE(checksum(json, body));
  return { label: bytes, body };
}

function writeNames(names: readonly number[]): string {
  const bytes = Buffer.allocUnsafe(names.length * 4);
  names.forEach((name, index) => void bytes.writeUInt32LE(name, index * 4));
  return bytes.toString('base64');
}

/** null: it is torn, or of another format. */
export function decodeRecord({ label, body }: StoredRecord): RecordLabel | null {
  const bytes = asBuffer(label);
  if (bytes.length < CHECKSUM_BYTES) return null;
  if (bytes.readUInt32LE() !== checksum(bytes.subarray(CHECKSUM_BYTES), body)) return null;
  return decodeLabel(label);
}

/** As `decodeRecord`, without looking at the body. */
export function decodeLabel(label: Uint8Array): RecordLabel | null {
  try {
    return readLabel(JSON.parse(asBuffer(label).toString('utf8', CHECKSUM_BYTES)));
  } catch {
    return null;
  }
}

function checksum(json: Uint8Array, body: Uint8Array): number {
  return crc32(body, crc32(json));
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

// Reading what a disk gives: each function throws where something is not what this version writes.

function readLabel(value: unknown): RecordLabel {
  const json = readObject(value);
  if (json.format !== FORMAT) throw new TypeError('another format');
  return {
    registry: readString(json.registry),
    subject: readSubject(readObject(json.subject)),
    head: readHead(readObject(json.head)),
    hasBody: readFlag(json.hasBody),
    sizeBytes: readNumber(json.sizeBytes),
    packing: readPacking(json.packing),
    rows: json.rows === null ? null : readRows(readObject(json.rows)),
  };
}

function readSubject(json: JsonObject): AnswerSubject {
  switch (json.layer) {
    case 'SEARCH':
      return {
        layer: 'SEARCH',
        query: readString(json.query),
        criteria: readCriteria(readObject(json.criteria)),
        names: readStrings(json.names),
      };
    case 'TEMPLATE':
      return { layer: 'TEMPLATE', name: readString(json.name) };
    case 'CATALOG':
      return { layer: 'CATALOG' };
  }
  throw new TypeError('a layer must be known');
}

function readHead(json: JsonObject): AnswerHead {
  return {
    isAbsent: readFlag(json.isAbsent),
    etag: json.etag === null ? null : readString(json.etag),
    mediaType: readString(json.mediaType),
    reprDigest: json.reprDigest === null ? null : readString(json.reprDigest),
    askedAtMs: readNumber(json.askedAtMs),
    fetchedAtMs: readNumber(json.fetchedAtMs),
    freshUntilMs: readNumber(json.freshUntilMs),
    reuseUntilMs: readNumber(json.reuseUntilMs),
    standInUntilMs: readNumber(json.standInUntilMs),
    keepUntilMs: readNumber(json.keepUntilMs),
    tookMs: readNumber(json.tookMs),
  };
}

function readCriteria(json: JsonObject): TemplateCriteria {
  const optional = <T>(value: unknown, read: (value: unknown) => T): T | null => (value === null ? null : read(value));
  return {
    categories: readStrings(json.categories),
    domains: readStrings(json.domains),
    complexity: readStrings(json.complexity)?.map(readComplexity) ?? null,
    keywords: readStrings(json.keywords),
    minRating: optional(json.minRating, readNumber),
    verified: optional(json.verified, readFlag),
    validated: optional(json.validated, readFlag),
    researchUser: optional(json.researchUser, readFlag),
    connectionTypes: readStrings(json.connectionTypes),
    packageManagers: readStrings(json.packageManagers),
    licenses: readStrings(json.licenses),
    updatedSinceMs: optional(json.updatedSinceMs, readNumber),
  };
}

function readComplexity(value: string): Complexity {
  if (value === 'SIMPLE' || value === 'MODERATE' || value === 'ADVANCED' || value === 'COMPLEX') return value;
  throw new TypeError('a complexity must be known');
}

function readRows(json: JsonObject): StoredForm['rows'] {
  const bytes = Buffer.from(readString(json.names), 'base64');
  const names = Array.from({ length: bytes.length / 4 }, (_, index) => bytes.readUInt32LE(index * 4));
  return { names, isLoose: readFlag(json.isLoose) };
}

function readPacking(value: unknown): Packing {
  if (value === 'PLAIN' || value === 'ZSTD') return value;
  throw new TypeError('a packing must be known');
}

type JsonObject = Readonly<Record<string, unknown>>;

function readObject(value: unknown): JsonObject {
  if (!isJsonObject(value)) throw new TypeError('an object is expected');
  return value;
}

function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function readString(value: unknown): string {
  if (typeof value !== 'string') throw new TypeError('text is expected');
  return value;
}

function readNumber(value: unknown): number {
  if (typeof value !== 'number') throw new TypeError('a number is expected');
  return value;
}

function readFlag(value: unknown): boolean {
  if (typeof value !== 'boolean') throw new TypeError('true or false is expected');
  return value;
}

/** null: no list. */
function readStrings(value: unknown): readonly string[] | null {
  if (value === null) return null;
  if (!Array.isArray(value)) throw new TypeError('a list is expected');
  return value.map(readString);
}

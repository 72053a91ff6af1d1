import type { StoredRecord } from './record.ts';
import type { LogPosition } from './shared-history.ts';

/** Grows when what was written before can no longer be understood. */
const FORMAT = 1;
const HEAD_BYTES = 9;

/** An answer as processes hand it to each other. */
interface SharedRecord {
  /** It was held against all invalidations up to it. */
  readonly held: LogPosition;
  /** What its writer's clock was ahead of the one that all share. */
  readonly clockOffsetMs: number;
  readonly record: StoredRecord;
}

/** A byte of format, two lengths, then the place in the log, the label and the body. */
export function encodeShared({ held, clockOffsetMs, record: { label, body } }: SharedRecord): Buffer {
  const { generation, sequence } = held;
  const place = Buffer.from(JSON.stringify([generation, sequence, clockOffsetMs]));
  const head = Buffer.allocUnsafe(HEAD_BYTES);
  head.writeUInt8(FORMAT, 0);
  head.writeUInt32LE(place.length, 1);
  head.writeUInt32LE(label.length, 5);
  return Buffer.concat([head, place, label, body]);
}

/** null: it is torn, or of another format. */
export function decodeShared(bytes: Uint8Array): SharedRecord | null {
  const all = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (all.length < HEAD_BYTES || all.readUInt8(0) !== FORMAT) return null;
  const labelFrom = HEAD_BYTES + all.readUInt32LE(1);
  const bodyFrom = labelFrom + all.readUInt32LE(5);
  if (bodyFrom > all.length) return null;
  const place = readPlace(all.toString('utf8', HEAD_BYTES, labelFrom));
  return place && { ...place, record: { label: all.subarray(labelFrom, bodyFrom), body: all.subarray(bodyFrom) } };
}

function readPlace(json: string): Omit<SharedRecord, 'record'> | null {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    return null;
  }
  if (!Array.isArray(value)) return null;
  const [generation, sequence, clockOffsetMs]: unknown[] = value;
  if (typeof generation !== 'string' || typeof sequence !== 'number' || typeof clockOffsetMs !== 'number') return null;
  return { held: { generation, sequence }, clockOffsetMs };
}

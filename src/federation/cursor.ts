/**
 * Cursors: sealed, stateless places of a walk. The payload is binary and small (1 kB of text with 100 registries); it is
 * encrypted with AES-256-GCM under the gateway's secret, so that it tells nobody what is in it, and bound to the search it
 * belongs to. Equal places make equal cursors: the nonce is derived from the content (as in RFC 8452's synthetic IVs), so
 * that equal answers have equal bytes.
 */
import { createCipheriv, createDecipheriv, createSecretKey, hash, hkdfSync, type KeyObject } from 'node:crypto';
import { ByteReader, ByteWriter, type KeptText } from './bytes.ts';
import type { ListOrder } from './traits.ts';

/** A place in the order, as a cursor keeps it. The rank of its registry is looked up again when it is opened. */
export interface CursorMark {
  readonly key: number | null;
  readonly tier: 0 | 1;
  readonly name: KeptText;
  readonly registryId: number;
  /** The rank that the registry had, for when it is gone. */
  readonly rank: number;
  readonly score: number;
  /**
   * Kept where the name is cut: near there the row is looked for, to read its name again. In tier 1 always: where the row's
   * window starts, which is compared, and which the registry's own hint need not tell.
   */
  readonly hint: number;
}

/** Where a registry stands: with the walk; before its first or behind its last row; or at a place of its own. */
export type CursorPlace =
  | { readonly type: 'WITH_MARK' | 'HEAD' | 'TAIL' }
  | { readonly type: 'OWN'; readonly mark: CursorMark };

export interface CursorRegistry {
  readonly registryId: number;
  readonly place: CursorPlace;
  /** For RELEVANCE: where the window of the last consumed row starts. */
  readonly hint: number;
  readonly rowHash: number | null;
  readonly readAs: ListOrder | null;
  /** RELEVANCE only: the floors of the windows, nearest first; null entries of `anchors` are unknown. */
  readonly floors: readonly number[];
  /** The last of the floors is that of the first window. */
  readonly reachesFirst: boolean;
  readonly anchors: readonly (number | null)[];
}

export interface CursorState {
  /** The last place that was shown; null: nothing yet. */
  readonly mark: CursorMark | null;
  /** Rows of the first window of each list: under RELEVANCE the order of the walk depends on it. 126 at most. */
  readonly firstRows: number;
  readonly registries: readonly CursorRegistry[];
}

/** The most that a cursor may be long, in characters of base64url. */
const MAX_CURSOR_CHARACTERS = 1024;
const VERSION = 1;
const ANCHORS = 6;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const MAX_PAYLOAD_BYTES = Math.floor((MAX_CURSOR_CHARACTERS * 3) / 4) - NONCE_BYTES - TAG_BYTES;

/** What is left out, step by step, of a place that would be too long. Every step costs only reading, or only under change. */
interface Detail {
  readonly nameBytes: number;
  readonly floors: number;
  readonly anchors: boolean;
  readonly rowHashes: boolean;
  readonly hints: boolean;
  /** How each list was read; without it a registry that stands with the walk need not be told of. */
  readonly readAs: boolean;
}

const ALL = { floors: 64, anchors: true, rowHashes: true, hints: true, readAs: true };
const NO_FINDING_AGAIN = { floors: 1, anchors: false, rowHashes: false, hints: true, readAs: true };
const PLACES_ALONE = { floors: 0, anchors: false, rowHashes: false, hints: false, readAs: false };
const DETAILS: readonly Detail[] = [
  { ...ALL, nameBytes: 640 },
  { ...ALL, nameBytes: 256, floors: 8 },
  { ...NO_FINDING_AGAIN, nameBytes: 160 },
  { ...NO_FINDING_AGAIN, nameBytes: 160, floors: 0, hints: false },
  { ...PLACES_ALONE, nameBytes: 160 },
  { ...PLACES_ALONE, nameBytes: 64 },
  { ...PLACES_ALONE, nameBytes: 16 },
  { ...PLACES_ALONE, nameBytes: 0 },
];

/** A number that stands for a registry's name in cursors: 24 bits of its SHA-256. */
export function registryIdOf(name: string): number {
  const known = idsOfNames.get(name);
  if (known !== undefined) return known;
  const id = hash('sha256', name, 'buffer').readUIntBE(0, 3);
  idsOfNames.set(name, id);
  return id;
}

/** Of configured registries alone, so there are no more than these. */
const idsOfNames = new Map<string, number>();

interface SealingKeys {
  readonly encryption: KeyObject;
  readonly nonce: Uint8Array;
}

export class CursorSeal {
  readonly #keys: readonly SealingKeys[];

  /** `secrets`: the first seals, all of them open. */
  constructor(secrets: readonly string[]) {
    if (secrets.length === 0) throw new RangeError('secrets must hold at least one secret, got none');
    this.#keys = secrets.map((secret) => {
      const material = Buffer.from(hkdfSync('sha256', secret, '', 'marketplace cursor', 64));
      return { encryption: createSecretKey(material.subarray(0, 32)), nonce: material.subarray(32) };
    });
  }

  /** Seals a place of the search that `fingerprint` stands for. Gives base64url, 1,024 characters at most. */
  seal(state: CursorState, fingerprint: Uint8Array): string {
    const [keys] = this.#keys;
    if (keys === undefined) throw new RangeError('there must be a key to seal with');
    const payload = encodeWithin(state, MAX_PAYLOAD_BYTES);
    // A hash behind a secret of fixed length, of which 96 of 256 bits are shown: it cannot be extended, so that it need not
    // be an HMAC, which costs three times as much.
    const nonce = hash('sha256', Buffer.concat([keys.nonce, fingerprint, payload]), 'buffer').subarray(0, NONCE_BYTES);
    const cipher = createCipheriv('aes-256-gcm', keys.encryption, nonce).setAAD(fingerprint);
    return Buffer.concat([nonce, cipher.update(payload), cipher.final(), cipher.getAuthTag()]).toString('base64url');
  }

  /** Opens what `seal` made for the same fingerprint; null for anything else. */
  open(cursor: string, fingerprint: Uint8Array): CursorState | null {
    if (cursor.length > MAX_CURSOR_CHARACTERS || !/^[A-Za-z0-9_-]+$/.test(cursor)) return null;
    const sealed = Buffer.from(cursor, 'base64url');
    // Trailing bits that decode to nothing would make two cursors of one.
    if (sealed.length < NONCE_BYTES + TAG_BYTES + 1 || sealed.toString('base64url') !== cursor) return null;
    for (const keys of this.#keys) {
      const payload = decrypt(sealed, keys, fingerprint);
      if (payload !== null) return decodeState(payload);
    }
    return null;
  }
}

function decrypt(sealed: Buffer, keys: SealingKeys, fingerprint: Uint8Array): Buffer | null {
  const nonce = sealed.subarray(0, NONCE_BYTES);
  const decipher = createDecipheriv('aes-256-gcm', keys.encryption, nonce, { authTagLength: TAG_BYTES });
  decipher.setAAD(fingerprint).setAuthTag(sealed.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()]);
  } catch {
    return null; // Not sealed by this key, or not for this search: the tag does not fit.
  }
}

function encodeWithin(state: CursorState, maxBytes: number): Uint8Array {
  for (const detail of DETAILS) {
    const payload = encodeState(state, detail);
    if (payload.length <= maxBytes) return payload;
  }
  const fewer = withFewerPlaces(state);
  // More registries than a cursor is made for: what it does not tell of goes on with the walk.
  const rest = fewer ?? { ...state, registries: state.registries.slice(0, state.registries.length >> 1) };
  return encodeWithin(rest, maxBytes);
}

/**
 * More registries were lost, each at a place of its own, than there is room for: every second of them is set back to the
 * place before it, so that its rows from there on come again rather than get lost. null: there is nothing to be set back.
 */
function withFewerPlaces(state: CursorState): CursorState | null {
  const marks = [...new Set(state.registries.flatMap(({ place }) => (place.type === 'OWN' ? [place.mark] : [])))];
  if (marks.length < 2) return null;
  const kept = new Map<CursorMark, CursorMark>(marks.map((mark, index) => [mark, marks[index - (index % 2)] ?? mark]));
  const registries = state.registries.map((registry): CursorRegistry => {
    const { place } = registry;
    return place.type === 'OWN'
      ? { ...registry, place: { ...place, mark: kept.get(place.mark) ?? place.mark } }
      : registry;
  });
  return { ...state, registries };
}

const READ_AS: readonly (ListOrder | null)[] = [null, 'TOTAL', 'BY_KEY', 'UNSORTED'];
const PLACES: readonly CursorPlace['type'][] = ['WITH_MARK', 'HEAD', 'TAIL', 'OWN'];
const HAS_ROW_HASH = 0x10;
const HAS_ANCHORS = 0x20;
const REACHES_FIRST = 0x40;

function encodeState(state: CursorState, detail: Detail): Uint8Array {
  const writer = new ByteWriter();
  writer.writeByte(VERSION);
  const marks: CursorMark[] = state.mark === null ? [] : [state.mark];
  for (const { place } of state.registries) {
    if (place.type === 'OWN' && !marks.includes(place.mark)) marks.push(place.mark);
  }
  writer.writeByte(state.firstRows * 2 + (state.mark === null ? 0 : 1));
  writer.writeVarint(marks.length);
  for (const mark of marks) encodeMark(writer, mark, detail);
  const told = state.registries.filter((registry) => tellsSomething(registry, detail));
  writer.writeVarint(told.length);
  for (const registry of told) encodeRegistry(writer, registry, marks, detail);
  return writer.toBytes();
}

/** A registry that stands with the walk at the head of its list needs no words: that is where a new one joins. */
function tellsSomething(registry: CursorRegistry, detail: Detail): boolean {
  if (registry.place.type !== 'WITH_MARK' || (detail.readAs && registry.readAs !== null)) return true;
  if (detail.anchors && registry.anchors.length > 0) return true;
  return detail.hints && registry.hint > 0;
}

function encodeMark(writer: ByteWriter, mark: CursorMark, detail: Detail): void {
  writer.writeNumber(mark.key);
  writer.writeByte(mark.tier);
  if (mark.tier === 1) writer.writeVarint(Math.max(0, mark.score + 1));
  const isCut = writer.writeText(mark.name, detail.nameBytes);
  writer.writeUint24(mark.registryId);
  writer.writeVarint(Math.max(0, Math.ceil(mark.rank)));
  if (isCut || mark.tier === 1) writer.writeVarint(mark.hint);
}

function decodeMark(reader: ByteReader): CursorMark {
  const key = reader.readNumber();
  const tier = reader.readByte() === 1 ? 1 : 0;
  const score = tier === 1 ? reader.readVarint() - 1 : 0;
  const name = reader.readText();
  const registryId = reader.readUint24();
  const rank = reader.readVarint();
  return {
    key,
    tier,
    score,
    name,
    registryId,
    rank,
    hint: name.digest === null && tier === 0 ? 0 : reader.readVarint(),
  };
}

/** Floors fall slowly, so most windows have the floor of the one before: runs of equal ones fit where single ones do not. */
function toRuns(floors: readonly number[]): { floor: number; length: number }[] {
  const runs: { floor: number; length: number }[] = [];
  for (const floor of floors) {
    const last = runs.at(-1);
    if (last !== undefined && last.floor === floor) last.length += 1;
    else runs.push({ floor, length: 1 });
  }
  return runs;
}

function encodeRegistry(writer: ByteWriter, registry: CursorRegistry, marks: CursorMark[], detail: Detail): void {
  const hasAnchors = detail.anchors && registry.anchors.length === ANCHORS;
  const rowHash = detail.rowHashes ? registry.rowHash : null;
  const readAs = detail.readAs ? registry.readAs : null;
  const allRuns = toRuns(registry.floors);
  const runs = allRuns.slice(0, detail.hints ? detail.floors : 0);
  writer.writeUint24(registry.registryId);
  writer.writeByte(
    READ_AS.indexOf(readAs) |
      (PLACES.indexOf(registry.place.type) << 2) |
      (rowHash === null ? 0 : HAS_ROW_HASH) |
      (hasAnchors ? HAS_ANCHORS : 0) |
      (registry.reachesFirst && runs.length === allRuns.length ? REACHES_FIRST : 0),
  );
  writer.writeVarint(detail.hints ? registry.hint : 0);
  if (registry.place.type === 'OWN') writer.writeVarint(marks.indexOf(registry.place.mark));
  if (rowHash !== null) writer.writeUint16(rowHash);
  if (readAs !== null) return;
  writer.writeByte(runs.length);
  for (const { floor, length } of runs) {
    // 17 bits: "no floor" is one more than the highest score.
    writer.writeUint16(floor);
    writer.writeVarint(length * 2 + (floor > 0xffff ? 1 : 0));
  }
  if (!hasAnchors) return;
  // 0 stands for "not known": of the 65,536 fingerprints one is told apart from none at no cost worth a byte.
  for (const anchor of registry.anchors) writer.writeUint16(anchor ?? 0);
}

function decodeState(payload: Uint8Array): CursorState | null {
  const reader = new ByteReader(payload);
  if (reader.readByte() !== VERSION) return null;
  const flags = reader.readByte();
  const hasMark = (flags & 1) === 1;
  const marks = Array.from({ length: reader.readVarint() }, () => decodeMark(reader));
  const registries = Array.from({ length: reader.readVarint() }, () => decodeRegistry(reader, marks));
  return { mark: hasMark ? (marks[0] ?? null) : null, firstRows: flags >>> 1, registries };
}

function decodeRegistry(reader: ByteReader, marks: readonly CursorMark[]): CursorRegistry {
  const registryId = reader.readUint24();
  const flags = reader.readByte();
  const readAs = READ_AS[flags & 3] ?? null;
  const placeType = PLACES[(flags >> 2) & 3] ?? 'WITH_MARK';
  const hint = reader.readVarint();
  let place: CursorPlace = { type: 'WITH_MARK' };
  if (placeType === 'OWN') {
    const mark = marks[reader.readVarint()];
    if (mark !== undefined) place = { type: 'OWN', mark };
  } else place = { type: placeType };
  const rowHash = (flags & HAS_ROW_HASH) === 0 ? null : reader.readUint16();
  if (readAs !== null) {
    return { registryId, place, hint, rowHash, readAs, floors: [], reachesFirst: false, anchors: [] };
  }
  const runs = Array.from({ length: reader.readByte() }, () => {
    const floor = reader.readUint16();
    const length = reader.readVarint();
    return { floor: floor + (length & 1) * 0x10000, length: length >>> 1 };
  });
  const floors = runs.flatMap(({ floor, length }) => new Array<number>(length).fill(floor));
  const anchors = (flags & HAS_ANCHORS) === 0 ? [] : Array.from({ length: ANCHORS }, () => reader.readUint16() || null);
  const reachesFirst = (flags & REACHES_FIRST) !== 0;
  return { registryId, place, hint, rowHash, readAs, floors, reachesFirst, anchors };
}

/**
 * Template names as they are compared (never as they are shown): claims and everything else that asks whether two
 * spellings are one name go through `normalizeName`. The contract, 5.7: after percent-decoding, NFKC and case folding.
 */

const PERCENT = 0x25;

/**
 * Rounds of decoding and folding. A name needs a second round only when folding made a new escape (a full-width percent
 * sign); each such layer is nine times as long as what it hides, so an honest name needs two and no name needs many.
 */
const MAX_ROUNDS = 16;

/**
 * Gives the form of a name in which names are compared: percent-decoded however often it was encoded (bytes that are no
 * UTF-8 keep their escape), NFKC, full case folding, NFKC. Normalising the result again changes nothing. Never throws.
 */
export function normalizeName(name: string): string {
  let current = name;
  for (let round = 0; round < MAX_ROUNDS; round++) {
    const next = foldName(current.includes('%') ? decodePercent(current) : current);
    if (next === current) break;
    current = next;
  }
  return current;
}

/** Longest name of a template that is to be published: it becomes a part of addresses and file names. */
const MAX_PUBLISHED_LENGTH = 200;
/** Controls, and characters that are not seen or that turn the direction of writing: a name with one looks like another. */
const UNSEEN =
  /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\u3164\ufeff\uffa0]/;

/**
 * Says what a name must be instead to be published; null: it may be. Stricter than what is read of registries: a name that
 * is written in one way alone cannot look like another one, nor lead anywhere as a path.
 */
export function findNameFault(name: string): string | null {
  if (name === '' || name.length > MAX_PUBLISHED_LENGTH) return `have 1 to ${MAX_PUBLISHED_LENGTH} characters`;
  if (!name.isWellFormed() || UNSEEN.test(name) || name.trim() !== name) {
    return 'be plain text, without control or unseen characters and without blanks at its ends';
  }
  if (name.includes('\\') || /%[0-9a-f]{2}/i.test(name)) return 'have neither backslashes nor percent escapes';
  if (name.split('/').some((part) => part === '' || part === '.' || part === '..')) {
    return 'be of parts between single slashes, none of them "." or ".."';
  }
  return name.normalize('NFKC') === name ? null : 'be in its Unicode normal form NFKC';
}

/**
 * Says whether a name matches a glob in which `*` stands for any characters, `/` too, also for none. Both must already be
 * normalised. Takes at most (length of glob) × (length of name) steps, and about the length of the name in practice.
 */
export function matchesGlob(glob: string, normalizedName: string): boolean {
  let g = 0;
  let n = 0;
  // Where to take up again when a literal after the last star does not fit: only the last star ever needs to grow.
  let starAt = -1;
  let resumeAt = 0;
  while (n < normalizedName.length) {
    if (glob[g] === '*') {
      starAt = g;
      resumeAt = n;
      g++;
    } else if (g < glob.length && glob[g] === normalizedName[n]) {
      g++;
      n++;
    } else if (starAt >= 0) {
      g = starAt + 1;
      resumeAt++;
      n = resumeAt;
    } else {
      return false;
    }
  }
  while (glob[g] === '*') g++;
  return g === glob.length;
}

/**
 * Says whether some string matches both globs. Exact: walks all pairs of positions from the ends, where "overlap from
 * (i, j) on" follows from what comes after it. Takes (length of a) × (length of b) steps.
 */
export function globsOverlap(a: string, b: string): boolean {
  if (beginApart(a, b)) return false;
  // `after[j]` is the answer for the rests a[i+1..] and b[j..]; `row[j]` the one for a[i..] and b[j..].
  let after: boolean[] = [];
  for (let i = a.length; i >= 0; i--) {
    const row: boolean[] = new Array(b.length + 1).fill(false);
    for (let j = b.length; j >= 0; j--) row[j] = restsOverlap(a, i, b, j, row, after);
    after = row;
  }
  return after[0] === true;
}

/** Most globs part in their first characters, before either has a star; those need no table. */
function beginApart(a: string, b: string): boolean {
  for (let index = 0; index < a.length && index < b.length; index++) {
    if (a[index] === '*' || b[index] === '*') return false;
    if (a[index] !== b[index]) return true;
  }
  return false;
}

function restsOverlap(a: string, i: number, b: string, j: number, row: boolean[], after: boolean[]): boolean {
  if (i === a.length && j === b.length) return true;
  if (a[i] === '*') return after[j] === true || (j < b.length && row[j + 1] === true);
  if (b[j] === '*') return row[j + 1] === true || (i < a.length && after[j] === true);
  return i < a.length && j < b.length && a[i] === b[j] && after[j + 1] === true;
}

/**
 * NFKC, then case folding. Lower, upper, lower approximates Unicode's full folding (ß → SS → ss, dotless ı → I → i); the
 * final sigma is put right by hand because lower-casing depends on what follows it, and a glob ends where a name goes on.
 */
function foldName(name: string): string {
  return name.normalize('NFKC').toLowerCase().toUpperCase().toLowerCase().replaceAll('ς', 'σ').normalize('NFKC');
}

/**
 * Decodes escapes from the right, each against what is already decoded, so that `%2575` (an escaped escape) falls in the
 * same pass and a name of n characters costs n steps however deep it was encoded.
 */
function decodePercent(name: string): string {
  const source = new TextEncoder().encode(name);
  // Filled from its end: the part from `start` on is decoded.
  const decoded = new Uint8Array(source.length);
  let start = source.length;
  for (let index = source.length - 1; index >= 0; index--) {
    let byte = source[index] ?? 0;
    while (byte === PERCENT) {
      const escaped = readHexPair(decoded, start);
      if (escaped === null) break;
      byte = escaped;
      start += 2;
    }
    start--;
    decoded[start] = byte;
  }
  return decodeUtf8(decoded.subarray(start));
}

function readHexPair(bytes: Uint8Array, at: number): number | null {
  const high = hexValue(bytes[at]);
  const low = hexValue(bytes[at + 1]);
  return high === null || low === null ? null : high * 16 + low;
}

function hexValue(byte: number | undefined): number | null {
  if (byte === undefined) return null;
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const letter = byte | 0x20;
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : null;
}

/** Bytes that are no UTF-8 become escapes again, so that two different malformed names stay different. */
function decodeUtf8(bytes: Uint8Array): string {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  let text = '';
  let from = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length > 0) {
      at += length;
      continue;
    }
    text += decoder.decode(bytes.subarray(from, at));
    text += `%${(bytes[at] ?? 0).toString(16).padStart(2, '0')}`;
    at++;
    from = at;
  }
  return text + decoder.decode(bytes.subarray(from));
}

/** Length of the well-formed UTF-8 sequence at a position (Unicode, table 3-7); 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return 1;
  const length = first >= 0xc2 && first <= 0xdf ? 2 : first >= 0xe0 && first <= 0xef ? 3 : 4;
  if (first < 0xc2 || first > 0xf4) return 0;
  const second = bytes[at + 1] ?? 0;
  const least = first === 0xe0 ? 0xa0 : first === 0xf0 ? 0x90 : 0x80;
  const most = first === 0xed ? 0x9f : first === 0xf4 ? 0x8f : 0xbf;
  if (second < least || second > most) return 0;
  for (let index = 2; index < length; index++) {
    const next = bytes[at + index] ?? 0;
    if (next < 0x80 || next > 0xbf) return 0;
  }
  return length;
}

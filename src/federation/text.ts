/**
 * How text is compared: one folding for queries and rows, and one rule for what separates tokens. The same input gives the
 * same output in every process, because the order of a page, and so its cursor, depends on it. Folding goes by code point
 * and through a table, so that its time is bounded by the length alone: normalising whole strings costs milliseconds
 * where a text is chosen for it (U+FDFA becomes 18 characters).
 */

/** Folded text, as UTF-16 code units. Between tokens stand one or more units of SEPARATOR. Meant to be used again. */
export interface FoldedText {
  readonly units: Uint16Array;
  length: number;
}

export const SEPARATOR = 32;

const TABLE_SIZE = 0x2_0000;
/** Not looked at yet, several units (in `LONGER`), nothing at all: none of them is the code unit of a token. */
const UNKNOWN = 0;
const LONG = 1;
const NOTHING = 2;
/** By code point: the code unit it becomes. Filled as code points are met; the content does not depend on when. */
const TABLE = new Uint16Array(TABLE_SIZE);
const LONGER = new Map<number, string>();

// Marks of the Latin, Greek and Cyrillic scripts only: in others (Devanagari, Thai) a mark is part of the spelling.
const DIACRITICS = /[\u0300-\u036f]/g;
const OTHER_THAN_WORDS = /[^\p{L}\p{N}\p{M}]+/gu;
// Letters with a stroke, and the final sigma, which Unicode does not decompose.
const UNDECOMPOSED: readonly (readonly [string, string])[] = [
  ['ø', 'o'],
  ['ł', 'l'],
  ['đ', 'd'],
  ['ħ', 'h'],
  ['æ', 'ae'],
  ['œ', 'oe'],
  ['ς', 'σ'],
];

/**
 * Folds a name and keeps its separators: NFKC, case and diacritics folded, decomposed. Upper and then lower case stands for
 * full case folding: it takes ß to ss and both Turkish i to i.
 */
export function foldName(name: string): string {
  let folded = name.normalize('NFKC').toUpperCase().toLowerCase().normalize('NFKD').replace(DIACRITICS, '');
  for (const [letter, plain] of UNDECOMPOSED) folded = folded.replaceAll(letter, plain);
  return folded;
}

function fillTable(codePoint: number): number {
  const folded = foldName(String.fromCodePoint(codePoint)).replace(OTHER_THAN_WORDS, ' ');
  let value = LONG;
  if (folded.length === 0) value = NOTHING;
  else if (folded.length === 1) value = folded.charCodeAt(0);
  else LONGER.set(codePoint, folded);
  TABLE[codePoint] = value;
  return value;
}

/** Room for at most `maxUnits` units; what does not fit is left out. */
export function createFoldedText(maxUnits: number): FoldedText {
  return { units: new Uint16Array(maxUnits), length: 0 };
}

/**
 * Appends at most the first `maxUnits` code units of `text`, folded: NFKC, case and diacritics folded, decomposed; what is
 * no letter, number or mark becomes SEPARATOR. With `splitCamelCase` "BiocParallel" becomes "bioc parallel".
 */
export function appendFolded(target: FoldedText, text: string, maxUnits: number, splitCamelCase = false): void {
  const { units } = target;
  const end = Math.min(text.length, maxUnits);
  let length = target.length;
  for (let at = 0; at < end && length < units.length; at += 1) {
    const unit = text.charCodeAt(at);
    if (unit >= 0xd800 && unit <= 0xdfff) {
      const codePoint = text.codePointAt(at) ?? unit;
      if (codePoint > 0xffff) at += 1;
      if (at >= end) break;
      length = appendString(units, length, foldAstral(codePoint));
      continue;
    }
    if (splitCamelCase && at > 0 && isUpper(unit) && isLower(text.charCodeAt(at - 1))) {
      units[length] = SEPARATOR;
      length += 1;
    }
    const known = TABLE[unit] ?? UNKNOWN;
    const value = known === UNKNOWN ? fillTable(unit) : known;
    if (value > NOTHING) {
      units[length] = value;
      length += 1;
    } else if (value === LONG) length = appendString(units, length, LONGER.get(unit) ?? '');
  }
  target.length = Math.min(length, units.length);
}

/** Keeps what is appended next apart from what is there. */
export function appendSeparator(target: FoldedText): void {
  if (target.length >= target.units.length) return;
  target.units[target.length] = SEPARATOR;
  target.length += 1;
}

/** A lone surrogate separates. Planes 2 and up hold ideographs, which have one case and (but for U+2F800 ff.) one form. */
function foldAstral(codePoint: number): string {
  if (codePoint <= 0xffff) return ' ';
  if (codePoint >= TABLE_SIZE) return String.fromCodePoint(codePoint);
  const known = TABLE[codePoint] ?? UNKNOWN;
  const value = known === UNKNOWN ? fillTable(codePoint) : known;
  if (value === LONG) return LONGER.get(codePoint) ?? '';
  return value === NOTHING ? '' : String.fromCharCode(value);
}

function appendString(units: Uint16Array, length: number, text: string): number {
  if (length + text.length > units.length) return length;
  for (let at = 0; at < text.length; at += 1) units[length + at] = text.charCodeAt(at);
  return length + text.length;
}

const isUpper = (unit: number): boolean => unit >= 65 && unit <= 90;
const isLower = (unit: number): boolean => unit >= 97 && unit <= 122;

/** Scripts written without spaces (kana, Han): each character is a token of its own. */
export function isIdeograph(unit: number): boolean {
  return unit >= 0x3040 && unit <= 0x9fff;
}

/** The tokens, in order. */
export function splitTokens(text: FoldedText): string[] {
  const folded = String.fromCharCode(...text.units.subarray(0, text.length));
  return folded.match(/[\u3040-\u9fff]|[^ \u3040-\u9fff]+/g) ?? [];
}

/**
 * The share of the tokens of `text`, joined, that `compact` is when they begin with it: 1 when they are equal, 0 when they
 * do not begin so.
 */
export function shareOfBeginning(text: FoldedText, compact: string): number {
  let matched = 0;
  let rest = 0;
  for (let at = 0; at < text.length; at += 1) {
    const unit = text.units[at];
    if (unit === SEPARATOR) continue;
    if (matched === compact.length) rest += 1;
    else if (unit === compact.charCodeAt(matched)) matched += 1;
    else return 0;
  }
  return matched < compact.length ? 0 : matched / (matched + rest);
}

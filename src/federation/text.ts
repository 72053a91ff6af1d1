/**
 * How text is compared: one folding for queries and rows, and one table of what separates tokens. Pure functions; the same
 * input gives the same output in every process, because the order of a page, and so its cursor, depends on it.
 */

/** Character classes of a folded UTF-16 code unit. */
const SEPARATOR = 0;
const WORD = 1;
/** Scripts written without spaces: each character is a token of its own. */
export const IDEOGRAPH = 2;

const ASCII_ONLY = /^[\0-\x7f]*$/;
// Marks of the Latin, Greek and Cyrillic scripts only: in others (Devanagari, Thai) a mark is part of the spelling.
const DIACRITICS = /[\u0300-\u036f]/g;
const OTHER_THAN_WORDS = /[^\p{L}\p{N}\p{M}]+/gu;
// Letters with a stroke, which Unicode does not decompose.
const STROKED = /[øłđħŧŋæœςþð]/g;
const STROKED_TO: Readonly<Record<string, string>> = {
  ø: 'o',
  ł: 'l',
  đ: 'd',
  ħ: 'h',
  ŧ: 't',
  ŋ: 'n',
  æ: 'ae',
  œ: 'oe',
  ς: 'σ',
  þ: 'th',
  ð: 'd',
};
// "BiocParallel" → "Bioc Parallel", "ViennaRNA" → "Vienna RNA", "RNAseq" stays whole.
const CAMEL_BOUNDARY = /(?<=\p{Ll})(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll}{2})/gu;

/**
 * Cuts to at most `maxUnits` UTF-16 code units without parting a surrogate pair.
 */
export function cutText(text: string, maxUnits: number): string {
  if (text.length <= maxUnits) return text;
  const last = text.charCodeAt(maxUnits - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? maxUnits - 1 : maxUnits);
}

/**
 * NFKC, case folding and diacritics folded; outside ASCII whatever is no letter, number or mark becomes a space. Upper and
 * then lower case stands for full case folding: it takes ß to ss and both Turkish i to i.
 */
export function foldText(text: string): string {
  if (ASCII_ONLY.test(text)) return text.toLowerCase();
  return text
    .normalize('NFKC')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFD')
    .replace(DIACRITICS, '')
    .normalize('NFC')
    .replace(STROKED, (letter) => STROKED_TO[letter] ?? letter)
    .replace(OTHER_THAN_WORDS, ' ');
}

/** Marks the inner boundaries of camelCase with a space. The text must not be folded yet. */
export function splitCamelCase(text: string): string {
  return text.replace(CAMEL_BOUNDARY, ' ');
}

const ASCII_CLASSES = Uint8Array.from({ length: 128 }, (_, code) =>
  /[a-z0-9]/.test(String.fromCharCode(code)) ? WORD : SEPARATOR,
);

/** The class of a code unit of folded text, where everything beyond ASCII is a letter, number or mark, or half of one. */
export function classOf(code: number): number {
  if (code < 128) return ASCII_CLASSES[code] ?? SEPARATOR;
  return code >= 0x3040 && code <= 0x9fff ? IDEOGRAPH : WORD;
}

/** The tokens of folded text, in order. */
export function splitTokens(folded: string): string[] {
  const tokens: string[] = [];
  let start = -1;
  for (let index = 0; index <= folded.length; index += 1) {
    const kind = index === folded.length ? SEPARATOR : classOf(folded.charCodeAt(index));
    if (kind === WORD) {
      if (start < 0) start = index;
      continue;
    }
    if (start >= 0) tokens.push(folded.slice(start, index));
    start = -1;
    if (kind === IDEOGRAPH) tokens.push(folded.slice(index, index + 1));
  }
  return tokens;
}

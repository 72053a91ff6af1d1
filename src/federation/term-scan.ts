/**
 * Finds the terms of a query in one pass over a text, whatever their number: the terms are a trie, the text is walked once
 * and stays at most at two places of the trie. So the time is bounded by the text's length alone, and nothing is allocated.
 */
import { classOf, IDEOGRAPH } from './text.ts';

const DEAD = 0;
const ROOT = 1;
/** a-z, 0-9, and one column that sends whatever lies beyond ASCII to a map. */
const COLUMNS = 37;
const BEYOND_ASCII = 36;
/** A token that only begins with a term is that term to at most this part; see `partOf`. */
const PREFIX_QUALITY = 0.6;
const JOINED_QUALITY = 0.9;
const LAST_TERM_QUALITY = 0.8;

const COLUMN_OF = Int8Array.from({ length: 128 }, (_, code) => {
  if (code >= 97 && code <= 122) return code - 97;
  return code >= 48 && code <= 57 ? code - 48 + 26 : -1;
});

/** A word or several joined words, and the terms of the query it stands for. */
export interface Pattern {
  readonly text: string;
  readonly terms: readonly number[];
}

export interface TermTrie {
  readonly children: Uint16Array;
  readonly childrenBeyondAscii: ReadonlyMap<number, number>;
  /** By node: index of the pattern that ends there, -1 for none. */
  readonly patternAt: Int16Array;
  readonly patterns: readonly Pattern[];
  readonly termCount: number;
}

/** What one text holds of the query. Written anew by every scan. */
export interface TermHits {
  /** By term: how often it occurs as a whole token. */
  readonly counts: Float64Array;
  /** By term: 0..1, the best partial occurrence (beginning of a token, or joined of several). */
  readonly parts: Float64Array;
  /** Bit i: term i is directly followed by term i + 1 somewhere. */
  pairs: number;
  tokens: number;
  /** Code units of tokens in all, and of those that are terms. */
  length: number;
  covered: number;
}

export function createHits(termCount: number): TermHits {
  const counts = new Float64Array(termCount);
  return { counts, parts: new Float64Array(termCount), pairs: 0, tokens: 0, length: 0, covered: 0 };
}

/** Builds the trie. Patterns are folded, without separators; of equal ones the first holds. */
export function buildTrie(patterns: readonly Pattern[], termCount: number): TermTrie {
  const capacity = patterns.reduce((sum, pattern) => sum + pattern.text.length, 2);
  const children = new Uint16Array(capacity * COLUMNS);
  const childrenBeyondAscii = new Map<number, number>();
  const patternAt = new Int16Array(capacity).fill(-1);
  let nodes = 2;
  for (const [index, pattern] of patterns.entries()) {
    let node = ROOT;
    for (let at = 0; at < pattern.text.length; at += 1) {
      const code = pattern.text.charCodeAt(at);
      const column = code < 128 ? (COLUMN_OF[code] ?? -1) : BEYOND_ASCII;
      const known =
        column === BEYOND_ASCII ? childrenBeyondAscii.get(node * 65_536 + code) : children[node * COLUMNS + column];
      if (known !== undefined && known !== DEAD) {
        node = known;
        continue;
      }
      if (column === BEYOND_ASCII) childrenBeyondAscii.set(node * 65_536 + code, nodes);
      else children[node * COLUMNS + column] = nodes;
      node = nodes;
      nodes += 1;
    }
    if (patternAt[node] === -1) patternAt[node] = index;
  }
  return { children, childrenBeyondAscii, patternAt, patterns, termCount };
}

/** Scans folded text and writes what it finds to `hits`. */
export function scanTerms(trie: TermTrie, text: string, hits: TermHits): void {
  hits.counts.fill(0);
  hits.parts.fill(0);
  hits.pairs = 0;
  hits.tokens = 0;
  hits.length = 0;
  hits.covered = 0;
  const { children, patternAt } = trie;
  let start = -1;
  // Where the walk from the beginning of this token stands, and the one from an earlier token on ("rna-seq" as "rnaseq").
  let here = DEAD;
  let joined = DEAD;
  let joinedLength = 0;
  let found = -1;
  let foundLength = 0;
  let previousTerm = -1;
  for (let at = 0; at <= text.length; at += 1) {
    const code = at < text.length ? text.charCodeAt(at) : 32;
    const column = code < 128 ? (COLUMN_OF[code] ?? -1) : BEYOND_ASCII;
    const ideograph = column === BEYOND_ASCII && classOf(code) === IDEOGRAPH;
    if ((column < 0 || ideograph) && start >= 0) {
      const length = at - start;
      let term = -1;
      if (found >= 0) {
        const pattern = trie.patterns[found];
        if (pattern !== undefined) term = noteToken(trie, hits, pattern, foundLength, length);
      }
      if (joined !== DEAD) joinedLength += length;
      const joinedPattern = trie.patterns[patternAt[joined] ?? -1];
      if (joinedPattern !== undefined) noteJoined(hits, joinedPattern, joinedLength);
      hits.tokens += 1;
      hits.length += length;
      if (term >= 0 && previousTerm >= 0 && term === previousTerm + 1) hits.pairs |= 1 << previousTerm;
      previousTerm = term;
      if (joined === DEAD) {
        joined = here;
        joinedLength = here === DEAD ? 0 : length;
      }
      start = -1;
    }
    if (column < 0) continue;
    if (start < 0) {
      start = at;
      here = ROOT;
      found = -1;
    }
    if (here !== DEAD) {
      here =
        column === BEYOND_ASCII
          ? (trie.childrenBeyondAscii.get(here * 65_536 + code) ?? DEAD)
          : (children[here * COLUMNS + column] ?? DEAD);
      const pattern = patternAt[here] ?? -1;
      if (pattern >= 0) {
        found = pattern;
        foundLength = at + 1 - start;
      }
    }
    if (joined !== DEAD) {
      joined =
        column === BEYOND_ASCII
          ? (trie.childrenBeyondAscii.get(joined * 65_536 + code) ?? DEAD)
          : (children[joined * COLUMNS + column] ?? DEAD);
    }
  }
}

/** Gives the term when the token is it, whole and single; -1 otherwise. */
function noteToken(trie: TermTrie, hits: TermHits, pattern: Pattern, foundLength: number, length: number): number {
  if (foundLength === length) {
    for (const term of pattern.terms) hits.counts[term] = (hits.counts[term] ?? 0) + 1;
    hits.covered += length;
    return pattern.terms.length === 1 ? (pattern.terms[0] ?? -1) : -1;
  }
  for (const term of pattern.terms) {
    const part = partOf(foundLength, length, term === trie.termCount - 1);
    if (part > (hits.parts[term] ?? 0)) hits.parts[term] = part;
  }
  if (foundLength >= 3) hits.covered += foundLength * PREFIX_QUALITY;
  return -1;
}

function noteJoined(hits: TermHits, pattern: Pattern, length: number): void {
  for (const term of pattern.terms) hits.parts[term] = Math.max(hits.parts[term] ?? 0, JOINED_QUALITY);
  hits.covered += length;
}

/**
 * How much a token counts that only begins with a term: the share of it that the term is, and only where the term is most
 * of it (plural and other endings: "genome", "genomes"). The last term may be half typed, so there any beginning counts.
 */
function partOf(termLength: number, tokenLength: number, last: boolean): number {
  const share = termLength / tokenLength;
  if (last && termLength >= 2) return LAST_TERM_QUALITY * (0.4 + 0.6 * share);
  return termLength >= 3 && share >= 0.5 ? PREFIX_QUALITY * share : 0;
}

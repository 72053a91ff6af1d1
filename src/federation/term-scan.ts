/**
 * Finds the terms of a query in one pass over a text, whatever their number: the terms are a trie, the text is walked once
 * and stands at most at two places of the trie. So the time is bounded by the text's length alone, and nothing is allocated.
 */
import { type FoldedText, isIdeograph, SEPARATOR } from './text.ts';

const DEAD = 0;
const ROOT = 1;
/** a-z, 0-9; whatever lies beyond ASCII goes through a map. */
const COLUMNS = 36;
const NODE_STRIDE = 0x1_0000;

/** A joined occurrence ("rna-seq" for "rnaseq", and the other way round) against the word itself. */
const JOINED_QUALITY = 0.9;
/** A token that goes on after the term ("genomes" for "genome"), times the share of it that the term is. */
const PREFIX_QUALITY = 0.6;
const MIN_PREFIX_SHARE = 0.5;
const MIN_PREFIX_UNITS = 3;
/** The last term may be half typed, so any token that begins with it counts: from 0.32 to 0.8 by its share. */
const LAST_TERM_QUALITY = 0.8;
const LAST_TERM_FLOOR = 0.4;

const COLUMN_OF = Uint8Array.from({ length: 128 }, (_, code) =>
  code >= 97 ? code - 97 : code >= 48 ? code - 48 + 26 : 0,
);

/** A term, or two neighbours joined. Folded, without separators. */
export interface Pattern {
  readonly text: string;
  /** The terms it stands for, by index; `second` is -1 for a single term. */
  readonly first: number;
  readonly second: number;
}

export interface TermTrie {
  readonly children: Uint16Array;
  readonly childrenBeyondAscii: ReadonlyMap<number, number>;
  /** By node: the terms of the pattern that ends there; -1 for none. */
  readonly firstAt: Int8Array;
  readonly secondAt: Int8Array;
  readonly termCount: number;
}

/** What one text holds of the query. Written anew by every scan. */
export interface TermHits {
  /** By term: how often it occurs as a whole token. */
  readonly counts: Uint16Array;
  /** By term: 0..1, the best partial occurrence (beginning of a token, or joined). */
  readonly parts: Float64Array;
  /** Bit i: term i is directly followed by term i + 1 somewhere. */
  pairs: number;
  tokens: number;
  /** Code units of tokens in all, and of those that the terms are found in. */
  units: number;
  coveredUnits: number;
}

/** Counts for so many terms, all 0. */
export function createHits(termCount: number): TermHits {
  return {
    counts: new Uint16Array(termCount),
    parts: new Float64Array(termCount),
    pairs: 0,
    tokens: 0,
    units: 0,
    coveredUnits: 0,
  };
}

/** Builds the trie over at most 127 terms. Of equal patterns the first holds. */
export function buildTrie(patterns: readonly Pattern[], termCount: number): TermTrie {
  const capacity = patterns.reduce((sum, pattern) => sum + pattern.text.length, 2);
  const children = new Uint16Array(capacity * COLUMNS);
  const childrenBeyondAscii = new Map<number, number>();
  const firstAt = new Int8Array(capacity).fill(-1);
  const secondAt = new Int8Array(capacity).fill(-1);
  const trie = { children, childrenBeyondAscii, firstAt, secondAt, termCount };
  let nodes = 2;
  for (const { text, first, second } of patterns) {
    let node = ROOT;
    for (let at = 0; at < text.length; at += 1) {
      const unit = text.charCodeAt(at);
      let child = step(trie, node, unit);
      if (child === DEAD) {
        child = nodes;
        nodes += 1;
        if (unit < 128) children[node * COLUMNS + (COLUMN_OF[unit] ?? 0)] = child;
        else childrenBeyondAscii.set(node * NODE_STRIDE + unit, child);
      }
      node = child;
    }
    if (firstAt[node] !== -1) continue;
    firstAt[node] = first;
    secondAt[node] = second;
  }
  return trie;
}

function step(trie: TermTrie, node: number, unit: number): number {
  if (unit < 128) return trie.children[node * COLUMNS + (COLUMN_OF[unit] ?? 0)] ?? DEAD;
  return trie.childrenBeyondAscii.get(node * NODE_STRIDE + unit) ?? DEAD;
}

/**
 * Scans a text and writes what it finds to `hits`. The last term of the query may be half typed: from `minLastUnits` code
 * units on it is found in any token that begins with it.
 */
export function scanTerms(trie: TermTrie, text: FoldedText, hits: TermHits, minLastUnits: number): void {
  clearHits(hits);
  const { units, length } = text;
  const { firstAt } = trie;
  let previousTerm = -1;
  // The walk that goes on from an earlier token, and the units it has covered.
  let joined = DEAD;
  let joinedUnits = 0;
  let at = 0;
  while (at < length) {
    let unit = units[at] ?? SEPARATOR;
    if (unit === SEPARATOR) {
      at += 1;
      continue;
    }
    const start = at;
    let here = ROOT;
    let found = DEAD;
    let foundUnits = 0;
    const single = unit >= 128 && isIdeograph(unit);
    while (unit !== SEPARATOR) {
      if (here !== DEAD) {
        here = step(trie, here, unit);
        if ((firstAt[here] ?? -1) >= 0) {
          found = here;
          foundUnits = at + 1 - start;
        }
      }
      if (joined !== DEAD) joined = step(trie, joined, unit);
      at += 1;
      if (single || at >= length) break;
      unit = units[at] ?? SEPARATOR;
      if (unit >= 128 && isIdeograph(unit)) break;
    }
    const tokenUnits = at - start;
    hits.tokens += 1;
    hits.units += tokenUnits;
    let term = -1;
    if (found !== DEAD) {
      if (foundUnits === tokenUnits) term = noteWhole(trie, hits, found, tokenUnits);
      else noteBeginning(trie, hits, found, foundUnits / tokenUnits, foundUnits, minLastUnits);
    }
    if (term > 0 && previousTerm === term - 1) hits.pairs |= 1 << previousTerm;
    previousTerm = term;
    if (joined === DEAD) {
      joined = here;
      joinedUnits = tokenUnits;
      continue;
    }
    joinedUnits += tokenUnits;
    if ((firstAt[joined] ?? -1) >= 0) noteJoined(trie, hits, joined, joinedUnits);
  }
}

function clearHits(hits: TermHits): void {
  hits.counts.fill(0);
  hits.parts.fill(0);
  hits.pairs = 0;
  hits.tokens = 0;
  hits.units = 0;
  hits.coveredUnits = 0;
}

/** Gives the term that the token is; -1 when it is two of them joined. */
function noteWhole(trie: TermTrie, hits: TermHits, node: number, units: number): number {
  const first = trie.firstAt[node] ?? -1;
  const second = trie.secondAt[node] ?? -1;
  hits.coveredUnits += units;
  hits.counts[first] = (hits.counts[first] ?? 0) + 1;
  if (second < 0) return first;
  hits.counts[second] = (hits.counts[second] ?? 0) + 1;
  return -1;
}

/** Notes a token that begins with the term, which is `share` of it and `units` long. */
function noteBeginning(
  trie: TermTrie,
  hits: TermHits,
  node: number,
  share: number,
  units: number,
  minLastUnits: number,
): void {
  const first = trie.firstAt[node] ?? -1;
  const second = trie.secondAt[node] ?? -1;
  const isLast = Math.max(first, second) === trie.termCount - 1;
  let part = 0;
  if (isLast && units >= minLastUnits) part = LAST_TERM_QUALITY * (LAST_TERM_FLOOR + (1 - LAST_TERM_FLOOR) * share);
  else if (units >= MIN_PREFIX_UNITS && share >= MIN_PREFIX_SHARE) part = PREFIX_QUALITY * share;
  if (part === 0) return;
  hits.coveredUnits += (part * units) / share;
  notePart(hits, first, part);
  if (second >= 0) notePart(hits, second, part);
}

function noteJoined(trie: TermTrie, hits: TermHits, node: number, units: number): void {
  hits.coveredUnits += units * JOINED_QUALITY;
  notePart(hits, trie.firstAt[node] ?? -1, JOINED_QUALITY);
  const second = trie.secondAt[node] ?? -1;
  if (second >= 0) notePart(hits, second, JOINED_QUALITY);
}

function notePart(hits: TermHits, term: number, part: number): void {
  if (part > (hits.parts[term] ?? 0)) hits.parts[term] = part;
}

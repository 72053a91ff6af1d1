/**
 * One scale for the rows of all registries (contract 5.8). The score is a pure function of the query and of text that every
 * registry has: no statistics of a corpus, no state, so that every replica gives every row the same place at any time.
 */
import { specificityOf } from './relevance-words.ts';
import { buildTrie, createHits, type Pattern, scanTerms, type TermHits, type TermTrie } from './term-scan.ts';
import { cutText, foldText, splitCamelCase, splitTokens } from './text.ts';

/** The text of a row that takes part. Its lists are read up to a bound, its strings are cut. */
export interface ScoredText {
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly keywords: readonly string[];
  readonly tags: readonly string[];
  readonly category: string | null;
  readonly domain: string | null;
}

/** A query made ready for any number of rows. */
export interface CompiledQuery {
  readonly folded: string;
  /** The query without separators: "rna-seq" and "rnaseq" are the same name. */
  readonly compact: string;
  readonly weights: Float64Array;
  readonly weightSum: number;
  readonly trie: TermTrie;
  /** Room for one scan and for the sum over the fields: scoring allocates nothing, and leaves nothing behind. */
  readonly hits: TermHits;
  readonly sums: Float64Array;
  readonly best: Float64Array;
}

/** The score of a row whose name is the query. */
export const EXACT_NAME_SCORE = 65_535;
/** The same but for separators. */
const SAME_NAME_SCORE = 65_534;
const HIGHEST_OTHER_SCORE = 65_533;

const MAX_QUERY_UNITS = 1_000;
/** Pairs of neighbours are bits of one integer. */
const MAX_TERMS = 24;
const MAX_TERM_UNITS = 63;
const MAX_NAME_UNITS = 200;
const MAX_DESCRIPTION_UNITS = 2_000;
const MAX_LIST_UNITS = 600;

/** Field weights; `length` is the usual number of tokens, `slope` how much longer fields are discounted. */
interface Field {
  readonly boost: number;
  readonly length: number;
  readonly slope: number;
}
const NAME: Field = { boost: 6, length: 2, slope: 0.4 };
const TITLE: Field = { boost: 3, length: 3, slope: 0.4 };
const LABELS: Field = { boost: 1.5, length: 6, slope: 0.3 };
const GROUPS: Field = { boost: 1, length: 2, slope: 0.3 };
const DESCRIPTION: Field = { boost: 1, length: 20, slope: 0.5 };
const SATURATION = 1;

/** Compiles a query once for a search. Only its first 1,000 code units and its first 24 different terms count. */
export function compileQuery(query: string): CompiledQuery {
  const cut = cutText(query.trim(), MAX_QUERY_UNITS);
  const folded = cutText(foldText(cut), MAX_QUERY_UNITS).trim();
  const tokens = splitTokens(folded);
  const terms = [...new Set(tokens.map((token) => cutText(token, MAX_TERM_UNITS)))].slice(0, MAX_TERMS);
  const weights = Float64Array.from(terms, specificityOf);
  const patterns: Pattern[] = terms.map((text, index) => ({ text, terms: [index] }));
  for (const [index, term] of terms.entries()) {
    const next = terms[index + 1];
    if (next !== undefined) patterns.push({ text: cutText(term + next, MAX_TERM_UNITS), terms: [index, index + 1] });
  }
  return {
    folded,
    compact: tokens.join(''),
    weights,
    weightSum: weights.reduce((sum, weight) => sum + weight, 0),
    trie: buildTrie(patterns, terms.length),
    hits: createHits(terms.length),
    sums: new Float64Array(terms.length),
    best: new Float64Array(terms.length),
  };
}

/** Scores one row: an integer from 0 (nothing in common, or an empty query) to 65535 (the name is the query). */
export function scoreText(query: CompiledQuery, text: ScoredText): number {
  if (query.weights.length === 0) return 0;
  const name = cutText(text.name, MAX_NAME_UNITS);
  const foldedName = foldText(name);
  if (foldedName === query.folded) return EXACT_NAME_SCORE;
  if (splitTokens(foldedName).join('') === query.compact) return SAME_NAME_SCORE;
  query.sums.fill(0);
  query.best.fill(0);
  addField(query, NAME, foldText(splitCamelCase(name)));
  const { hits } = query;
  const nameCoverage = hits.length === 0 ? 0 : Math.min(1, hits.covered / hits.length);
  let pairs = hits.pairs;
  if (text.title !== null && text.title !== text.name) {
    addField(query, TITLE, foldText(cutText(text.title, MAX_NAME_UNITS)));
    pairs |= hits.pairs;
  }
  addField(query, LABELS, joinList(text.keywords));
  pairs |= hits.pairs;
  addField(query, LABELS, joinList(text.tags));
  pairs |= hits.pairs;
  addField(query, GROUPS, joinGroups(text.category, text.domain));
  if (text.description !== null) {
    addField(
      query,
      DESCRIPTION,
      cutText(foldText(cutText(text.description, MAX_DESCRIPTION_UNITS)), MAX_DESCRIPTION_UNITS),
    );
    pairs |= hits.pairs;
  }
  return combine(query, nameCoverage, pairs);
}

function joinList(list: readonly string[]): string {
  if (list.length === 0) return '';
  let joined = '';
  for (const entry of list) {
    if (joined.length >= MAX_LIST_UNITS) break;
    joined += `${cutText(entry, MAX_LIST_UNITS)} . `;
  }
  return foldText(cutText(joined, MAX_LIST_UNITS));
}

function joinGroups(category: string | null, domain: string | null): string {
  return foldText(cutText(`${category ?? ''} . ${domain ?? ''}`, MAX_NAME_UNITS));
}

function addField(query: CompiledQuery, field: Field, folded: string): void {
  if (folded.length === 0) {
    query.hits.pairs = 0;
    return;
  }
  const { hits, sums, best } = query;
  scanTerms(query.trie, folded, hits);
  const norm =
    field.boost / (1 - field.slope + (field.slope * Math.max(hits.tokens, field.length * 0.5)) / field.length);
  for (let term = 0; term < sums.length; term += 1) {
    const count = hits.counts[term] ?? 0;
    const quality = count > 0 ? 1 : (hits.parts[term] ?? 0);
    if (quality === 0) continue;
    sums[term] = (sums[term] ?? 0) + norm * (count > 0 ? Math.min(2, 0.8 + 0.2 * count) : quality);
    if (quality > (best[term] ?? 0)) best[term] = quality;
  }
}

function combine(query: CompiledQuery, nameCoverage: number, pairs: number): number {
  const { weights, sums, best, weightSum } = query;
  let evidence = 0;
  let covered = 0;
  for (let term = 0; term < weights.length; term += 1) {
    const weight = weights[term] ?? 0;
    const sum = sums[term] ?? 0;
    evidence += (weight * sum) / (SATURATION + sum);
    covered += weight * (best[term] ?? 0);
  }
  const coverage = covered / weightSum;
  const phrase = weights.length < 2 ? 0 : countBits(pairs) / (weights.length - 1);
  const value = ((0.7 * evidence) / weightSum + 0.2 * nameCoverage + 0.1 * phrase) * coverage ** 1.5;
  return Math.min(HIGHEST_OTHER_SCORE, Math.floor(value * HIGHEST_OTHER_SCORE));
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

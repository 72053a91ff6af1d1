/**
 * One scale for the rows of all registries (contract 5.8). The score is a pure function of the query and of text that every
 * registry has: no statistics of a corpus, no state, so that every replica gives every row the same place at any time.
 *
 *   x(t)     = Σ over fields f of  boost(f) · quality(t, f) / (1 − slope(f) + slope(f) · tokens(f) / usualTokens(f))
 *   evidence = Σ w(t) · x(t) / (k + x(t))  /  Σ w(t)
 *   coverage = Σ w(t) · best quality of t in any field  /  Σ w(t)
 *   value    = (0.7 · evidence + 0.2 · name + 0.1 · phrase) · coverage
 *   score    = value / 2, and 1/2 more where every term is found; scaled to an integer
 *
 * `evidence` is BM25F: terms are weighted by field and discounted by the field's length before they are summed, and the sum
 * saturates once for each term (Robertson, Zaragoza, Taylor: Simple BM25 Extension to Multiple Weighted Fields, CIKM 2004).
 * In place of the inverse document frequency stands a fixed prior, w(t) (relevance-words.ts). Coordination, that is coverage
 * and the step for "every term", does what a frequency in the corpus would otherwise have to: who names several
 * things wants them together. `name` is the share of the name that the query accounts for, which ranks "samtools" before
 * "samtools/view"; `phrase` is the share of neighbouring terms that stand side by side in the text too.
 */
import type { RowText } from '../domain/template.ts';
import { specificityOf } from './relevance-words.ts';
import { buildTrie, createHits, type Pattern, scanTerms, type TermHits, type TermTrie } from './term-scan.ts';
import {
  appendFolded,
  appendSeparator,
  createFoldedText,
  type FoldedText,
  foldName,
  shareOfBeginning,
  splitTokens,
} from './text.ts';

/** A query made ready for any number of rows. */
export interface CompiledQuery {
  /** The query as a name, with its separators. */
  readonly name: string;
  /** The query without separators: "rna-seq" and "rnaseq" are the same name. */
  readonly compact: string;
  readonly weights: Float64Array;
  readonly weightSum: number;
  /** The least weight of a term that has to be found for "every term". */
  readonly requiredWeight: number;
  readonly trie: TermTrie;
  /** Room for one scan and for the sum over the fields: scoring allocates nothing, and leaves nothing behind. */
  readonly hits: TermHits;
  readonly text: FoldedText;
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
const MAX_GROUP_UNITS = 100;
const MAX_DESCRIPTION_UNITS = 1_000;
const MAX_LIST_UNITS = 400;

/** Field weights; `usualTokens` is its usual length, `slope` how much longer fields are discounted. */
interface Field {
  readonly boost: number;
  readonly usualTokens: number;
  readonly slope: number;
  /** From this length on the last term may stand for any token that begins with it: in running text one letter always would. */
  readonly minLastUnits: number;
}
const NAME: Field = { boost: 6, usualTokens: 2, slope: 0.4, minLastUnits: 1 };
const TITLE: Field = { boost: 3, usualTokens: 3, slope: 0.4, minLastUnits: 1 };
const LABELS: Field = { boost: 1.5, usualTokens: 6, slope: 0.3, minLastUnits: 3 };
const GROUPS: Field = { boost: 1, usualTokens: 2, slope: 0.3, minLastUnits: 3 };
const DESCRIPTION: Field = { boost: 1, usualTokens: 20, slope: 0.5, minLastUnits: 3 };

/** k: a term in a description of usual length counts half of what it can count at most. */
const SATURATION = 1;
/** A term that occurs more than once in a field, against once. Short texts repeat for grammar, not for emphasis. */
const REPEATED = 1.2;
const EVIDENCE_SHARE = 0.7;
const NAME_SHARE = 0.2;
const PHRASE_SHARE = 0.1;
/** Terms below this weight are function words: a text need not hold them to hold every term. */
const MIN_REQUIRED_WEIGHT = 0.2;

/** Compiles a query once for a search. Only its first 1,000 code units and its first 24 different terms count. */
export function compileQuery(query: string): CompiledQuery {
  const cut = query.trim().slice(0, MAX_QUERY_UNITS);
  const text = createFoldedText(MAX_QUERY_UNITS);
  appendFolded(text, cut, MAX_QUERY_UNITS);
  const tokens = splitTokens(text);
  const terms = [...new Set(tokens.map((token) => token.slice(0, MAX_TERM_UNITS)))].slice(0, MAX_TERMS);
  const weights = Float64Array.from(terms, specificityOf);
  const patterns: Pattern[] = terms.map((term, index) => ({ text: term, first: index, second: -1 }));
  for (const [index, term] of terms.entries()) {
    const next = terms[index + 1];
    if (next !== undefined) {
      patterns.push({ text: (term + next).slice(0, MAX_TERM_UNITS), first: index, second: index + 1 });
    }
  }
  return {
    name: foldName(cut.slice(0, MAX_NAME_UNITS)),
    compact: tokens.join(''),
    weights,
    weightSum: weights.reduce((sum, weight) => sum + weight, 0),
    requiredWeight: weights.some((weight) => weight >= MIN_REQUIRED_WEIGHT) ? MIN_REQUIRED_WEIGHT : 0,
    trie: buildTrie(patterns, terms.length),
    hits: createHits(terms.length),
    text: createFoldedText(MAX_DESCRIPTION_UNITS),
    sums: new Float64Array(terms.length),
    best: new Float64Array(terms.length),
  };
}

/** Scores one row: an integer from 0 (nothing in common, or an empty query) to 65535 (the name is the query). */
export function scoreText(query: CompiledQuery, row: RowText): number {
  if (query.weights.length === 0) return 0;
  const { hits, text } = query;
  query.sums.fill(0);
  query.best.fill(0);
  text.length = 0;
  appendFolded(text, row.name, MAX_NAME_UNITS, true);
  const beginning = shareOfBeginning(text, query.compact);
  if (beginning === 1) {
    return foldName(row.name.slice(0, MAX_NAME_UNITS)) === query.name ? EXACT_NAME_SCORE : SAME_NAME_SCORE;
  }
  addField(query, NAME);
  const accounted = hits.units === 0 ? 0 : Math.min(1, hits.coveredUnits / hits.units);
  let pairs = hits.pairs;
  if (row.title !== null && row.title !== row.name) pairs |= scoreString(query, TITLE, row.title, MAX_NAME_UNITS);
  pairs |= scoreList(query, LABELS, row.keywords);
  pairs |= scoreList(query, LABELS, row.tags);
  if (row.category !== null) scoreString(query, GROUPS, row.category, MAX_GROUP_UNITS);
  if (row.domain !== null) scoreString(query, GROUPS, row.domain, MAX_GROUP_UNITS);
  if (row.description !== null) pairs |= scoreString(query, DESCRIPTION, row.description, MAX_DESCRIPTION_UNITS);
  return combine(query, Math.max(beginning, accounted), pairs);
}

function scoreString(query: CompiledQuery, field: Field, value: string, maxUnits: number): number {
  query.text.length = 0;
  appendFolded(query.text, value, maxUnits);
  addField(query, field);
  return query.hits.pairs;
}

function scoreList(query: CompiledQuery, field: Field, list: readonly string[]): number {
  if (list.length === 0) return 0;
  const { text } = query;
  text.length = 0;
  for (let index = 0; index < list.length && text.length < MAX_LIST_UNITS; index += 1) {
    appendFolded(text, list[index] ?? '', MAX_LIST_UNITS - text.length);
    appendSeparator(text);
  }
  addField(query, field);
  return query.hits.pairs;
}

/** Adds what the field just folded holds of each term, weighted, and discounted where the field is long. */
function addField(query: CompiledQuery, field: Field): void {
  const { hits, sums, best } = query;
  scanTerms(query.trie, query.text, hits, field.minLastUnits);
  const norm = field.boost / (1 - field.slope + (field.slope * hits.tokens) / field.usualTokens);
  for (let term = 0; term < sums.length; term += 1) {
    const count = hits.counts[term] ?? 0;
    const quality = count > 0 ? 1 : (hits.parts[term] ?? 0);
    if (quality === 0) continue;
    sums[term] = (sums[term] ?? 0) + norm * (count > 1 ? REPEATED : quality);
    if (quality > (best[term] ?? 0)) best[term] = quality;
  }
}

function combine(query: CompiledQuery, nameShare: number, pairs: number): number {
  const { weights, sums, best, weightSum, requiredWeight } = query;
  let evidence = 0;
  let covered = 0;
  let everyTerm = true;
  for (let term = 0; term < weights.length; term += 1) {
    const weight = weights[term] ?? 0;
    const sum = sums[term] ?? 0;
    evidence += (weight * sum) / (SATURATION + sum);
    covered += weight * (best[term] ?? 0);
    if (sum === 0 && weight >= requiredWeight) everyTerm = false;
  }
  const phrase = weights.length < 2 ? 0 : countBits(pairs) / (weights.length - 1);
  const strength = (EVIDENCE_SHARE * evidence) / weightSum + NAME_SHARE * nameShare + PHRASE_SHARE * phrase;
  const value = (strength * covered) / weightSum;
  return Math.min(HIGHEST_OTHER_SCORE, Math.floor(((everyTerm ? 1 + value : value) / 2) * HIGHEST_OTHER_SCORE));
}

function countBits(bits: number): number {
  let count = 0;
  for (let rest = bits; rest !== 0; rest &= rest - 1) count += 1;
  return count;
}

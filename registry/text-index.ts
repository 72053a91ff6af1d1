/**
 * Full text over the newest version of every template: an inverted index with field weights, scored as BM25F.
 */
import { compareCodePoints } from './code-points.ts';
import type { Template } from './template.ts';

/**
 * How much a term counts in each field, and how many terms such a field has as a rule: longer ones dilute theirs. The
 * weights say what a reader means by a search: the name before the title, chosen words before running text.
 */
const FIELDS: readonly {
  readonly weight: number;
  readonly usualTerms: number;
  readonly textsOf: (template: Template) => readonly (string | null)[];
}[] = [
  { weight: 6, usualTerms: 2, textsOf: (template) => [template.name] },
  { weight: 4, usualTerms: 5, textsOf: (template) => [template.title] },
  { weight: 3, usualTerms: 6, textsOf: (template) => [...template.keywords, ...template.tags] },
  { weight: 2, usualTerms: 3, textsOf: (template) => [template.category, template.domain] },
  { weight: 1.5, usualTerms: 25, textsOf: (template) => [template.description] },
  { weight: 1, usualTerms: 12, textsOf: (template) => [...template.packageNames, ...template.packageManagers] },
  { weight: 0.7, usualTerms: 60, textsOf: (template) => [template.longDescription] },
  { weight: 0.7, usualTerms: 4, textsOf: (template) => [template.author, template.license] },
];

/** BM25's usual saturation, and a mild dilution by length: a long description is no fault. */
const SATURATION = 1.2;
const DILUTION = 0.4;
/** A word that only begins like the last word of a query counts half: the reader may still be typing. */
const PREFIX_WEIGHT = 0.5;
/** Added where the query is the name itself: whoever types a whole name wants that one first. */
const SAME_NAME_BONUS = 100;
/** Terms beyond this many say no more about what is meant, and cost time. */
const QUERY_TERMS = 16;

const WORD = /[\p{L}\p{N}\p{M}]+/gu;
const COMPOUND = /[\p{L}\p{N}\p{M}]+(?:[-_.][\p{L}\p{N}\p{M}]+)+/gu;

/** The words of a text, folded: compatible forms and case are one. */
function splitWords(text: string): readonly string[] {
  return foldText(text).match(WORD) ?? [];
}

function foldText(text: string): string {
  return text.normalize('NFKC').toLowerCase();
}

interface Postings {
  /** Positions of documents, ascending, and how much the term counts in each. */
  readonly documents: number[];
  readonly counts: number[];
}

/** What a query matched: positions ascending, and a score for every position (0 where it does not match). */
export interface TextMatches {
  readonly positions: readonly number[];
  readonly scores: Float64Array;
}

export class TextIndex {
  readonly #postings = new Map<string, Postings>();
  readonly #namesFolded: readonly string[];
  #sortedTerms: readonly string[] | null = null;

  /** Positions in the index are positions in `templates`. */
  constructor(templates: readonly Template[]) {
    this.#namesFolded = templates.map((template) => foldText(template.name));
    templates.forEach((template, position) => {
      this.#addTemplate(template, position);
    });
  }

  /**
   * Finds the templates that hold every term of the query; when none does, those that hold any. The last term also
   * matches words that begin with it. A query without a word in it matches nothing.
   */
  match(query: string): TextMatches {
    const terms = [...new Set(splitWords(query))].slice(0, QUERY_TERMS);
    const size = this.#namesFolded.length;
    const scores = new Float64Array(size);
    const hits = new Uint8Array(size);
    terms.forEach((term, index) => {
      this.#addScores(term, index === terms.length - 1, scores, hits);
    });
    const wanted = foldText(query.trim());
    const positionsWith = (least: number) => {
      const positions: number[] = [];
      for (let position = 0; position < size; position += 1) {
        if ((hits[position] ?? 0) >= least) positions.push(position);
      }
      return positions;
    };
    if (terms.length === 0) return { positions: [], scores };
    const all = positionsWith(terms.length);
    const positions = all.length > 0 ? all : positionsWith(1);
    for (const position of positions) {
      if (this.#namesFolded[position] === wanted) scores[position] = (scores[position] ?? 0) + SAME_NAME_BONUS;
    }
    return { positions, scores };
  }

  #addScores(term: string, isLast: boolean, scores: Float64Array, hits: Uint8Array): void {
    const best = new Map<number, number>();
    const collect = (postings: Postings, weight: number) => {
      const rarity = this.#rarityOf(postings);
      postings.documents.forEach((position, index) => {
        const count = postings.counts[index] ?? 0;
        const score = (weight * rarity * count * (SATURATION + 1)) / (count + SATURATION);
        if (score > (best.get(position) ?? 0)) best.set(position, score);
      });
    };
    const exact = this.#postings.get(term);
    if (exact !== undefined) collect(exact, 1);
    if (isLast) for (const postings of this.#longerThan(term)) collect(postings, PREFIX_WEIGHT);
    for (const [position, score] of best) {
      scores[position] = (scores[position] ?? 0) + score;
      hits[position] = (hits[position] ?? 0) + 1;
    }
  }

  /** The postings of terms that begin with the given one and are longer. */
  *#longerThan(prefix: string): Iterable<Postings> {
    this.#sortedTerms ??= [...this.#postings.keys()].sort(compareCodePoints);
    const terms = this.#sortedTerms;
    let low = 0;
    let high = terms.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (compareCodePoints(terms[middle] ?? '', prefix) <= 0) low = middle + 1;
      else high = middle;
    }
    for (let index = low; terms[index]?.startsWith(prefix) === true; index += 1) {
      const postings = this.#postings.get(terms[index] ?? '');
      if (postings !== undefined) yield postings;
    }
  }

  #rarityOf(postings: Postings): number {
    const holders = postings.documents.length;
    return Math.log(1 + (this.#namesFolded.length - holders + 0.5) / (holders + 0.5));
  }

  #addTemplate(template: Template, position: number): void {
    const counts = new Map<string, number>();
    for (const { weight, usualTerms, textsOf } of FIELDS) {
      const words = textsOf(template).flatMap((text) => (text === null ? [] : splitCompounds(text)));
      const unit = weight / (1 - DILUTION + (DILUTION * words.length) / usualTerms);
      for (const word of words) counts.set(word, (counts.get(word) ?? 0) + unit);
    }
    for (const [word, count] of counts) {
      let postings = this.#postings.get(word);
      if (postings === undefined) {
        postings = { documents: [], counts: [] };
        this.#postings.set(word, postings);
      }
      postings.documents.push(position);
      postings.counts.push(count);
    }
  }
}

/** The words, and each hyphenated one also written together: "RNA-seq" is found by "rnaseq". */
function splitCompounds(text: string): readonly string[] {
  const folded = foldText(text);
  const words: string[] = folded.match(WORD) ?? [];
  if (!/[-_.]/.test(folded)) return words;
  const joined = (folded.match(COMPOUND) ?? []).map((compound) => compound.replaceAll(/[-_.]/g, ''));
  return joined.length === 0 ? words : [...words, ...joined];
}

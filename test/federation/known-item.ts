/**
 * Known-item evaluation: who looks for one entry that exists, at which rank do they find it? Over one central index, and
 * over registries that answer by their own ranking and are merged as contract 5.8 says.
 */
import MiniSearch from 'minisearch';
import { readTemplate, type Template } from '../../registry/template.ts';
import { TextIndex } from '../../registry/text-index.ts';
import type { RowText } from '../../src/domain/template.ts';
import { firstRowsOf } from '../../src/federation/first-window.ts';
import { compileQuery, scoreText } from '../../src/federation/relevance.ts';
import { createRandom } from '../helpers/random.ts';

export interface Entry extends RowText {
  readonly id: number;
}

interface KnownItemQuery {
  readonly kind: string;
  readonly query: string;
  readonly target: Entry;
}

/** Entries in the order of an index's own ranking, best first. */
export type Ranking = (query: string, limit: number) => readonly Entry[];

const RANK_CUT_OFF = 100;
const WINDOW = 50;

const pick = <T>(list: readonly T[], random: () => number): T | undefined => list[Math.floor(random() * list.length)];

/** The words that somebody would remember of a description: no function words, none of the name. */
function salientWords(entry: Entry): string[] {
  const name = entry.name.toLowerCase();
  const words = (entry.description ?? '').toLowerCase().match(/[\p{L}\p{N}]{4,}/gu) ?? [];
  return [...new Set(words)].filter((word) => !COMMON.has(word) && !name.includes(word));
}

const COMMON = new Set(
  'with from that this these which have been into also such than their your using used based other tool tools package library http https html'.split(
    ' ',
  ),
);

/** Queries of every kind for one entry, as far as its text allows. */
function queriesFor(target: Entry, random: () => number): KnownItemQuery[] {
  const words = salientWords(target);
  const start = Math.floor(random() * Math.max(1, words.length - 4));
  const three = words.slice(start, start + 2 + Math.floor(random() * 3));
  const queries: { kind: string; query: string | undefined }[] = [
    { kind: 'exact name', query: target.name },
    { kind: 'separators changed', query: changeSeparators(target.name) },
    { kind: 'description words', query: three.length >= 2 ? three.join(' ') : undefined },
    { kind: 'name and word', query: words.length > 0 ? `${target.name} ${pick(words, random)}` : undefined },
    {
      kind: 'name beginning',
      query: target.name.length >= 7 ? target.name.slice(0, Math.ceil(target.name.length * 0.75)) : undefined,
    },
    {
      kind: 'category and words',
      query:
        (target.category ?? target.domain) !== null && words.length > 1
          ? `${target.category ?? target.domain} ${pick(words, random)} ${pick(words, random)}`
          : undefined,
    },
  ];
  return queries.flatMap(({ kind, query }) => (query === undefined ? [] : [{ kind, query, target }]));
}

function changeSeparators(name: string): string | undefined {
  if (!/[-_/. ]/.test(name)) return undefined;
  return name.includes('-') ? name.replaceAll('-', ' ') : name.replaceAll(/[_/. ]/g, '-');
}

/**
 * BM25 over the same fields (MiniSearch), set up as well as one would: entries with every term, or where there are none
 * those with some; the last term also as the beginning of a word.
 */
export function indexByMiniSearch(entries: readonly Entry[]): Ranking {
  const index = new MiniSearch<Entry>({
    fields: ['name', 'title', 'description', 'keywords', 'tags', 'category', 'domain'],
    extractField: readField,
    searchOptions: {
      boost: { name: 4, title: 2, keywords: 1.5, tags: 1.5 },
      prefix: (_term, position, terms) => position === terms.length - 1,
    },
  });
  index.addAll(entries);
  const byId = new Map(entries.map((entry) => [String(entry.id), entry]));
  return (query, limit) => {
    const every = index.search(query, { combineWith: 'AND' });
    const hits = every.length > 0 ? every : index.search(query);
    return hits.slice(0, limit).flatMap((hit) => byId.get(String(hit.id)) ?? []);
  };
}

function readField(entry: Entry, field: string): string {
  switch (field) {
    case 'id':
      return String(entry.id);
    case 'title':
      return entry.title === entry.name ? '' : (entry.title ?? '');
    case 'name':
    case 'description':
    case 'category':
    case 'domain':
      return entry[field] ?? '';
    case 'keywords':
    case 'tags':
      return entry[field].join(' ');
    default:
      return '';
  }
}

/** The reference registry's own full text search. Entries of one name stay apart, as they are in several registries. */
export function indexByReferenceRegistry(entries: readonly Entry[]): Ranking {
  const sorted = entries.toSorted((a, b) => compareNames(a.name, b.name));
  const index = new TextIndex(sorted.map(toRegistryTemplate));
  return (query, limit) => {
    const { positions, scores } = index.match(query);
    const order = positions.toSorted((left, right) => (scores[right] ?? 0) - (scores[left] ?? 0) || left - right);
    return order.slice(0, limit).flatMap((position) => sorted[position] ?? []);
  };
}

function toRegistryTemplate(entry: Entry): Template {
  const { id: _, title, description, category, domain, ...lists } = entry;
  const given = Object.entries({ title, description, category, domain }).filter(([, value]) => value !== null);
  const reading = readTemplate({ ...lists, version: '1', ...Object.fromEntries(given) });
  if (!reading.ok) throw new Error(`"${entry.name}" must be a template of the protocol: ${reading.faults.join('; ')}`);
  return reading.template;
}

interface MergedRow {
  readonly entry: Entry;
  readonly key: number;
  readonly rank: number;
}

/** The merge of contract 5.8 and 5.1, said as plainly as possible. */
function mergeRegistries(registries: readonly Ranking[]): Ranking {
  return (query, limit) => {
    const compiled = compileQuery(query);
    const rows: MergedRow[] = [];
    for (const [rank, registry] of registries.entries()) {
      const list = registry(query, limit);
      let floor = Number.POSITIVE_INFINITY;
      let size = firstRowsOf(registries.length, WINDOW);
      for (let offset = 0; offset < list.length; offset += size, size = WINDOW) {
        const window = list.slice(offset, offset + size).map((entry) => ({ entry, score: scoreText(compiled, entry) }));
        for (const { entry, score } of window) rows.push({ entry, key: Math.min(score, floor), rank });
        floor = Math.min(floor, ...window.map(({ score }) => score));
      }
    }
    return rows
      .sort((a, b) => b.key - a.key || compareNames(a.entry.name, b.entry.name) || a.rank - b.rank)
      .slice(0, limit)
      .map(({ entry }) => entry);
  };
}

function compareNames(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a.toLowerCase()), Buffer.from(b.toLowerCase())) || (a < b ? -1 : Number(a > b));
}

/** 1 / rank of the first entry that carries the target's name; 0 beyond the cut-off. */
function reciprocalRank(ranking: Ranking, { query, target }: KnownItemQuery): number {
  const name = target.name.toLowerCase();
  const at = ranking(query, RANK_CUT_OFF).findIndex((entry) => entry.name.toLowerCase() === name);
  return at < 0 ? 0 : 1 / (at + 1);
}

/** Mean reciprocal rank by kind of query, and over all under "all". */
function measureMrr(ranking: Ranking, queries: readonly KnownItemQuery[]): Map<string, number> {
  const sums = new Map<string, { sum: number; count: number }>();
  for (const query of queries) {
    const rank = reciprocalRank(ranking, query);
    for (const kind of [query.kind, 'all']) {
      const { sum, count } = sums.get(kind) ?? { sum: 0, count: 0 };
      sums.set(kind, { sum: sum + rank, count: count + 1 });
    }
  }
  return new Map([...sums].map(([kind, { sum, count }]) => [kind, sum / count]));
}

export interface Comparison {
  readonly kind: string;
  readonly queries: number;
  readonly central: number;
  readonly federated: number;
}

/**
 * Draws `items` entries of all registries (all of them when there are fewer), asks for each in every way, and compares one
 * index over everything with the merge over the registries, each indexed by the same `buildIndex`.
 */
export function compareWithCentral(
  registries: readonly (readonly Entry[])[],
  buildIndex: (entries: readonly Entry[]) => Ranking,
  items: number,
): Comparison[] {
  const random = createRandom(20_260);
  const all = registries.flat();
  const sample = all.length <= items ? all : Array.from({ length: items }, () => pick(all, random)).filter(isEntry);
  const queries = sample.flatMap((entry) => queriesFor(entry, random));
  const central = measureMrr(buildIndex(all), queries);
  const federated = measureMrr(mergeRegistries(registries.map(buildIndex)), queries);
  return [...central].map(([kind, mrr]) => ({
    kind,
    queries: kind === 'all' ? queries.length : queries.filter((query) => query.kind === kind).length,
    central: mrr,
    federated: federated.get(kind) ?? 0,
  }));
}

const isEntry = (entry: Entry | undefined): entry is Entry => entry !== undefined;

/** A table for the log of the test. */
export function formatComparison(title: string, rows: readonly Comparison[]): string {
  const lines = rows.map(({ kind, queries, central, federated }) => {
    const difference = federated - central;
    const figures = [central.toFixed(4), federated.toFixed(4), `${difference < 0 ? '' : '+'}${difference.toFixed(4)}`];
    return `  ${kind.padEnd(20)} ${String(queries).padStart(5)}  ${figures.map((figure) => figure.padStart(7)).join('  ')}`;
  });
  return [`${title}: mean reciprocal rank of queries, central, federated, difference`, ...lines].join('\n');
}

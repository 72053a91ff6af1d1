/**
 * The least that could do the job: undici's `dispatch` to every registry at once, JSON.parse, one merge. No cache, no
 * checks, no limits. The bare side is made of it, and so are those peers that bring no HTTP client of their own.
 */
import { type Dispatcher, Pool } from 'undici';
import type { RowText } from '../../src/domain/template.ts';
import { compileQuery, scoreText } from '../../src/federation/relevance.ts';
import { PAGE_SIZE } from '../job.ts';

/** A template as far as the job reads it. */
export interface WireRow extends Omit<RowText, 'title'> {
  readonly version: string;
  readonly title: string;
  readonly author: string;
  readonly license: string;
  readonly updated_at: string;
  readonly marketplace: { readonly downloads: number; readonly rating: number; readonly verified: boolean };
}

export interface WirePage {
  readonly templates: readonly WireRow[];
  readonly total_count: number;
}

/** What a registry is asked for. */
export interface WireSearch {
  readonly query: string;
  readonly order: 'popularity' | 'relevance';
  /** Rows asked of each registry. */
  readonly rows: number;
  readonly offset?: number;
}

/** null: it has not answered in time. */
export type WireAnswer = WirePage | null;

export type FetchPage = (path: string) => Promise<WirePage>;

/** One function for each registry. */
export function openPools(urls: readonly string[]): readonly FetchPage[] {
  return urls.map((url) => {
    const pool = new Pool(url, { allowH2: false, connections: 64 });
    return async (path) => JSON.parse((await fetchBytes(pool, path)).toString());
  });
}

export function writePath({ query, order, rows, offset = 0 }: WireSearch): string {
  return (
    `/api/v1/search?q=${encodeURIComponent(query)}&sort_by=${order}&sort_order=desc` + `&limit=${rows}&offset=${offset}`
  );
}

function fetchBytes(pool: Pool, path: string): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => undefined,
      onResponseStart: () => undefined,
      onResponseData: (_controller, chunk) => void chunks.push(chunk),
      onResponseEnd: () => resolve(Buffer.concat(chunks)),
      onResponseError: (_controller, error) => reject(error),
    };
    pool.dispatch({ path, method: 'GET' }, handler);
  });
}

/** The job's answer, as the field `search` of its document. */
export function mergePages(answers: readonly WireAnswer[], { query, order }: Pick<WireSearch, 'query' | 'order'>) {
  const totalCount = answers.reduce((sum, page) => sum + (page?.total_count ?? 0), 0);
  return {
    totalCount,
    pageInfo: { hasNextPage: totalCount > PAGE_SIZE },
    nodes: mergeRows(answers, query, order)
      .slice(0, PAGE_SIZE)
      .map(({ row, registry }) => toNode(row, registry)),
    registries: answers.map((page, index) => ({
      registry: { name: nameRegistry(index) },
      outcome: page === null ? 'TIMEOUT' : 'OK',
      totalCount: page?.total_count ?? null,
    })),
  };
}

/** One order over all rows. By relevance each is scored as the gateway scores it, since registries' own scores do not compare. */
function mergeRows(answers: readonly WireAnswer[], query: string, order: WireSearch['order']) {
  const compiled = order === 'relevance' ? compileQuery(query) : null;
  const keyed: { readonly row: WireRow; readonly registry: number; readonly key: number; readonly name: string }[] = [];
  for (let registry = 0; registry < answers.length; registry += 1) {
    for (const row of answers[registry]?.templates ?? []) {
      const key = compiled === null ? row.marketplace.downloads : scoreText(compiled, row);
      keyed.push({ row, registry, key, name: row.name.toLowerCase() });
    }
  }
  return keyed.sort((left, right) => right.key - left.key || (left.name < right.name ? -1 : 1));
}

function toNode(row: WireRow, registry: number) {
  const { name, version, title, description, category, license, author, marketplace, updated_at } = row;
  const { downloads, rating, verified } = marketplace;
  const id = Buffer.from(JSON.stringify(['T', nameRegistry(registry), name, version])).toString('base64url');
  return {
    ...{ id, name, version, title, description, category, license, author, downloads, rating, verified },
    updatedAt: updated_at,
  };
}

/** As the gateway's configuration calls it. */
function nameRegistry(index: number): string {
  return `registry-${String(index).padStart(3, '0')}`;
}

/** The client of the benchmarks: sends a request, reads the whole answer, and looks whether it is one. */
import { Pool } from 'undici';

export interface Client extends AsyncDisposable {
  /** POSTs JSON; gives the body. Rejects when the status is not 200. */
  post(path: string, body: unknown): Promise<string>;
}

/** Opens up to `connections` to an origin. */
export function openClient(origin: string, connections = 64): Client {
  const pool = new Pool(origin, { allowH2: false, connections });
  return {
    async post(path, body) {
      const response = await pool.request({
        path,
        method: 'POST',
        headers: { 'content-type': 'application/json', accept: 'application/json' },
        body: JSON.stringify(body),
      });
      const text = await response.body.text();
      if (response.statusCode !== 200)
        throw new Error(`the answer must be 200, it was ${response.statusCode}: ${text}`);
      return text;
    },
    [Symbol.asyncDispose]: () => pool.close(),
  };
}

/** A page of 20 with twelve fields each, and a report per registry. */
const DOCUMENT = `query Search($query: String, $orderBy: TemplateOrder, $after: String, $timeoutMs: Int) {
  search(query: $query, orderBy: $orderBy, first: 20, after: $after, timeoutMs: $timeoutMs) {
    totalCount
    pageInfo { hasNextPage endCursor }
    nodes { id name version title description category license author downloads rating verified updatedAt }
    registries { registry { name } outcome totalCount tookMs }
  }
}`;

export interface SearchVariables {
  readonly query: string;
  readonly order: 'POPULARITY' | 'RELEVANCE';
  readonly after?: string | null;
  readonly timeoutMs?: number;
}

/** The body of a search that the gateway is asked. */
export function searchBody({ query, order, after = null, timeoutMs }: SearchVariables): object {
  return {
    query: DOCUMENT,
    variables: { query, orderBy: { field: order }, after, ...(timeoutMs === undefined ? {} : { timeoutMs }) },
  };
}

/** The parts of an answer that are looked at. */
export interface SearchAnswer {
  readonly nodes: readonly { readonly name: string }[];
  readonly registries: readonly { readonly outcome: string }[];
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
}

/** Reads a search answer; throws when it has errors or is none, for then there is nothing to measure. */
export function readSearch(text: string): SearchAnswer {
  const answer: { data?: { search?: SearchAnswer | null } | null; errors?: unknown } = JSON.parse(text);
  const search = answer.data?.search;
  if (answer.errors !== undefined || search == null) throw new Error(`a search failed: ${text.slice(0, 500)}`);
  return search;
}

/** As `readSearch`; throws, too, unless `rows` rows came and every registry answered. */
export function requireWhole(text: string, rows: number): void {
  const { nodes, registries } = readSearch(text);
  const silent = registries.filter(({ outcome }) => outcome !== 'OK').length;
  if (nodes.length !== rows || silent > 0) {
    throw new Error(`a page must have ${rows} rows of registries that all answer; ${nodes.length}, ${silent} silent`);
  }
}

/** Waits until every registry of a gateway was tried once. */
export async function waitUntilReady(origin: string): Promise<void> {
  for (const endMs = performance.now() + 10_000; performance.now() < endMs; ) {
    const response = await fetch(`${origin}/readyz`);
    await response.arrayBuffer();
    if (response.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error('the gateway must be ready within 10 s');
}

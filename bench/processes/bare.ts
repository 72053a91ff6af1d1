/**
 * A process with the least that could answer: node:http, undici's `dispatch` to every registry at once, JSON.parse, a merge,
 * JSON.stringify. No GraphQL, no cache, no checks, no limits: what the gateway's cost is measured against.
 */
import { createServer, type IncomingMessage } from 'node:http';
import { type Dispatcher, Pool } from 'undici';
import { compileQuery, type ScoredText, scoreText } from '../../src/federation/relevance.ts';
import { type Remote, serveCommands, startProcess } from './remote.ts';

/** POST it to `/`. */
export interface BareSearch {
  readonly query: string;
  readonly order: 'popularity' | 'relevance';
  /** Rows asked of each registry. */
  readonly rows: number;
  readonly offset?: number;
  /** Registries that have not answered by then are left out. */
  readonly timeoutMs?: number;
}

interface WireRow extends Omit<ScoredText, 'title'> {
  readonly version: string;
  readonly title: string;
  readonly author: string;
  readonly license: string;
  readonly updated_at: string;
  readonly marketplace: { readonly downloads: number; readonly rating: number; readonly verified: boolean };
}

interface WirePage {
  readonly templates: readonly WireRow[];
  readonly total_count: number;
}

const PAGE_SIZE = 20;

let pools: readonly Pool[] = [];
let hotBytes = Buffer.alloc(0);
const underWay = new Map<string, Promise<string>>();

const commands = {
  /** Gives the origin. */
  async start({ registryUrls }: { registryUrls: readonly string[] }): Promise<string> {
    pools = registryUrls.map((url) => new Pool(url, { allowH2: false, connections: 64 }));
    const server = createServer((request, response) => {
      void answer(request).then((body) => {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.byteLength });
        response.end(body);
      });
    });
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a listening server must have a port');
    return `http://127.0.0.1:${address.port}`;
  },
  /** What is answered at /hot. */
  keepBytes({ text }: { text: string }): void {
    hotBytes = Buffer.from(text);
  },
};

async function answer(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  if (request.url === '/hot') return hotBytes;
  const body = Buffer.concat(chunks).toString();
  if (request.url !== '/shared') return Buffer.from(await search(JSON.parse(body)));
  // One fan-out for all who ask the same at once.
  let shared = underWay.get(body);
  if (shared === undefined) {
    shared = search(JSON.parse(body)).finally(() => underWay.delete(body));
    underWay.set(body, shared);
  }
  return Buffer.from(await shared);
}

async function search({ query, order, rows, offset = 0, timeoutMs }: BareSearch): Promise<string> {
  const path =
    `/api/v1/search?q=${encodeURIComponent(query)}&sort_by=${order}&sort_order=desc` +
    `&limit=${rows}&offset=${offset}`;
  const pages = await Promise.all(
    pools.map(async (pool) => {
      const startedMs = performance.now();
      const text = await beforeTimeout(fetchText(pool, path), timeoutMs);
      const page: WirePage | null = text === null ? null : JSON.parse(text.toString());
      return { page, tookMs: performance.now() - startedMs };
    }),
  );
  const merged = merge(
    pages.flatMap(({ page }) => page?.templates ?? []),
    query,
    order,
  ).slice(0, PAGE_SIZE);
  return JSON.stringify({
    data: {
      search: {
        totalCount: pages.reduce((sum, { page }) => sum + (page?.total_count ?? 0), 0),
        nodes: merged.map(toNode),
        registries: pages.map(({ page, tookMs }, index) => ({
          registry: { name: `registry-${index}` },
          outcome: page === null ? 'TIMEOUT' : 'OK',
          totalCount: page?.total_count ?? null,
          tookMs,
        })),
      },
    },
  });
}

/** One order over all rows. By relevance each is scored as the gateway scores it, since registries' own scores do not compare. */
function merge(rows: readonly WireRow[], query: string, order: BareSearch['order']): readonly WireRow[] {
  const compiled = order === 'relevance' ? compileQuery(query) : null;
  const keyed = rows.map((row) => ({
    row,
    key: compiled === null ? row.marketplace.downloads : scoreText(compiled, row),
    name: row.name.toLowerCase(),
  }));
  keyed.sort((left, right) => right.key - left.key || (left.name < right.name ? -1 : 1));
  return keyed.map(({ row }) => row);
}

function toNode(row: WireRow) {
  const { name, version, title, description, category, license, author, marketplace, updated_at } = row;
  const { downloads, rating, verified } = marketplace;
  const id = `${name} ${version}`;
  return {
    ...{ id, name, version, title, description, category, license, author, downloads, rating, verified },
    updatedAt: updated_at,
  };
}

function fetchText(pool: Pool, path: string): Promise<Buffer> {
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

function beforeTimeout<T>(promise: Promise<T>, timeoutMs: number | undefined): Promise<T | null> {
  if (timeoutMs === undefined) return promise;
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(null), timeoutMs);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** A process that fans out by itself. */
export function startBareProcess(): Remote<typeof commands> {
  return startProcess<typeof commands>('bare.ts');
}

if (process.send !== undefined && import.meta.main) serveCommands(commands);

/** A process with the bare side: `node:http` around the fan-out, or around bytes that are ready. */
import { createServer, type ServerResponse } from 'node:http';
import {
  type FetchPage,
  mergePages,
  openPools,
  type WireAnswer,
  type WireRow,
  type WireSearch,
  writePath,
} from './fan-out.ts';
import { type Remote, startProcess } from './remote.ts';
import { serveCommands } from './serve.ts';

/** POST it to `/`. */
export interface BareSearch extends WireSearch {
  /** Registries that have not answered by then are left out. */
  readonly timeoutMs?: number;
  /** `rows` are read so many at once. */
  readonly readAhead?: number;
}

/** Bytes that are ready. */
export interface HotAnswer {
  readonly text: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** As long as clients here keep connections. */
const KEEP_ALIVE_MS = 65_000;

let registries: readonly FetchPage[] = [];
let hot: HotAnswer & { readonly bytes: Buffer } = { text: '', headers: {}, bytes: Buffer.alloc(0) };
const underWay = new Map<string, Promise<Buffer>>();

const commands = {
  /** Gives the origin. */
  async start({ registryUrls }: { registryUrls: readonly string[] }): Promise<string> {
    registries = openPools(registryUrls);
    const server = createServer({ keepAliveTimeout: KEEP_ALIVE_MS }, (request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => void chunks.push(chunk));
      request.on('end', () => {
        const body = Buffer.concat(chunks);
        if (request.url === '/hot') response.writeHead(200, hot.headers).end(hot.bytes);
        else void respond(request.url === '/shared', body.toString(), response);
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
  keepAnswer(answer: HotAnswer): void {
    hot = { ...answer, bytes: Buffer.from(answer.text) };
  },
};

function send(response: ServerResponse, body: Buffer): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.byteLength });
  response.end(body);
}

async function respond(isShared: boolean, body: string, response: ServerResponse): Promise<void> {
  if (!isShared) return send(response, await search(JSON.parse(body)));
  // One fan-out for all who ask the same at once.
  let shared = underWay.get(body);
  if (shared === undefined) {
    shared = search(JSON.parse(body)).finally(() => underWay.delete(body));
    underWay.set(body, shared);
  }
  send(response, await shared);
}

async function search(search: BareSearch): Promise<Buffer> {
  const { timeoutMs, readAhead } = search;
  const answers = await Promise.all(
    registries.map((fetchPage): Promise<WireAnswer> => {
      if (readAhead !== undefined) return readAllBefore(fetchPage, search, readAhead);
      return beforeTimeout(fetchPage(writePath(search)), timeoutMs);
    }),
  );
  return Buffer.from(JSON.stringify({ data: { search: mergePages(answers, search) } }));
}

/** What has to be read where a page is known by its number alone: any registry could hold all the rows before it. */
async function readAllBefore(fetchPage: FetchPage, search: BareSearch, atOnce: number): Promise<WireAnswer> {
  const templates: WireRow[] = [];
  for (let offset = 0; offset < search.rows; offset += atOnce) {
    const rows = Math.min(atOnce, search.rows - offset);
    const page = await fetchPage(writePath({ ...search, rows, offset }));
    templates.push(...page.templates);
    if (page.templates.length < rows) break;
  }
  return { templates, total_count: templates.length };
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
  return startProcess<typeof commands>(new URL(import.meta.url));
}

if (process.send !== undefined && import.meta.main) serveCommands(commands);

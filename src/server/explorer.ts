/**
 * GraphiQL at "/", from the files of a package in node_modules: nothing is fetched from elsewhere, and nothing is built.
 * The package is read when somebody first opens the page, so that it costs the start nothing.
 */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { type Answer, errorAnswer } from './responses.ts';

const FIRST_QUERY = `# One question to every registry at once. Press Ctrl-Enter.
query FirstSearch {
  search(query: "python", first: 5) {
    totalCount
    nodes {
      name
      version
      title
      registry {
        name
      }
    }
    registries {
      registry {
        name
      }
      outcome
      tookMs
    }
  }
}
`;

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Marketplace gateway</title>
<link rel="icon" href="data:,">
<link rel="stylesheet" href="/explorer/graphiql.css">
</head>
<body class="no-focus-outline">
<noscript>GraphiQL needs JavaScript. The endpoint itself is /graphql.</noscript>
<div id="root"></div>
<script src="/explorer/graphiql.js"></script>
<script src="/explorer/start.js"></script>
</body>
</html>
`;

const START_SCRIPT = `self.MonacoEnvironment = {
  globalAPI: false,
  getWorkerUrl: (_, label) =>
    '/explorer/' + (label === 'graphql' || label === 'json' ? label : 'editor') + '-worker.js',
};
YogaGraphiQL.renderYogaGraphiQL(document.querySelector('#root'), {
  endpoint: '/graphql',
  subscriptionsEndpoint: '/graphql/stream',
  title: 'Marketplace gateway',
  defaultQuery: ${JSON.stringify(FIRST_QUERY)},
});
`;

/** Its editor writes styles into the page, and its fonts and pictures are part of its style sheet. */
const PAGE_CONTENT_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "worker-src 'self'",
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' data:",
  "font-src 'self' data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

const SCRIPT_TYPE = 'text/javascript; charset=utf-8';

const compress = promisify(gzip);

interface Asset {
  readonly contentType: string;
  readonly body: string;
  readonly etag: string;
  /** Made when somebody first asks for it: seven megabytes become less than two. */
  compressed: Promise<Uint8Array> | null;
}

/** Answers "/" and what the page loads from "/explorer/"; null for any other path. */
export async function answerExplorer(path: string, given: IncomingHttpHeaders): Promise<Answer | null> {
  if (path === '/') {
    const headers = { 'Content-Security-Policy': PAGE_CONTENT_POLICY, 'Cache-Control': 'no-cache' };
    return { status: 200, contentType: 'text/html; charset=utf-8', body: PAGE, headers };
  }
  if (!path.startsWith('/explorer/')) return null;
  const asset = (await loadAssets()).get(path.slice('/explorer/'.length));
  return asset === undefined ? errorAnswer(404, 'NOT_FOUND', 'There is no such file.') : answerAsset(asset, given);
}

async function answerAsset(asset: Asset, given: IncomingHttpHeaders): Promise<Answer> {
  const { contentType, body } = asset;
  const isCompressed = /(?:^|[\s,])gzip(?!\s*;\s*q=0(?:\.0*)?(?:\s|,|$))/i.test(String(given['accept-encoding'] ?? ''));
  // Two representations, two tags (RFC 9110, section 8.8.3).
  const etag = isCompressed ? asset.etag.replace(/"$/, '-gzip"') : asset.etag;
  // A worker obeys the policy that it was loaded with, not that of its page.
  const headers = {
    ETag: etag,
    Vary: 'Accept-Encoding',
    'Cache-Control': 'no-cache',
    'Content-Security-Policy': PAGE_CONTENT_POLICY,
  };
  if (given['if-none-match'] === etag) return { status: 304, contentType, body: '', headers };
  if (!isCompressed) return { status: 200, contentType, body, headers };
  asset.compressed ??= compress(body);
  return {
    status: 200,
    contentType,
    body: await asset.compressed,
    headers: { ...headers, 'Content-Encoding': 'gzip' },
  };
}

let assets: Promise<ReadonlyMap<string, Asset>> | null = null;

function loadAssets(): Promise<ReadonlyMap<string, Asset>> {
  assets ??= readAssets();
  return assets;
}

async function readAssets(): Promise<ReadonlyMap<string, Asset>> {
  const graphiql = await import('@graphql-yoga/render-graphiql/graphiql');
  const toAsset = (contentType: string, body: string): Asset => {
    const etag = `"${createHash('sha256').update(body).digest('base64url')}"`;
    return { contentType, body, etag, compressed: null };
  };
  return new Map([
    ['start.js', toAsset(SCRIPT_TYPE, START_SCRIPT)],
    ['graphiql.js', toAsset(SCRIPT_TYPE, graphiql.js)],
    ['graphiql.css', toAsset('text/css; charset=utf-8', graphiql.css)],
    ['editor-worker.js', toAsset(SCRIPT_TYPE, graphiql.editorWorkerService)],
    ['json-worker.js', toAsset(SCRIPT_TYPE, graphiql.jsonWorker)],
    ['graphql-worker.js', toAsset(SCRIPT_TYPE, graphiql.graphqlWorker)],
  ]);
}

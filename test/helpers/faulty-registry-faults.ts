import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';

/** What goes wrong. `status` answers with that status (401, 403, 404, 429, 500, 503, ...) and perhaps `Retry-After`. */
export type FaultMode =
  | 'ok'
  | 'refused'
  | 'reset'
  | 'hang'
  | 'drip'
  | 'html'
  | 'truncated'
  | 'wrong-shape'
  | 'empty-with-error'
  | 'not-json'
  | 'bad-rows'
  | 'gzip-bomb'
  | 'endless'
  | 'redirect-same-origin'
  | 'redirect-elsewhere'
  | 'other-template'
  | 'wrong-certificate'
  | 'expired-certificate'
  | { readonly slowMs: number }
  | { readonly status: number; readonly retryAfter?: string };

/** Every fault that a request can meet, for matrices; the certificate faults need a registry started with `tls`. */
export const FAULT_MODES: readonly Exclude<FaultMode, 'ok'>[] = [
  'refused',
  'reset',
  'hang',
  'drip',
  'html',
  'truncated',
  'wrong-shape',
  'empty-with-error',
  'not-json',
  'bad-rows',
  'gzip-bomb',
  'endless',
  'redirect-elsewhere',
  { status: 401 },
  { status: 403 },
  { status: 404 },
  { status: 429, retryAfter: '1' },
  { status: 500 },
  { status: 502 },
  { status: 503 },
];

/** One request with what a good answer to it would be. */
export interface Exchange {
  readonly url: URL;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** The JSON of a good answer; undefined: there is none (404). */
  findBody(): unknown;
  answerWell(): void;
}

/** Answers a request as the mode says. Faults that lie in listening or in the certificate have happened before. */
export function answerInMode(mode: FaultMode, exchange: Exchange): void {
  const { url, request, response } = exchange;
  if (typeof mode === 'object') {
    if ('slowMs' in mode) answerLater(mode.slowMs, exchange);
    else answerStatus(response, mode.status, mode.retryAfter);
    return;
  }
  switch (mode) {
    case 'ok':
    case 'refused':
    case 'wrong-certificate':
    case 'expired-certificate':
      exchange.answerWell();
      return;
    case 'reset':
      // Only a plain connection can be reset from here.
      if ('encrypted' in request.socket) request.socket.destroy();
      else request.socket.resetAndDestroy();
      return;
    case 'hang':
      return;
    case 'drip':
      sendDrops(response);
      return;
    case 'html':
      sendBody(response, 'text/html; charset=utf-8', '<!doctype html><title>Please sign in</title>');
      return;
    case 'truncated':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100000' });
      response.write('{"templates":[{"name":"cut-', () => request.socket.end());
      return;
    case 'wrong-shape':
      sendJson(response, { results: { hits: 7 }, name: 7 });
      return;
    case 'empty-with-error':
      sendJson(response, {
        templates: [],
        versions: [],
        total_count: 0,
        error: { code: 'UNAVAILABLE', message: 'no' },
      });
      return;
    case 'not-json':
      sendBody(response, 'application/json', '{"templates":[}');
      return;
    case 'bad-rows':
      answerWithBadRows(exchange);
      return;
    case 'other-template':
      sendJson(response, { name: 'somebody/else', version: '1' });
      return;
    case 'gzip-bomb':
      sendBomb(response);
      return;
    case 'endless':
      sendEndlessly(response);
      return;
    case 'redirect-same-origin':
      if (url.searchParams.has('redirected')) {
        exchange.answerWell();
        return;
      }
      url.searchParams.set('redirected', '1');
      response.writeHead(302, { location: `${url.pathname}${url.search}` }).end();
      return;
    case 'redirect-elsewhere':
      response.writeHead(302, { location: `http://localhost:${request.socket.localPort}${url.pathname}` }).end();
      return;
  }
}

export function sendBody(response: ServerResponse, contentType: string, body: string): void {
  response.writeHead(200, { 'content-type': contentType, 'content-length': Buffer.byteLength(body) });
  response.end(body);
}

function sendJson(response: ServerResponse, value: unknown): void {
  sendBody(response, 'application/json', JSON.stringify(value));
}

/** An error answer of the protocol, with a text that must reach no client. */
export function answerStatus(response: ServerResponse, status: number, retryAfter?: string): void {
  if (retryAfter !== undefined) response.setHeader('retry-after', retryAfter);
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(`{"error":{"code":"E${status}","message":"upstream secret text ${status}"}}`);
}

/** Every second entry is none: no name, a wrong type, nothing at all. */
function answerWithBadRows({ response, url, findBody }: Exchange): void {
  const body = findBody();
  if (body === undefined) {
    answerStatus(response, 404);
  } else if (typeof body === 'object' && body !== null && 'templates' in body && Array.isArray(body.templates)) {
    const wrong: readonly unknown[] = [null, 7, 'text', [], {}, { name: 7, version: '1' }, { name: 'no-version' }];
    const entries: readonly unknown[] = body.templates;
    // Every second one of the list, whichever answer it is in.
    const offset = Number(url.searchParams.get('offset') ?? 0);
    const templates = entries.map((row, index) =>
      (offset + index) % 2 === 0 ? row : wrong[(offset + index) % wrong.length],
    );
    sendJson(response, { ...body, templates });
  } else {
    sendJson(response, { version: [], title: 7 });
  }
}

function answerLater(delayMs: number, { response, answerWell }: Exchange): void {
  const timer = setTimeout(answerWell, delayMs);
  response.on('close', () => clearTimeout(timer));
}

function sendDrops(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('{"templates":[');
  const timer = setInterval(() => response.write(' '), 20);
  response.on('close', () => clearInterval(timer));
}

/** 16 MB of blanks before a good answer, 16 kB on the wire. Made once: it takes longer than the test of it. */
let bomb: Buffer | null = null;

function sendBomb(response: ServerResponse): void {
  bomb ??= gzipSync(Buffer.concat([Buffer.alloc(1 << 24, ' '), Buffer.from('{"templates":[],"total_count":0}')]));
  response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' });
  response.end(bomb);
}

function sendEndlessly(response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.write('{"templates":[');
  const chunk = Buffer.alloc(1 << 18, ' ');
  const pump = (): void => {
    while (!response.destroyed && response.write(chunk));
    if (!response.destroyed) response.once('drain', pump);
  };
  pump();
}

/** A registry that has a secret in everything that it sends: bodies, headers, addresses, members that nobody asked for. */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import type { TestCertificate } from './faulty-registry-certificates.ts';

/** How it answers, and each with the secret wherever there is room for one. */
export const LEAKS = [
  'well',
  'unknown-members',
  'status-401',
  'status-403',
  'status-404',
  'status-409',
  'status-418',
  'status-429',
  'status-500',
  'status-503',
  'html',
  'not-json',
  'wrong-types',
  'wrong-media-type',
  'wrong-encoding',
  'truncated',
  'redirect-elsewhere',
  'redirect-here',
  'no-http',
] as const;
type Leak = (typeof LEAKS)[number];

export interface LeakyRegistry extends AsyncDisposable {
  readonly url: string;
  leak: Leak;
  /** What it was sent: "GET /path" with the credentials behind it. */
  readonly arrivals: string[];
}

/** Starts it on loopback. `secret`: plain letters, digits and dashes. */
export async function startLeakyRegistry(
  secret: string,
  certificate: TestCertificate | null = null,
): Promise<LeakyRegistry> {
  const arrivals: string[] = [];
  const listener: RequestListener = (request, response) => {
    arrivals.push(
      `${request.method} ${request.url} ${request.headers.authorization ?? request.headers.signature ?? ''}`,
    );
    request.resume();
    response.setHeader('x-internal', secret);
    response.setHeader('set-cookie', `session=${secret}`);
    response.setHeader('www-authenticate', `Bearer realm="${secret}"`);
    response.setHeader('server', secret);
    response.setHeader('etag', `"${secret}"`);
    response.setHeader('link', `<https://${secret}.example/>; rel="${secret}"`);
    answer(registry.leak, secret, request, response);
  };
  const server = certificate === null ? createServer(listener) : createTlsServer(certificate, listener);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const registry: LeakyRegistry = {
    url: `${certificate === null ? 'http' : 'https'}://127.0.0.1:${port}`,
    leak: 'well',
    arrivals,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return registry;
}

function answer(leak: Leak, secret: string, request: IncomingMessage, response: ServerResponse): void {
  const status = /^status-(\d+)$/.exec(leak)?.[1];
  if (status !== undefined) {
    const body = { error: { code: secret, message: `${secret} failed`, detail: { token: secret } }, status: secret };
    response.writeHead(Number(status), secret, { 'content-type': 'application/json', 'retry-after': secret });
    response.end(JSON.stringify(body));
    return;
  }
  const send = (body: string, type = 'application/json') => response.writeHead(200, { 'content-type': type }).end(body);
  const path = request.url ?? '';
  switch (leak) {
    case 'html':
      send(`<title>${secret}</title>`, 'text/html');
      return;
    case 'not-json':
      send(`{"templates":[${secret}]}`);
      return;
    case 'wrong-types':
      send(
        JSON.stringify({ templates: secret, name: [secret], version: { secret }, total_count: secret, status: secret }),
      );
      return;
    case 'wrong-media-type':
      send('{}', `application/${secret}; boundary=${secret}`);
      return;
    case 'wrong-encoding':
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': secret }).end(secret);
      return;
    case 'truncated':
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100000' });
      response.write(`{"templates":[{"name":"${secret}`, () => request.socket.end());
      return;
    case 'redirect-elsewhere':
      response.writeHead(302, { location: `http://user:${secret}@localhost:9/${secret}?token=${secret}` }).end();
      return;
    case 'redirect-here':
      if (path.includes('moved')) response.writeHead(500, secret).end(secret);
      else response.writeHead(302, { location: `/moved?token=${secret}` }).end();
      return;
    case 'no-http':
      request.socket.end(`HTTP/1.1 200 ${secret}\r\ncontent length ${secret}\r\n\r\n${secret}`);
      return;
    default:
      send(JSON.stringify(goodBody(path, leak === 'unknown-members' ? hide(secret) : {})));
  }
}

/** Members that the protocol does not have, and entries that are none. */
function hide(secret: string): Record<string, unknown> {
  return { internal: secret, [secret]: secret, _debug: { token: [secret] }, marketplace: { internal: secret } };
}

function goodBody(path: string, hidden: Record<string, unknown>): unknown {
  const row = { name: 'some/template', version: '1.0.0', title: 'Some template', ...hidden };
  if (path.startsWith('/api/v1/search')) {
    const malformed =
      Object.keys(hidden).length === 0
        ? []
        : [
            { ...hidden, name: 7 },
            { ...hidden, version: null },
          ];
    return { templates: [row, ...malformed], total_count: 1 + malformed.length, ...hidden };
  }
  if (path.startsWith('/api/v1/health')) return { status: 'ok', ...hidden };
  if (path.startsWith('/api/v1/categories')) return [];
  if (path.endsWith('/versions')) return { versions: [{ version: '1.0.0', ...hidden }], ...hidden };
  return row;
}

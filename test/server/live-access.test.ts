import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { createAuthenticator } from '../../src/access/authenticate.ts';
import { createFixtureView } from './fixture-view.ts';
import { collect, createSseClient, createWsClient, type LiveResult } from './live-clients.ts';
import { serveFixture } from './serve-fixture.ts';
import { serveLive } from './serve-live.ts';

const KEY = 'k-4711';
const OTHER_KEY = 'k-4712';
const toKey = (id: string, key: string) => ({ id, sha256: createHash('sha256').update(key).digest('hex') });
const AUTH = { anonymous: 'deny', apiKeys: [toKey('tester', KEY), toKey('other', OTHER_KEY)] };
const SECRET = 'for tests alone: 0123456789abcdef0123456789abcdef';
const WHO = '{ viewer { subject } }';
const HEALTH = 'subscription { registryHealth { name } }';
const BOTH = [
  ['graphql-sse', createSseClient],
  ['graphql-ws', createWsClient],
] as const;

function post(origin: string, body: string, headers: Record<string, string> = {}) {
  const sent = { 'content-type': 'application/json', accept: 'text/event-stream', ...headers };
  return fetch(`${origin}/graphql/stream`, { method: 'POST', headers: sent, body });
}

/** Opens a socket as nothing but ws would; gives how the gateway closed it, or refused it. */
async function openSocket(origin: string, headers: Record<string, string>, ...messages: readonly unknown[]) {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', { headers });
  socket.on('error', () => undefined);
  socket.on('open', () => {
    for (const message of messages) socket.send(typeof message === 'string' ? message : JSON.stringify(message));
  });
  return await new Promise<{ code?: number; reason?: string; status?: number }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: String(reason) }));
    socket.once('unexpected-response', (_, response) => {
      resolve({ status: response.statusCode ?? 0 });
      response.destroy();
    });
  });
}

describe.each(BOTH)('a caller over %s', (_, createClient) => {
  it('is who its headers say', async () => {
    await using served = await serveFixture({ document: { auth: AUTH } });
    for (const headers of [{ authorization: `Bearer ${KEY}` }, { 'x-api-key': KEY }]) {
      using client = createClient(served.origin, headers);
      expect(await collect(client.iterate(WHO))).toEqual([{ data: { viewer: { subject: 'tester' } } }]);
      expect(await collect(client.iterate(HEALTH))).toHaveLength(2);
    }
  });

  it('needs the role for a mutation that needs one', async () => {
    await using served = await serveFixture();
    using client = createClient(served.origin);
    const [result] = await collect(client.iterate('mutation { invalidateCache(input: {}) { removed } }'));
    expect(result?.errors?.[0]?.extensions).toEqual({ code: 'UNAUTHENTICATED' });
  });
});

describe('a caller over graphql-ws', () => {
  it.each([
    [{ authorization: `Bearer ${KEY}` }, {}],
    [{ apiKey: KEY }, {}],
    [{ apiKey: KEY }, { 'x-api-key': KEY }],
    [{ apiKey: KEY }, { authorization: `Bearer ${KEY}` }],
  ])('is who its first message says: %j with the headers %j', async (connectionParams, headers) => {
    await using served = await serveFixture({ document: { auth: AUTH } });
    using client = createWsClient(served.origin, headers, { connectionParams });
    expect(await collect(client.iterate(WHO))).toEqual([{ data: { viewer: { subject: 'tester' } } }]);
  });

  it.each([
    ['no key', {}, undefined],
    ['an unknown key', {}, { apiKey: 'wrong' }],
    ['a key that is no text', {}, { apiKey: 7 }],
    ['two keys that differ', { 'x-api-key': OTHER_KEY }, { apiKey: KEY }],
    ['two keys in two forms that differ', { authorization: `Bearer ${OTHER_KEY}` }, { apiKey: KEY }],
  ])('is refused with 4403 and the reason, before anything is done: %s', async (_, headers, payload) => {
    const view = createFixtureView();
    await using served = await serveFixture({ viewFor: () => view, document: { auth: AUTH } });
    const subscribe = { id: '1', type: 'subscribe', payload: { query: HEALTH } };
    const closed = await openSocket(served.origin, headers, { type: 'connection_init', payload });
    expect(closed).toMatchObject({ code: 4403, reason: expect.stringMatching(/key|apiKey/) });
    expect(await openSocket(served.origin, headers, subscribe)).toEqual({ code: 4401, reason: 'Unauthorized' });
    expect(view.calls).toEqual([]);
  });

  it('is not let in at all with a header that is wrong, from another site, or to another path', async () => {
    await using served = await serveFixture({ document: { auth: { ...AUTH, anonymous: 'allow' } } });
    const { origin } = served;
    expect(await openSocket(origin, { authorization: 'Bearer wrong' })).toEqual({ status: 401 });
    for (const foreign of ['https://elsewhere.example', 'null', `${origin}1`]) {
      expect(await openSocket(origin, { origin: foreign })).toEqual({ status: 403 });
    }
    expect(await openSocket(`${origin}/elsewhere`, {})).toEqual({ status: 404 });
    using client = createWsClient(origin, { origin });
    expect(await collect(client.iterate(HEALTH))).toHaveLength(2);
  });

  it('is refused on record, however it came', async () => {
    await using served = await serveLive({ authenticate: createAuthenticator({ anonymous: 'deny', apiKeys: [] }) });
    expect((await post(served.origin, '{}')).status).toBe(401);
    expect(await openSocket(served.origin, { 'x-api-key': 'wrong' })).toEqual({ status: 401 });
    expect(await openSocket(served.origin, {}, { type: 'connection_init' })).toMatchObject({ code: 4403 });
    expect(new Set(served.denied).size).toBe(3);
  });

  it('is closed with 4408 where it does not say who it is, and with 4406 for another protocol', async () => {
    await using served = await serveLive({ times: { init: 20 } });
    expect(await openSocket(served.origin, {})).toMatchObject({ code: 4408 });
    const socket = new WebSocket(`${served.origin.replace('http', 'ws')}/graphql`);
    const [code] = await once(socket, 'close');
    expect(code).toBe(4406);
  });

  it('is closed for a message that is too large or none of the protocol', async () => {
    await using served = await serveLive({ limits: { bodyBytes: 1000 } });
    const init = { type: 'connection_init' };
    expect(await openSocket(served.origin, {}, init, 'x'.repeat(1001))).toMatchObject({ code: 1009 });
    expect(await openSocket(served.origin, {}, init, 'no JSON')).toMatchObject({ code: 4400 });
    await using large = await serveLive();
    const deep = `{"type":"ping","payload":{"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`;
    expect(await openSocket(large.origin, {}, init, deep)).toMatchObject({ code: 4400 });
    expect(await openSocket(served.origin, {}, init, { type: 'subscribe', id: 1 })).toMatchObject({ code: 4400 });
  });
});

describe('a request for server-sent events', () => {
  const query = JSON.stringify({ query: HEALTH });

  it('is answered by events that nobody keeps', async () => {
    await using served = await serveFixture();
    const response = await post(served.origin, query);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
    expect(response.headers.get('cache-control')).toBe('no-store');
    expect(response.headers.get('x-graphql-cost')).toBe('2');
    const text = await response.text();
    expect(text).toContain('event: next\ndata: {"data":{"registryHealth":{"name":"official"}}}\n\n');
    expect(text.endsWith('event: complete\ndata:\n\n')).toBe(true);
  });

  it('may be a GET, of this site', async () => {
    await using served = await serveFixture();
    const address = `${served.origin}/graphql/stream?query=${encodeURIComponent(HEALTH)}`;
    const own = await fetch(address, { headers: { accept: 'text/event-stream' } });
    expect(await own.text()).toContain('"official"');
    const foreign = await fetch(address, { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } });
    expect(foreign.status).toBe(403);
    const mutation = 'mutation { invalidateCache(input: {}) { removed } }';
    const changing = await fetch(`${served.origin}/graphql/stream?query=${encodeURIComponent(mutation)}`);
    expect(changing.status).toBe(405);
  });

  it.each([
    ['no key', 401, 'UNAUTHENTICATED', query, { authorization: '' }],
    ['another media type wanted', 406, 'BAD_USER_INPUT', query, { accept: 'application/json' }],
    ['events refused', 406, 'BAD_USER_INPUT', query, { accept: 'text/event-stream;q=0' }],
    ['another media type', 415, 'BAD_USER_INPUT', query, { 'content-type': 'text/plain' }],
    ['no JSON', 400, 'BAD_USER_INPUT', '{', {}],
    ['no query', 400, 'BAD_USER_INPUT', '{}', {}],
    ['a body that is too large', 413, 'BAD_USER_INPUT', `"${'x'.repeat(2_000_000)}"`, {}],
  ])('is refused before it begins, in JSON: %s', async (_, status, code, body, headers) => {
    const view = createFixtureView();
    await using served = await serveFixture({ viewFor: () => view, document: { auth: AUTH } });
    const response = await post(served.origin, body, { authorization: `Bearer ${KEY}`, ...headers });
    expect(response.status).toBe(status);
    expect(response.headers.get('content-type')).toContain('json');
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code } }] });
    expect(view.calls).toEqual([]);
  });
});

describe.each(BOTH)('an operation over %s', (_, createClient) => {
  it.each([
    ['no GraphQL', '{ viewer {'],
    ['an unknown field', '{ viewr { subject } }'],
    ['an unknown argument', '{ search(firs: 3) { totalCount } }'],
    ['a missing variable', 'query ($name: String!) { registry(name: $name) { name } }'],
    ['several operations', 'query A { viewer { subject } } query B { viewer { subject } }'],
    ['too deep a document', `{ ${'template(name: "a") { parent { '.repeat(6)} name ${'} } '.repeat(6)} }`],
    ['too many root fields', `{ ${'viewer { subject } '.repeat(51)} }`],
    ['too high a cost', '{ search(first: 100) { nodes { alternatives(first: 20) { alternatives { name } } } } }'],
    ['an argument out of range', '{ search(first: 0) { totalCount } }'],
    ['an unknown registry', '{ registry(name: "oficial") { name } }'],
    ['one field that fails beside one that does not', '{ a: registry(name: "x") { name } viewer { subject } }'],
  ])('is told the same as over plain HTTP: %s', async (__, query) => {
    await using served = await serveFixture();
    using client = createClient(served.origin);
    const plain = await served.ask(query);
    const told = await collect(client.iterate(query)).then(
      ([result]) => result,
      (errors: NonNullable<LiveResult['errors']>) => ({ errors }),
    );
    const { errors, data = null } = told as LiveResult;
    expect(errors).toHaveLength(plain.errors.length);
    expect(plain.errors.length).toBeGreaterThan(0);
    // Of several operations without a name Apollo has words of its own.
    const isNamed = !query.startsWith('query A');
    expect(errors?.[0]).toMatchObject({
      extensions: plain.errors[0]?.extensions ?? {},
      ...(isNamed && { message: plain.errors[0]?.message }),
    });
    expect(data).toEqual(plain.data);
  });

  it.each([
    ['searchProgress { nodes { sources { registry { name } } } }', 'QUERY_TOO_COMPLEX', 200],
    ['searchProgress(first: 100) { nodes { registry { name } } }', 'QUERY_TOO_COMPLEX', 400],
    ['registryHealth { health { circuits { state } } }', 'QUERY_TOO_COMPLEX', 5],
  ])('costs as much as it can cause: subscription { %s }', async (field, code, cost) => {
    const server = { secret: SECRET, limits: { cost } };
    const view = createFixtureView();
    await using served = await serveFixture({ viewFor: () => view, document: { server } });
    using client = createClient(served.origin);
    const told: unknown = await collect(client.iterate(`subscription { ${field} }`)).then(
      ([result]) => result?.errors,
      (errors: unknown) => errors,
    );
    expect(told).toMatchObject([{ extensions: { code } }]);
    expect(view.calls).toEqual([]);
  });

  it('counts as a request of its caller, whichever way it comes', async () => {
    const server = { secret: SECRET, limits: { requestsPerMinute: 3 } };
    await using served = await serveFixture({ document: { server } });
    using client = createClient(served.origin);
    await collect(client.iterate(WHO));
    await collect(client.iterate(HEALTH));
    expect((await served.ask(WHO)).status).toBe(200);
    expect((await served.ask(WHO)).status).toBe(429);
    await expect(collect(client.iterate(HEALTH))).rejects.toBeDefined();
  });

  it('may come from a page that the configuration names, and from no other of another site', async () => {
    const origin = 'https://portal.example';
    await using served = await serveFixture({ document: { server: { secret: SECRET, cors: { origins: [origin] } } } });
    using named = createClient(served.origin, { origin });
    expect(await collect(named.iterate(HEALTH))).toHaveLength(2);
    expect(await openSocket(served.origin, { origin: 'https://elsewhere.example' })).toEqual({ status: 403 });
  });

  it('is not told of the schema where introspection is off', async () => {
    await using served = await serveFixture({ document: { server: { secret: SECRET, introspection: false } } });
    using client = createClient(served.origin);
    for (const query of ['{ __type(name: "Query") { name } }', '{ viewr { subject } }']) {
      const told: unknown = await collect(client.iterate(query)).then(
        ([result]) => result?.errors,
        (errors: unknown) => errors,
      );
      expect(told).toMatchObject([{ extensions: { code: 'BAD_USER_INPUT' } }]);
      expect(JSON.stringify(told)).not.toContain('Did you mean');
    }
  });

  it('that fails by a defect tells its request id alone, by which the log has the rest', async () => {
    const broken = () => {
      throw new TypeError('the secret cause');
    };
    await using served = await serveFixture({ viewFor: () => createFixtureView({ watchHealth: broken }) });
    using client = createClient(served.origin);
    const [result] = await collect(client.iterate(HEALTH));
    const extensions = result?.errors?.[0]?.extensions;
    expect(extensions).toMatchObject({ code: 'INTERNAL_SERVER_ERROR' });
    expect(JSON.stringify(result)).not.toContain('secret cause');
    const line = served.logLines.find(({ requestId }) => requestId === extensions?.requestId);
    expect(JSON.stringify(line)).toContain('the secret cause');
  });
});

import { createHash } from 'node:crypto';
import { request as sendRequest } from 'node:http';
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { FederationView, Freshness } from '../../src/federation/answers.ts';
import { PATIENT } from '../helpers/clock-bound.ts';
import { createFixtureView, fixtureTemplate } from './fixture-view.ts';
import { type ServedFixture, serveFixture } from './serve-fixture.ts';
import { serveRegistries, wireTemplates } from './serve-registries.ts';

const MINUTE_MS = 60_000;
const SEARCH = '{ search(query: "a") { totalCount nodes { name version title description documentation } } }';
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

interface Served extends ServedFixture {
  /** How often the federation was asked for a search. */
  countSearches(): number;
  countLookUps(): number;
}

interface ServeOptions {
  readonly freshness?: () => Partial<Freshness>;
  readonly replaced?: Partial<FederationView>;
  readonly document?: Record<string, unknown>;
}

/** A gateway whose every answer is good for a minute, and depends on the registry "official". */
async function serve({ freshness = () => ({}), replaced = {}, document = {} }: ServeOptions = {}): Promise<Served> {
  const calls: string[] = [];
  const served = await serveFixture({
    document,
    viewFor: () => {
      const sinceMs = performance.now();
      const view = createFixtureView({
        readFreshness: () => ({
          freshUntilMs: Date.now() + MINUTE_MS,
          registryNames: new Set(['official']),
          sinceMs,
          ...freshness(),
        }),
        ...replaced,
      });
      const push = view.calls.push.bind(view.calls);
      view.calls.push = (...names: string[]) => {
        calls.push(...names);
        return push(...names);
      };
      return view;
    },
  });
  const countCalls = (name: string) => calls.filter((each) => each === name).length;
  return {
    ...served,
    countSearches: () => countCalls('search'),
    countLookUps: () => countCalls('lookUpTemplate'),
    [Symbol.asyncDispose]: () => served[Symbol.asyncDispose](),
  };
}

/** Sends bytes as they are, and gives them as they come: fetch would decode them. */
function send(
  origin: string,
  { method = 'POST', path = '/graphql', body = '', headers = {} as Record<string, string> },
): Promise<{ status: number; headers: Record<string, unknown>; bytes: Buffer }> {
  return new Promise((resolve, reject) => {
    const type = method === 'POST' ? { 'content-type': 'application/json' } : {};
    const request = sendRequest(`${origin}${path}`, { method, headers: { ...type, ...headers } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, bytes: Buffer.concat(chunks) }),
      );
    });
    request.on('error', reject).end(body);
  });
}

const post = (origin: string, query: string, headers: Record<string, string> = {}) =>
  send(origin, { body: JSON.stringify({ query }), headers });

afterEach(() => vi.useRealTimers());

describe('a finished answer', () => {
  it('is kept when it is asked for the second time, and given from then on', async () => {
    await using served = await serve();
    const answers = [];
    for (let time = 0; time < 4; time += 1) answers.push(await post(served.origin, SEARCH));
    expect(served.countSearches()).toBe(2);
    expect(new Set(answers.map(({ bytes }) => bytes.toString())).size).toBe(1);
  });

  it('has the headers of one that was just made, and an id of its own', async () => {
    await using served = await serve();
    const [first, , third, fourth] = [
      await post(served.origin, SEARCH),
      await post(served.origin, SEARCH),
      await post(served.origin, SEARCH),
      await post(served.origin, SEARCH, { 'x-request-id': 'mine' }),
    ];
    const ofAll = ({
      etag: _,
      date: __,
      'x-request-id': ___,
      'cache-control': ____,
      ...rest
    }: Record<string, unknown>) => rest;
    expect(ofAll(third.headers)).toEqual(ofAll(first.headers));
    expect(third.headers['x-request-id']).not.toBe(first.headers['x-request-id']);
    expect(fourth.headers['x-request-id']).toBe('mine');
    expect(Number(third.headers['x-graphql-cost'])).toBeGreaterThan(0);
    expect(third.headers['content-length']).toBe(String(third.bytes.byteLength));
  });

  it.each([
    { which: 'short', letters: 10 },
    { which: 'just short enough to go out in one piece', letters: 7_400 },
    { which: 'long', letters: 30_000 },
  ])('has the same bytes each time, $which and beyond ASCII', async ({ letters }) => {
    const template = fixtureTemplate({ name: 'org/base', description: `${'\u00e9'.repeat(letters)} \u6f22 \u{1f9ec}` });
    await using served = await serve({ replaced: { lookUpTemplate: async () => template } });
    const answers = [];
    for (let time = 0; time < 4; time += 1)
      answers.push(await post(served.origin, '{ template(name: "org/base") { description } }'));
    const [first, ...others] = answers;
    expect(JSON.parse(String(first?.bytes)).data.template.description).toBe(template.description);
    for (const { bytes, headers } of others) {
      expect(bytes.equals(first?.bytes ?? Buffer.alloc(0))).toBe(true);
      expect(headers['content-length']).toBe(String(bytes.byteLength));
    }
  });

  it('is not given to a request of the same length that asks for something else', async () => {
    await using served = await serve();
    const queryOf = (name: string) => `{ template(name: "org/base") { ${name}: name } }`;
    const names = ['one', 'two', 'six', 'ten'];
    for (let time = 0; time < 4; time += 1) {
      for (const name of names) {
        const { bytes } = await post(served.origin, queryOf(name));
        expect(JSON.parse(String(bytes))).toEqual({ data: { template: { [name]: 'org/base' } } });
      }
    }
    expect(served.countLookUps()).toBe(2 * names.length);
  });

  it('serves equal requests that are written differently', async () => {
    await using served = await serve();
    const query = 'query S($q: String, $n: Int) { search(query: $q, first: $n) { totalCount } }';
    const bodies = [
      { query, variables: { q: 'a', n: 2 } },
      { query, variables: { n: 2, q: 'a' } },
      { variables: { n: 2, q: 'a' }, operationName: '', query, extensions: {} },
    ];
    for (const body of bodies) await send(served.origin, { body: JSON.stringify(body, null, 1) });
    expect(served.countSearches()).toBe(2);
    const other = JSON.stringify({ query, variables: { q: 'b', n: 2 } });
    await send(served.origin, { body: other });
    expect(served.countSearches()).toBe(3);
  });

  it.each([
    ['a time that was taken', '{ search { tookMs } }'],
    ['what the cache did', '{ search { registries { cache } } }'],
    ['health', '{ search { registries { registry { health { status } } } } }'],
    ['a filter by health', '{ search { totalCount } registries(statuses: [UP]) { name } }'],
    ['metrics', '{ search { totalCount } gateway { metrics { searches } } }'],
    ['who asks', '{ search { totalCount } viewer { subject } }'],
    ['a live field that is skipped', '{ search { totalCount tookMs @skip(if: true) } }'],
    [
      'a live field in a fragment',
      'fragment F on TemplateConnection { ...G } fragment G on TemplateConnection { tookMs } { search { ...F } }',
    ],
  ])('is not kept with %s', async (_, query) => {
    await using served = await serve();
    for (let time = 0; time < 3; time += 1) {
      const { headers } = await post(served.origin, query);
      expect(headers['cache-control']).toBe('no-store');
      expect(headers.etag).toBeUndefined();
    }
    expect(served.countSearches()).toBe(3);
  });

  it('is not kept when a part of it may differ at once', async () => {
    await using served = await serve({ freshness: () => ({ freshUntilMs: 0 }) });
    for (let time = 0; time < 3; time += 1) {
      expect((await post(served.origin, SEARCH)).headers['cache-control']).toBe('no-store');
    }
    expect(served.countSearches()).toBe(3);
  });

  it('is not kept when it has an error', async () => {
    await using served = await serve();
    const query = '{ search { totalCount } registry(name: "nobody") { name } }';
    for (let time = 0; time < 3; time += 1) {
      expect((await post(served.origin, query)).headers['cache-control']).toBe('no-store');
    }
    expect(served.countSearches()).toBe(3);
  });

  it('is given as long as its parts are fresh, and says for how long', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    const freshUntilMs = Date.now() + MINUTE_MS;
    await using served = await serve({ freshness: () => ({ freshUntilMs }) });
    await post(served.origin, SEARCH);
    await post(served.origin, SEARCH);
    vi.setSystemTime(freshUntilMs - 20_500);
    expect((await post(served.origin, SEARCH)).headers['cache-control']).toBe('public, max-age=20');
    vi.setSystemTime(freshUntilMs - 1);
    await post(served.origin, SEARCH);
    expect(served.countSearches()).toBe(2);
    vi.setSystemTime(freshUntilMs);
    await post(served.origin, SEARCH);
    expect(served.countSearches()).toBe(3);
  });

  it('counts in usage like one that was made', async () => {
    await using served = await serve();
    const query = '{ search { totalCount } template(name: "org/base") { name } }';
    for (let time = 0; time < 5; time += 1) await post(served.origin, query);
    expect(served.countSearches()).toBe(2);
    const { data } = await served.ask('{ gateway { metrics { searches popularTemplates { name views } } } }');
    expect(data).toEqual({
      gateway: { metrics: { searches: 5, popularTemplates: [{ name: 'org/base', views: 5 }] } },
    });
  });

  it('closes the connection behind it when the gateway drains', async () => {
    await using served = await serve();
    for (let time = 0; time < 2; time += 1) await post(served.origin, SEARCH);
    served.startDraining();
    expect((await post(served.origin, SEARCH)).headers.connection).toBe('close');
    expect(served.countSearches()).toBe(2);
  });

  it('is kept nowhere when that is turned off', async () => {
    await using served = await serve({ document: { server: { cache: { responses: 'off' } } } });
    for (let time = 0; time < 3; time += 1) {
      expect((await post(served.origin, SEARCH)).headers['cache-control']).toBe('no-store');
    }
    expect(served.countSearches()).toBe(3);
  });

  it('does not make up for what is wrong with a request as HTTP', async () => {
    await using served = await serve();
    const body = JSON.stringify({ query: SEARCH });
    const path = `/graphql?query=${encodeURIComponent(SEARCH)}`;
    for (let time = 0; time < 3; time += 1) {
      await send(served.origin, { body });
      await send(served.origin, { method: 'GET', path });
    }
    expect(served.countSearches()).toBe(2);
    expect((await send(served.origin, { body, headers: { 'content-type': 'text/plain' } })).status).toBe(415);
    expect((await send(served.origin, { body, headers: { accept: 'text/html' } })).status).toBe(406);
    expect(
      (await send(served.origin, { method: 'GET', path, headers: { 'sec-fetch-site': 'cross-site' } })).status,
    ).toBe(403);
    expect((await send(served.origin, { body, headers: { 'x-api-key': 'unknown' } })).status).toBe(401);
    expect((await send(served.origin, { method: 'PUT', body })).status).toBe(405);
  });

  it('names the address by which its own client came', async () => {
    await using served = await serve();
    const query = '{ template(name: "org/base") { content { url } } }';
    const urls = [];
    for (const host of ['one.example', 'one.example', 'one.example', 'two.example', 'one.example']) {
      const { bytes } = await post(served.origin, query, { host });
      urls.push(/https?:\/\/([^/]+)/.exec(bytes.toString())?.[1]);
    }
    expect(urls).toEqual(['one.example', 'one.example', 'one.example', 'two.example', 'one.example']);
    expect(served.countLookUps()).toBe(3);
  });
});

describe('invalidation', () => {
  it.each([
    ['of its registry', { registry: 'official' }, 3],
    ['of everything', {}, 3],
    ['of all finished answers', { layer: 'RESPONSE' }, 3],
    ['of another registry', { registry: 'community' }, 2],
  ] as const)('%s', async (_, invalidation, searches) => {
    await using served = await serve();
    for (let time = 0; time < 2; time += 1) await post(served.origin, SEARCH);
    served.invalidate(invalidation);
    await post(served.origin, SEARCH);
    expect(served.countSearches()).toBe(searches);
  });

  it('keeps nothing that was begun before it', async () => {
    let invalidate = () => {};
    await using served = await serve({
      freshness: () => {
        invalidate();
        return {};
      },
    });
    invalidate = () => served.invalidate({ registry: 'official' });
    for (let time = 0; time < 3; time += 1) {
      expect((await post(served.origin, SEARCH)).headers['cache-control']).toBe('no-store');
    }
    invalidate = () => {};
    for (let time = 0; time < 3; time += 1) await post(served.origin, SEARCH);
    expect(served.countSearches()).toBe(4);
  });
});

describe('what an admin forgets', () => {
  it('is in no finished answer any more', async () => {
    await using served = await serveRegistries({
      catalogs: { one: wireTemplates('one', 2), two: wireTemplates('two', 2) },
      auth: { apiKeys: [{ id: 'admin', sha256: sha256('key-of-the-admin'), roles: ['admin'] }] },
    });
    const query = '{ search(query: "template", collapse: false) { nodes { name } } }';
    for (let time = 0; time < 3; time += 1) await served.ask(query);
    const kept = await post(served.origin, query);
    expect(kept.headers.etag).toBeDefined();
    served.forgetArrivals();
    const forget = 'mutation { invalidateCache(input: { registry: "one" }) { removed } }';
    const { errors } = await served.ask(forget, {}, { 'x-api-key': 'key-of-the-admin' });
    expect(errors).toEqual([]);
    const made = await post(served.origin, query);
    expect(made.bytes.toString()).toBe(kept.bytes.toString());
    expect(served.registries.map(({ requests }) => requests.length > 0)).toEqual([true, false]);
  });
});

describe('equal requests at once', () => {
  it('are executed once and counted each', async () => {
    let release = () => {};
    const gate = new Promise<void>((resolve) => {
      release = resolve;
    });
    let arrived = 0;
    const view = createFixtureView();
    await using served = await serve({
      replaced: {
        lookUpTemplate: async (...given) => {
          arrived += 1;
          await gate;
          return view.lookUpTemplate(...given);
        },
      },
    });
    const query = '{ template(name: "org/base") { name } }';
    const running = Array.from({ length: 20 }, () => post(served.origin, query));
    // Behind them on the same thread: when it is answered they have all arrived.
    await vi.waitUntil(() => arrived > 0, PATIENT);
    await served.ask('{ __typename }');
    release();
    const answers = await Promise.all(running);
    expect(arrived).toBe(1);
    expect(new Set(answers.map(({ bytes }) => bytes.toString()))).toEqual(
      new Set(['{"data":{"template":{"name":"org/base"}}}\n']),
    );
    const { data } = await served.ask('{ gateway { metrics { popularTemplates { views } } } }');
    expect(data).toEqual({ gateway: { metrics: { popularTemplates: [{ views: 20 }] } } });
  });
});

describe('an answer as HTTP has it', () => {
  // More than a kilobyte of them.
  const fields = Array.from({ length: 40 }, (_, index) => `d${index}: description`).join(' ');
  const path = `/graphql?query=${encodeURIComponent(`{ search(query: "a") { nodes { ${fields} } } }`)}`;
  const get = (origin: string, headers: Record<string, string> = {}) => send(origin, { method: 'GET', path, headers });

  it('is not sent again to a client that has it', async () => {
    await using served = await serve();
    await get(served.origin);
    await get(served.origin);
    const { headers } = await get(served.origin);
    const etag = String(headers.etag);
    expect(etag).toMatch(/^"[\w-]{43}"$/);
    const again = await get(served.origin, { 'if-none-match': `"other", W/${etag}` });
    expect(again).toMatchObject({ status: 304, bytes: Buffer.alloc(0) });
    expect(again.headers).toMatchObject({ etag, vary: 'Accept, Accept-Encoding, Authorization, X-API-Key' });
    expect(again.headers['content-type']).toBeUndefined();
    expect((await get(served.origin, { 'if-none-match': '"other"' })).status).toBe(200);
    // The tag is of the bytes: whoever makes them anew may find that the client has them.
    await using other = await serve();
    expect((await get(other.origin, { 'if-none-match': etag })).status).toBe(304);
  });

  it.each([
    ['br', brotliDecompressSync],
    ['gzip', gunzipSync],
    ['zstd', zstdDecompressSync],
  ] as const)('comes as %s once that was made', async (coding, decode) => {
    await using served = await serve();
    const plain = await get(served.origin);
    const headers = { 'accept-encoding': `${coding}, identity;q=0.5` };
    const encoded = await vi.waitUntil(async () => {
      const answer = await get(served.origin, headers);
      return answer.headers['content-encoding'] === coding ? answer : null;
    }, PATIENT);
    expect(decode(encoded.bytes).toString()).toBe(plain.bytes.toString());
    expect(encoded.bytes.byteLength).toBeLessThan(plain.bytes.byteLength);
    const identity = await get(served.origin);
    expect(identity.headers['content-encoding']).toBeUndefined();
    expect(identity.headers.etag).not.toBe(encoded.headers.etag);
    const refused = await get(served.origin, { 'accept-encoding': `${coding};q=0` });
    expect(refused.headers['content-encoding']).toBeUndefined();
    const known = await get(served.origin, { ...headers, 'if-none-match': String(encoded.headers.etag) });
    expect(known.status).toBe(304);
  });

  it('says what it cost in a header, and within only when it is asked to', async () => {
    await using served = await serve();
    for (let time = 0; time < 3; time += 1) {
      const plain = await post(served.origin, SEARCH);
      const told = await send(served.origin, { body: JSON.stringify({ query: SEARCH, extensions: { cost: true } }) });
      const requested = Number(told.headers['x-graphql-cost']);
      expect(requested).toBeGreaterThan(0);
      expect(JSON.parse(plain.bytes.toString()).extensions).toBeUndefined();
      expect(JSON.parse(told.bytes.toString())).toMatchObject({ data: {}, extensions: { cost: { requested } } });
    }
    // What is left to a caller is another number each time: those that ask for it are executed, the others but twice.
    expect(served.countSearches()).toBe(5);
  });
});

describe('a document that is named by its hash', () => {
  const named = (hash: string) => ({ persistedQuery: { version: 1, sha256Hash: hash } });
  const getBy = (origin: string, parameters: Record<string, string>) =>
    send(origin, { method: 'GET', path: `/graphql?${new URLSearchParams(parameters)}` });

  it('is not found before it was sent, and found from then on', async () => {
    await using served = await serve();
    const extensions = JSON.stringify(named(sha256(SEARCH)));
    const missing = await getBy(served.origin, { extensions });
    expect(missing.headers['cache-control']).toBe('no-store');
    expect(JSON.parse(missing.bytes.toString()).errors).toMatchObject([
      { message: 'PersistedQueryNotFound', extensions: { code: 'PERSISTED_QUERY_NOT_FOUND' } },
    ]);
    await getBy(served.origin, { query: SEARCH, extensions });
    const found = await getBy(served.origin, { extensions });
    expect(JSON.parse(found.bytes.toString()).data.search.totalCount).toBe(3);
    expect(found.headers['cache-control']).toMatch(/^public, max-age=\d+$/);
    const byId = await getBy(served.origin, { documentId: `sha256:${sha256(SEARCH)}` });
    expect(byId.bytes.toString()).toBe(found.bytes.toString());
    expect(served.countSearches()).toBe(2);
  });

  it('is refused under a hash of something else', async () => {
    await using served = await serve();
    const body = JSON.stringify({ query: SEARCH, extensions: named(sha256('something else')) });
    const { bytes } = await send(served.origin, { body });
    expect(JSON.parse(bytes.toString()).errors[0].extensions).toEqual({
      code: 'BAD_USER_INPUT',
      field: 'extensions.persistedQuery.sha256Hash',
    });
  });

  it('is not remembered when it does not pass the checks', async () => {
    await using served = await serve();
    const tooDeep = `{ node(id: "a") { ${'... on Template { parent { '.repeat(20)} id ${'} } '.repeat(20)} } }`;
    const extensions = named(sha256(tooDeep));
    await send(served.origin, { body: JSON.stringify({ query: tooDeep, extensions }) });
    const { bytes } = await send(served.origin, { body: JSON.stringify({ extensions }) });
    expect(JSON.parse(bytes.toString()).errors[0].extensions.code).toBe('PERSISTED_QUERY_NOT_FOUND');
  });
});

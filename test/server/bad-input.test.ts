import { once } from 'node:events';
import { connect } from 'node:net';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import { type ServedRegistries, serveRegistries, wireTemplates } from './serve-registries.ts';

let served: ServedRegistries;
beforeAll(async () => {
  served = await serveRegistries({
    catalogs: { official: wireTemplates('one', 5), community: wireTemplates('two', 5) },
    // A check of their health is no call for a request.
    settings: { official: { health: { interval: '1h' } }, community: { health: { interval: '1h' } } },
    server: {
      secret: 'for tests alone: 0123456789abcdef0123456789abcdef',
      limits: { depth: 12, cost: 5000, bodyBytes: '1mb' },
    },
  });
  // The first answer of a process compiles what the others reuse; the promise is about the others.
  await served.ask('query Warm($n: Int) { search(first: $n) { nodes { name } } }', { n: 0 });
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
});
beforeEach(() => {
  served.forgetArrivals();
});

/** What is promised for a refusal. */
const PROMISED_MS = 50;

/**
 * No registry is asked, and the answer comes in time. The quickest of eight counts: what a neighbour on this machine takes
 * away for a moment is not the gateway's delay.
 */
async function expectRefusal(send: () => Promise<unknown>): Promise<void> {
  let quickestMs = Number.POSITIVE_INFINITY;
  for (let attempt = 0; attempt < 8 && quickestMs >= PROMISED_MS; attempt += 1) {
    const startedMs = performance.now();
    await send();
    quickestMs = Math.min(quickestMs, performance.now() - startedMs);
  }
  expect(served.countArrivals()).toBe(0);
  expect(quickestMs).toBeLessThan(PROMISED_MS);
}

const SEARCH =
  'query Search($query: String, $filter: TemplateFilter, $orderBy: TemplateOrder, $first: Int, $after: String, $last: Int, ' +
  '$before: String, $require: [String!], $timeoutMs: Int) { search(query: $query, filter: $filter, orderBy: $orderBy, ' +
  'first: $first, after: $after, last: $last, before: $before, require: $require, timeoutMs: $timeoutMs) { nodes { name } } }';

const BAD_ARGUMENTS: readonly [string, Record<string, unknown>, string][] = [
  ['first: 0', { first: 0 }, 'first'],
  ['a negative first', { first: -1 }, 'first'],
  ['first over the largest page', { first: 101 }, 'first'],
  ['last: 0', { last: 0 }, 'last'],
  ['a negative last', { last: -5 }, 'last'],
  ['last over the largest page', { last: 101 }, 'last'],
  ['first together with last', { first: 1, last: 1 }, 'last'],
  ['after together with before', { after: 'a', before: 'b' }, 'before'],
  ['after together with last', { after: 'a', last: 1 }, 'after'],
  ['before together with first', { before: 'a', first: 1 }, 'before'],
  ['a query of 1001 characters', { query: 'x'.repeat(1001) }, 'query'],
  ['a query of 100 kB', { query: 'x'.repeat(100_000) }, 'query'],
  ['a query of 100 kB beyond U+FFFF', { query: '🧬'.repeat(25_000) }, 'query'],
  ['a query with a control character', { query: 'a\u0000b' }, 'query'],
  ['a query with an escape sequence', { query: '\u001b[31mred' }, 'query'],
  ['a query with half a character', { query: 'a\ud800' }, 'query'],
  ['an empty filter list', { filter: { categories: [] } }, 'filter.categories'],
  ['an empty list of enum values', { filter: { complexity: [] } }, 'filter.complexity'],
  ['an empty filter value', { filter: { keywords: [''] } }, 'filter.keywords'],
  ['a filter value of 100 kB', { filter: { licenses: ['x'.repeat(100_000)] } }, 'filter.licenses'],
  ['a filter value with a line break', { filter: { domains: ['a\r\nb'] } }, 'filter.domains'],
  ['101 filter values', { filter: { domains: Array.from({ length: 101 }, String) } }, 'filter.domains'],
  ['a rating below 0', { filter: { minRating: -0.1 } }, 'filter.minRating'],
  ['a rating above 5', { filter: { minRating: 5.1 } }, 'filter.minRating'],
  ['an unknown registry in the filter', { filter: { registries: ['oficial'] } }, 'filter.registries'],
  ['an unknown registry in require', { require: ['nobody'] }, 'require'],
  ['RELEVANCE ASC', { query: 'x', orderBy: { field: 'RELEVANCE', direction: 'ASC' } }, 'orderBy.direction'],
  ['too short a timeout', { timeoutMs: 49 }, 'timeoutMs'],
  ['too long a timeout', { timeoutMs: 30_001 }, 'timeoutMs'],
  ['a first that is no number', { first: 'many' }, 'variables.first'],
  ['a first beyond 32 bits', { first: 2 ** 40 }, 'variables.first'],
  ['an order that does not exist', { orderBy: { field: 'COLOUR' } }, 'variables.orderBy'],
  ['a filter that does not exist', { filter: { colour: ['red'] } }, 'variables.filter'],
  ['a time that is none', { filter: { updatedSince: '2026-02-30T00:00:00Z' } }, 'variables.filter'],
  ['a time without an offset', { filter: { updatedSince: '2026-02-03T00:00:00' } }, 'variables.filter'],
  [
    '100,000 values that are none',
    { filter: { categories: Array.from({ length: 100_000 }, () => 1) } },
    'variables.filter',
  ],
];

describe('an argument that cannot be served', CLOCK_BOUND, () => {
  it.each(BAD_ARGUMENTS)('%s is BAD_USER_INPUT, at once and without a call', async (_, variables, field) => {
    await expectRefusal(async () => {
      const { errors, text } = await served.ask(SEARCH, variables);
      expect(errors.map(({ extensions }) => extensions)).toContainEqual({ code: 'BAD_USER_INPUT', field });
      expect(text.length).toBeLessThan(60_000);
    });
  });

  it('names the nearest registries for one that is unknown', async () => {
    const { errors } = await served.ask('{ registry(name: "oficial") { name } }');
    expect(errors[0]?.message).toContain('"official"');
    expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'name' });
  });

  it('a cursor that this gateway never gave is BAD_CURSOR', async () => {
    await expectRefusal(async () => {
      const { errors } = await served.ask(SEARCH, { first: 1, after: 'bm9uc2Vuc2U' });
      expect(errors[0]?.extensions).toEqual({ code: 'BAD_CURSOR', field: 'after' });
    });
  });

  it.each([
    ['{ node(id: "nonsense") { id } }', 'id'],
    [`{ node(id: "${Buffer.from('["T","official","one-00","1.0.0"] ').toString('base64url')}") { id } }`, 'id'],
    [`{ nodes(ids: ${JSON.stringify(Array.from({ length: 101 }, () => 'x'))}) { id } }`, 'ids'],
    ['{ template(name: "") { id } }', 'name'],
    ['{ template(name: "a\\u0007b") { id } }', 'name'],
    ['{ template(name: "one-00", version: "") { id } }', 'version'],
    ['{ template(name: "one-00", registry: "nobody") { id } }', 'registry'],
    ['{ categories(registries: []) { name } }', 'registries'],
    ['{ registries(types: []) { name } }', 'types'],
    ['{ gateway { metrics { popularTemplates(first: 0) { name } } } }', 'first'],
  ])('%s is BAD_USER_INPUT at "%s"', async (query, field) => {
    await expectRefusal(async () => {
      const { errors } = await served.ask(query);
      expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field });
    });
  });
});

const deep = (depth: number) => `{ template(name: "a") { ${'parent { '.repeat(depth)} name ${'} '.repeat(depth)} } }`;
const doubling = Array.from(
  { length: 40 },
  (_, index) => `fragment f${index} on Template { a: parent { ...f${index + 1} } b: parent { ...f${index + 1} } }`,
);

const COMPLEX_DOCUMENTS: readonly [string, string][] = [
  ['13 fields deep', deep(12)],
  ['5,000 fields deep', deep(5000)],
  ['5,000 fields wide', `{ search { nodes { ${'name '.repeat(5000)} } } }`],
  [
    '10,000 aliases wide',
    `{ ${Array.from({ length: 10_000 }, (_, index) => `a${index}: search { totalCount }`).join(' ')} }`,
  ],
  [
    '101 aliases wide',
    `{ search { nodes { ${Array.from({ length: 101 }, (_, index) => `a${index}: name`).join(' ')} } } }`,
  ],
  ['51 root fields wide', `{ ${Array.from({ length: 51 }, (_, index) => `a${index}: viewer { subject }`).join(' ')} }`],
  ['of 1,000 directives', `{ search { nodes { name ${'@include(if: true) '.repeat(1000)} } } }`],
  [
    'of doubling fragments',
    `{ template(name: "a") { ...f0 } } ${doubling.join(' ')} fragment f40 on Template { name }`,
  ],
  [
    'of a list within lists',
    `{ search(filter: { categories: ${'['.repeat(2000)}${']'.repeat(2000)} }) { totalCount } }`,
  ],
  ['of 100 kB of arguments', `{ search(require: [${'"a" '.repeat(25_000)}]) { totalCount } }`],
  [
    'that multiplies pages',
    '{ search(first: 100) { nodes { alternatives(first: 20) { alternatives(first: 20) { name } } } } }',
  ],
  [
    'that looks up what hangs on a whole page',
    '{ search(first: 100) { nodes { dependencies { template { sources { version } } } } } }',
  ],
  [
    'of introspection within introspection',
    `{ __schema { types { ${'ofType: fields { type { '.repeat(12)} name ${'} } '.repeat(12)} } } }`,
  ],
];

describe('a document that is too complex', CLOCK_BOUND, () => {
  it.each(COMPLEX_DOCUMENTS)('one %s is QUERY_TOO_COMPLEX, at once and without a call', async (_, query) => {
    await expectRefusal(async () => {
      const { errors, text } = await served.ask(query);
      expect(errors.map(({ extensions }) => extensions.code)).toEqual(['QUERY_TOO_COMPLEX']);
      expect(text.length).toBeLessThan(1000);
    });
  });

  it('counts the page size that comes as a variable', async () => {
    const query =
      'query Q($n: Int) { search(first: $n) { nodes { sources { version } alternatives(first: 20) { parent { name } } } } }';
    expect((await served.ask(query, { n: 10 })).errors).toEqual([]);
    const { errors } = await served.ask(query, { n: 100 });
    expect(errors[0]?.extensions.code).toBe('QUERY_TOO_COMPLEX');
  });

  it('leaves a page size beyond the largest to the argument, whatever hangs on it', async () => {
    const query = '{ search(first: 1000000) { nodes { sources { version } alternatives { name } } } }';
    expect((await served.ask(query)).errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'first' });
  });

  it.each([
    [
      'a circle of fragments',
      '{ template(name: "a") { ...f } } fragment f on Template { ...g } fragment g on Template { parent { ...f } }',
    ],
    ['a fragment that spreads itself', '{ template(name: "a") { ...f } } fragment f on Template { ...f }'],
    ['a field that does not exist', '{ colour }'],
    ['no GraphQL', '{ search('],
    ['an unfinished string of 100 kB', `{ search(query: "${'x'.repeat(100_000)}) { totalCount } }`],
    ['a mutation', 'mutation { publish }'],
    ['a subscription', 'subscription { searchProgress { answered } }'],
  ])('%s is BAD_USER_INPUT, at once and without a call', async (_, query) => {
    await expectRefusal(async () => {
      const { errors } = await served.ask(query);
      expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'query' });
    });
  });

  it("lets GraphiQL's introspection and a rich page pass", async () => {
    // By a gateway of its own: what it asks for behind an answer is no call of the next test.
    await using own = await serveRegistries({ catalogs: { official: wireTemplates('one', 5) } });
    const { getIntrospectionQuery } = await import('graphql');
    const introspection = getIntrospectionQuery({
      inputValueDeprecation: true,
      specifiedByUrl: true,
      schemaDescription: true,
    });
    expect((await own.ask(introspection)).errors).toEqual([]);
    const rich =
      '{ search(first: 100) { edges { cursor score node { id name title category tags registry { name } sources { version ' +
      'registry { name } } popularity { value } badges { label } securityScan { status findings { title } } } } ' +
      'facets { field values { value count } } registries { registry { name } outcome error { message } } } }';
    expect((await own.ask(rich)).errors).toEqual([]);
  });
});

const ACCEPTED = { 'content-type': 'application/json', accept: 'application/graphql-response+json' };

async function send(
  init: RequestInit,
  search = '',
): Promise<{ status: number; headers: Headers; extensions: unknown }> {
  const response = await fetch(`${served.origin}/graphql${search}`, init);
  const { errors } = JSON.parse(await response.text());
  return { status: response.status, headers: response.headers, extensions: errors[0].extensions };
}

describe('a request that is wrong as HTTP', CLOCK_BOUND, () => {
  it.each([
    ['a body that is not JSON', { body: '{"query":' }, 400, 'body'],
    ['an empty body', { body: '' }, 400, 'body'],
    ['a batch', { body: '[{"query":"{ viewer { subject } }"}]' }, 400, 'body'],
    ['a JSON text', { body: '"{ viewer { subject } }"' }, 400, 'body'],
    ['a body without a query', { body: '{"variables":{}}' }, 400, 'query'],
    ['variables that are a list', { body: '{"query":"{ viewer { subject } }","variables":[]}' }, 400, 'variables'],
    ['a body that is not UTF-8', { body: new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]) }, 400, 'body'],
    ['a body over the limit', { body: JSON.stringify({ query: ' '.repeat(1_100_000) }) }, 413, 'body'],
    [
      'a form',
      { headers: { 'content-type': 'application/x-www-form-urlencoded' }, body: 'query={viewer{subject}}' },
      415,
      'content-type',
    ],
    ['plain text', { headers: { 'content-type': 'text/plain' }, body: '{}' }, 415, 'content-type'],
    [
      'another charset',
      { headers: { 'content-type': 'application/json; charset=utf-16' }, body: '{}' },
      415,
      'content-type',
    ],
    [
      'a compressed body',
      { headers: { ...ACCEPTED, 'content-encoding': 'gzip' }, body: '{}' },
      415,
      'content-encoding',
    ],
    ['an answer that cannot be given', { headers: { ...ACCEPTED, accept: 'text/html' }, body: '{}' }, 406, 'accept'],
    ['another method', { method: 'PUT', body: '{}' }, 405, 'method'],
  ] as const)('%s gets its status and BAD_USER_INPUT, without a call', async (_, init, status, field) => {
    await expectRefusal(async () => {
      const answer = await send({ method: 'POST', headers: ACCEPTED, ...init });
      expect(answer.status).toBe(status);
      expect(answer.extensions).toEqual({ code: 'BAD_USER_INPUT', field });
      if (status === 405) expect(answer.headers.get('allow')).toBe('GET, POST');
    });
  });

  it('a body whose length is not told is cut off at the limit, and the connection still answers', async () => {
    const body = new ReadableStream({
      start(controller) {
        for (let index = 0; index < 20; index += 1) controller.enqueue(new Uint8Array(100_000));
        controller.close();
      },
    });
    const init = { method: 'POST', headers: ACCEPTED, body, duplex: 'half' } as const;
    expect((await send(init)).status).toBe(413);
  });

  it('a GET with a mutation is refused as a method', async () => {
    const query = encodeURIComponent('mutation { publish }');
    const answer = await send({ headers: { accept: ACCEPTED.accept } }, `?query=${query}`);
    expect([answer.status, answer.headers.get('allow')]).toEqual([405, 'POST']);
  });

  it('a GET that a page of another site makes is refused', async () => {
    const answer = await send(
      { headers: { 'sec-fetch-site': 'cross-site', 'sec-fetch-mode': 'no-cors' } },
      '?query={__typename}',
    );
    expect(answer.status).toBe(403);
  });

  it('a client that leaves in the middle of its body harms nobody', async () => {
    const { hostname, port } = new URL(served.origin);
    const socket = connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(
      'POST /graphql HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"query"',
    );
    socket.destroy();
    await once(socket, 'close');
    expect((await served.ask('{ viewer { authenticated } }')).data).toEqual({ viewer: { authenticated: false } });
  });
});

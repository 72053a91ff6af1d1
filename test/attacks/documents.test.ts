/** Documents and bodies that are made to cost: refused at once, and no registry is called for any of them. */
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CLOCK_BOUND, PATIENT } from '../helpers/clock-bound.ts';
import { type ServedRegistries, serveRegistries, wireTemplates } from '../server/serve-registries.ts';

/** Generous for a busy machine, and for the sending of a megabyte; none takes more than some ten milliseconds of work. */
const AT_ONCE_MS = 1500;

let served: ServedRegistries;

beforeAll(async () => {
  const catalogs = { official: wireTemplates('official', 5), other: wireTemplates('other', 5) };
  // No check of their health comes meanwhile: what arrives is an attack's.
  const settings = { official: { health: { interval: '1h' } }, other: { health: { interval: '1h' } } };
  served = await serveRegistries({ catalogs, settings });
  await vi.waitFor(async () => expect((await fetch(`${served.origin}/readyz`)).status).toBe(200), PATIENT);
});
afterAll(() => served[Symbol.asyncDispose]());

const times = (count: number, make: (index: number) => string) =>
  Array.from({ length: count }, (_, at) => make(at)).join(' ');
const nest = (depth: number, open: string, inner: string, close = '}') =>
  open.repeat(depth) + inner + close.repeat(depth);
const SEARCH = 'search(query: "a", first: 100) { nodes { name } }';

/** Each level spreads the one below twice: 2^levels fields, were it written out. */
const doubling = (levels: number) =>
  `{ ...f0 } ${times(levels, (at) => `fragment f${at} on Query { ...f${at + 1} ...on Query { ...f${at + 1} } }`)} fragment f${levels} on Query { ${SEARCH} }`;
const doublingByFields = (levels: number) =>
  `{ template(name: "a") { ...f0 } } ${times(levels, (at) => `fragment f${at} on Template { a: parent { ...f${at + 1} } b: parent { ...f${at + 1} } }`)} fragment f${levels} on Template { name }`;

const DOCUMENTS: Readonly<Record<string, string>> = {
  'parents of parents, twenty deep': `{ template(name: "a") { ${nest(20, 'parent {', 'name')} } }`,
  'parents of parents, ten thousand deep': `{ template(name: "a") { ${nest(10_000, 'parent {', 'name')} } }`,
  'brackets, a hundred thousand': '{'.repeat(100_000),
  'lists within lists in an argument': `{ nodes(ids: ${'['.repeat(5000)}"a"${']'.repeat(5000)}) { id } }`,
  'objects within objects in an argument': `{ search(filter: ${nest(5000, '{ a: ', '1')}) { totalCount } }`,
  'types within types of a variable': `query ($a: ${'['.repeat(5000)}Int${']'.repeat(5000)}) { search { totalCount } }`,
  'dependencies of dependencies, each with each': `{ search(first: 100) { nodes { ${nest(4, 'dependencies { template {', 'name', '} }')} } } }`,
  'searches, two hundred by alias': `{ ${times(200, (at) => `a${at}: ${SEARCH}`)} }`,
  'searches, forty by alias': `{ ${times(40, (at) => `a${at}: ${SEARCH.replace('nodes { name }', 'nodes { name parent { name } }')}`)} }`,
  'one field, two thousand times': `{ search(query: "a") { nodes { ${times(2000, () => 'name')} } } }`,
  'aliases of one field, two thousand': `{ search(query: "a") { nodes { ${times(2000, (at) => `a${at}: name`)} } } }`,
  'fields of one name with other arguments': `{ ${times(400, (at) => `search(first: ${(at % 99) + 1}) { totalCount }`)} }`,
  'fragments that spread themselves': `{ ...a } fragment a on Query { ...b } fragment b on Query { ...a ${SEARCH} }`,
  'a fragment that spreads itself': `{ ...a } fragment a on Query { ...a ${SEARCH} }`,
  'fragments that spread each other, a hundred': `{ ...f0 } ${times(100, (at) => `fragment f${at} on Query { ...f${(at + 1) % 100} ${at === 0 ? SEARCH : ''} }`)}`,
  'fragments that double by fields': doublingByFields(30),
  'fragments that nobody uses, a thousand': `{ ${SEARCH} } ${times(1000, (at) => `fragment f${at} on Query { __typename }`)}`,
  'spreads of one fragment, three thousand': `{ ${times(3000, () => '...f')} } fragment f on Query { ${SEARCH} }`,
  'directives, a thousand on a field': `{ search(query: "a") ${times(1000, () => '@include(if: true)')} { totalCount } }`,
  'directives, a thousand that nobody knows': `{ search(query: "a") ${times(1000, (at) => `@d${at}`)} { totalCount } }`,
  'directives on the operation': `query ${times(1000, (at) => `@d${at}`)} { ${SEARCH} }`,
  'directives on variables': `query (${times(200, (at) => `$v${at}: Int @d`)}) { ${SEARCH} }`,
  'variables, two thousand': `query (${times(2000, (at) => `$v${at}: Int`)}) { ${SEARCH} }`,
  'operations, a thousand': times(1000, (at) => `query q${at} { ${SEARCH} }`),
  'ids, a hundred thousand': `{ nodes(ids: [${times(100_000, (at) => `"${at}"`)}]) { id } }`,
  'names of categories, four thousand': `{ search(filter: {categories: [${times(4000, (at) => `"${at}"`)}]}) { totalCount } }`,
  'a whole number of fifty thousand digits': `{ search(first: ${'9'.repeat(50_000)}) { totalCount } }`,
  'a whole number beyond 32 bits': '{ search(first: 2147483648) { totalCount } }',
  'a number with an endless exponent': `{ search(filter: {minRating: 1e${'9'.repeat(400)}}) { totalCount } }`,
  'a page of a billion': '{ search(first: 1000000000) { nodes { name } } }',
  'a search text of a hundred thousand characters': `{ search(query: "${'a'.repeat(100_000)}") { totalCount } }`,
  'a name of a hundred thousand characters': `{ ${'a'.repeat(100_000)} }`,
  'a block text of two hundred thousand lines': `{ search(query: """a${'\n a'.repeat(200_000)}""") { totalCount } }`,
  'escapes, a hundred thousand': `{ search(query: "${'\\u0041'.repeat(100_000)}") { totalCount } }`,
  'half of a surrogate': '{ search(query: "\\uD800") { totalCount nope } }',
  'introspection within introspection': `{ __schema { types { ${nest(30, 'fields { type {', 'name', '} }')} } } }`,
  'the kinds of kinds, thirty deep': `{ __type(name: "Query") { ${nest(30, 'ofType {', 'name')} } }`,
  'the schema, sixty times': `{ ${times(60, (at) => `a${at}: __schema { types { fields { args { name } } } }`)} }`,
  'a subscription that is none': `subscription { ${SEARCH} }`,
  'definitions of types': `type Query { a: Int } { ${SEARCH} }`,
  'an extension of the schema': `extend type Query { a: Int } { ${SEARCH} }`,
  'names that look alike and are none': '{ ѕearch(query: "a") { totalCount } }',
  'the members of a prototype': '{ __proto__ constructor { name } toString }',
  'a member of a prototype as an alias': '{ __proto__: nothing }',
  'a null byte': `{ search\u0000 { totalCount } }`,
  'an end that does not come': `{ search(query: "a`,
};

/** null, or a list of nothing else. */
function isNothing(value: unknown): boolean {
  return value === null || (Array.isArray(value) && value.every(isNothing));
}

async function attack(body: string | Uint8Array, headers: Record<string, string> = {}) {
  served.forgetArrivals();
  const startedMs = performance.now();
  const response = await fetch(`${served.origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/graphql-response+json', ...headers },
    body,
  });
  const text = await response.text();
  expect(performance.now() - startedMs).toBeLessThan(AT_ONCE_MS);
  expect(served.countArrivals()).toBe(0);
  expect(text.length).toBeLessThan(20_000);
  const { data = null, errors = [] } = JSON.parse(text);
  expect(errors.length).toBeGreaterThan(0);
  const codes = errors.map(({ extensions }: { extensions: { code: string } }) => extensions.code);
  return { status: response.status, data, codes };
}

describe('a document with', () => {
  it.each(Object.entries(DOCUMENTS))('%s is refused at once, and nobody is asked', CLOCK_BOUND, async (_, query) => {
    for (let time = 0; time < 2; time += 1) {
      const { data, codes } = await attack(JSON.stringify({ query }));
      expect(Object.values(data ?? {}).every(isNothing)).toBe(true);
      for (const code of codes) expect(code).toMatch(/^(?:BAD_USER_INPUT|QUERY_TOO_COMPLEX)$/);
    }
  });

  it('fragments that double thirty times costs what is written, and is answered once', CLOCK_BOUND, async () => {
    served.forgetArrivals();
    const startedMs = performance.now();
    const { errors, data } = await served.ask(doubling(30));
    expect(performance.now() - startedMs).toBeLessThan(AT_ONCE_MS);
    if (errors.length === 0) expect(data).toMatchObject({ search: { nodes: expect.any(Array) } });
    expect(served.countArrivals()).toBeLessThanOrEqual(10);
  });
});

describe('variables with', () => {
  const IDS = 'query ($ids: [ID!]!) { nodes(ids: $ids) { id } }';
  const FILTER =
    'query ($filter: TemplateFilter, $first: Int) { search(filter: $filter, first: $first) { totalCount } }';
  it.each<[string, string, string]>([
    ['a list of two hundred thousand ids', IDS, JSON.stringify({ ids: Array.from({ length: 200_000 }, () => 'a') })],
    ['lists within lists, a hundred thousand', IDS, `{"ids":${'['.repeat(100_000)}${']'.repeat(100_000)}}`],
    ['text of a million characters', IDS, JSON.stringify({ ids: ['a'.repeat(900_000)] })],
    ['nothing for what must be there', IDS, '{"ids":null}'],
    ['objects within objects, fifty thousand', FILTER, `{"filter":${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}}`],
    [
      'a hundred thousand members',
      FILTER,
      `{"filter":{${Array.from({ length: 60_000 }, (_, at) => `"a${at}":1`).join()}}}`,
    ],
    ['a number beyond all numbers', FILTER, '{"first":1e400}'],
    ['a fraction of a row', FILTER, '{"first":1.5}'],
    ['text for a number', FILTER, '{"first":"9999999999"}'],
    ['a prototype', FILTER, '{"filter":{"__proto__":{"minRating":5}}}'],
    ['a constructor', FILTER, '{"filter":{"constructor":{"prototype":{"a":1}}}}'],
  ])('%s are refused at once, and nobody is asked', CLOCK_BOUND, async (_, query, variables) => {
    for (let time = 0; time < 2; time += 1) {
      const { codes, data } = await attack(`{"query":${JSON.stringify(query)},"variables":${variables}}`);
      expect(Object.values(data ?? {}).every(isNothing)).toBe(true);
      for (const code of codes) expect(code).toMatch(/^(?:BAD_USER_INPUT|QUERY_TOO_COMPLEX)$/);
    }
    expect(({} as Record<string, unknown>).minRating).toBeUndefined();
  });
});

describe('a body that', () => {
  const DEEP = '['.repeat(400_000) + ']'.repeat(400_000);
  const one = JSON.stringify({ query: `{ ${SEARCH} }` });
  it.each<[string, string | Uint8Array, Record<string, string>, number]>([
    ['is a batch', `[${Array.from({ length: 100 }, () => one).join()}]`, {}, 400],
    ['is a batch of one', `[${one}]`, {}, 400],
    ['is an empty batch', '[]', {}, 400],
    ['is a batch by another name', JSON.stringify({ 0: { query: `{ ${SEARCH} }` }, length: 1 }), {}, 400],
    ['is larger than it may be', JSON.stringify({ query: `{ ${SEARCH} }`, padding: 'x'.repeat(1_100_000) }), {}, 413],
    ['is brackets, half a million', '['.repeat(500_000), {}, 400],
    [
      'has lists in lists, four hundred thousand',
      `{"query":"{ ${SEARCH.replaceAll('"', "'")} }","variables":{"a":${DEEP}}}`,
      {},
      400,
    ],
    ['has objects in objects', `{"variables":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`, {}, 400],
    ['has lists in lists beside what is read', `{"query":"{ viewer { subject } }","x":${DEEP}}`, {}, 400],
    ['is no UTF-8', new Uint8Array([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d]), {}, 400],
    ['is compressed', one, { 'content-encoding': 'gzip' }, 415],
    ['is in another charset', one, { 'content-type': 'application/json; charset=utf-16' }, 415],
    ['names its document by a hash that is none', JSON.stringify({ documentId: 'sha256:../../etc/passwd' }), {}, 400],
  ])('%s is refused at once, and nobody is asked', CLOCK_BOUND, async (_, body, headers, status) => {
    expect((await attack(body, headers)).status).toBe(status);
  });
});

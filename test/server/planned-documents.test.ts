import { parse } from 'graphql';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RegistryFailure } from '../../src/domain/errors.ts';
import { createPlannedDocuments } from '../../src/server/planned-documents.ts';
import { buildGatewaySchema } from '../../src/server/schema.ts';
import type { CountedError } from '../../src/telemetry/usage-part.ts';
import { createFixtureContext, createFixtureView } from './fixture-view.ts';
import { type ServedFixture, serveFixture } from './serve-fixture.ts';

const PAGE = `query Page($query: String, $first: Int, $withIds: Boolean = true) {
  search(query: $query, first: $first) {
    nodes { id @include(if: $withIds) name ...Rest }
    pageInfo { hasNextPage endCursor }
    registries { registry { name } outcome totalCount returned error { type message } }
  }
}
fragment Rest on Template { version updatedAt downloads sources { version } }`;

const failing = {
  versionsOf: () => Promise.reject(new TypeError('a defect of ours')),
  parentOf: () => Promise.reject(new RegistryFailure('TIMEOUT', 'official')),
};

describe('a document that comes again is answered with the bytes of the first time', () => {
  let served: ServedFixture;
  beforeAll(async () => {
    served = await serveFixture({ viewFor: () => createFixtureView(failing), document: {} });
  });
  afterAll(() => served[Symbol.asyncDispose]());

  async function askRaw(body: Record<string, unknown>, accept: string) {
    const response = await fetch(`${served.origin}/graphql`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept, 'x-request-id': 'the-same' },
      body: JSON.stringify(body),
    });
    return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
  }

  it.each<[string, Record<string, unknown>]>([
    ['a page', { query: PAGE, variables: { query: 'rna', first: 2 } }],
    ['a page without variables', { query: `${PAGE} # 2` }],
    ['a page under its name', { query: `${PAGE} # 3`, operationName: 'Page', variables: { withIds: false } }],
    ['a wrong page size', { query: `${PAGE} # 4`, variables: { first: 0 } }],
    ['a wrong variable', { query: `${PAGE} # 5`, variables: { first: 'many' } }],
    ['a condition that is null', { query: `${PAGE} # 6`, variables: { withIds: null } }],
    ['a defect', { query: '{ template(name: "org/base") { name versions { version } parent { name } } }' }],
    ['a registry that fails', { query: '{ search { nodes { parent { name } version } } }' }],
    [
      'a name that is none',
      { query: 'query A { viewer { roles } } query B { viewer { groups } }', operationName: 'C' },
    ],
    ['one of two', { query: 'query A { viewer { roles } } query B { viewer { groups } }', operationName: 'B' }],
    ['no name for two', { query: 'query A { viewer { roles } } query B { viewer { groups } } # 2' }],
    ['what there is not', { query: '{ nothing }' }],
    ['no GraphQL', { query: '{ {' }],
    ['a write that there is not', { query: 'mutation { publish }' }],
    ['a write', { query: 'mutation { invalidateCache(input: {}) { removed } }' }],
    ['too much', { query: '{ search(first: 100) { nodes { alternatives(first: 20) { parent { name } } } } }' }],
    ['introspection', { query: '{ __schema { queryType { name } } __type(name: "Node") { kind } }' }],
    ['an odd name', { query: '{ viewer { __proto__: roles } }' }],
  ])('%s', async (_, body) => {
    for (const accept of ['application/json', 'application/graphql-response+json']) {
      const first = await askRaw({ ...body, query: `${body.query} # ${accept}` }, accept);
      const second = await askRaw({ ...body, query: `${body.query} # ${accept}` }, accept);
      const third = await askRaw({ ...body, query: `${body.query} # ${accept}` }, accept);
      expect(second).toEqual(first);
      expect(third).toEqual(first);
    }
  });

  it('and with the variables of this time', async () => {
    for (const variables of [
      { first: 1 },
      { first: 2 },
      { first: 3, withIds: false },
      { withIds: true },
      { first: 0 },
    ]) {
      const known = await askRaw({ query: PAGE, variables }, 'application/json');
      const fresh = await askRaw({ query: `${PAGE} # ${JSON.stringify(variables)}`, variables }, 'application/json');
      expect(known).toEqual(fresh);
    }
  });

  it('and refused when its variables make it cost too much', async () => {
    const query =
      'query ($first: Int) { search(first: $first) { nodes { alternatives(first: 20) { sources { version } } } } }';
    expect((await served.ask(query, { first: 1 })).errors).toEqual([]);
    const { status, errors } = await served.ask(query, { first: 100 });
    expect([status, errors[0]?.extensions.code]).toEqual([200, 'QUERY_TOO_COMPLEX']);
    expect((await served.ask(query, { first: 1 })).errors).toEqual([]);
  });
});

describe('what is known of documents', () => {
  const schema = buildGatewaySchema();
  const context = {
    ...createFixtureContext(),
    caller: { authenticated: false, subject: null, roles: [], groups: [] },
  };
  const make = () => {
    const counted: (readonly CountedError[])[] = [];
    const known = createPlannedDocuments({
      schema,
      window: 50,
      maxCost: 5000,
      log: pino({ level: 'silent' }),
      countOperation: (errors) => counted.push(errors),
    });
    return { known, counted };
  };

  it('is nothing before a document was found valid', async () => {
    const { known, counted } = make();
    const query = '{ viewer { authenticated } }';
    expect(await known.execute({ query }, context)).toBeNull();
    known.learn(query, parse(query));
    expect(await known.execute({ query }, context)).toBe('{"data":{"viewer":{"authenticated":false}}}\n');
    expect(counted).toEqual([[]]);
  });

  it('is bounded by the fields of one document, and by the number of documents', async () => {
    const { known } = make();
    const many = `{ viewer { ${Array.from({ length: 600 }, (_, index) => `a${index}: subject`).join(' ')} } }`;
    known.learn(many, parse(many));
    expect(await known.execute({ query: many }, context)).toMatch(/"a599":null/);
    expect(await known.execute({ query: many }, context)).toBeNull();

    const first = '{ viewer { subject } }';
    known.learn(first, parse(first));
    for (let index = 0; index < 200; index += 1) {
      known.learn(`{ a${index}: viewer { subject } }`, parse(`{ a${index}: viewer { subject } }`));
    }
    expect(await known.execute({ query: first }, context)).toBeNull();
    expect(await known.execute({ query: '{ a199: viewer { subject } }' }, context)).toMatch(/a199/);
  });

  it('is of no use to a resolver that wants what graphql-js alone gives', () => {
    const other = buildGatewaySchema();
    const field = other.getQueryType()?.getFields().viewer;
    if (field === undefined) throw new Error('there must be a viewer');
    field.resolve = (_, __, ___, info) => info.fieldName;
    const options = {
      schema: other,
      window: 50,
      maxCost: 1,
      log: pino({ level: 'silent' }),
      countOperation: () => undefined,
    };
    expect(() => createPlannedDocuments(options)).toThrow(/Query\.viewer/);
  });
});

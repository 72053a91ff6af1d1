/** The cost of an operation, held against what it really causes: calls that arrive at registries, and objects in the answer. */
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { PATIENT } from '../helpers/clock-bound.ts';
import { type ServedRegistries, serveRegistries } from './serve-registries.ts';

const NAMES = ['base', 'ml/torch', 'ml/flow', 'bio/rnaseq', 'bio/exome', 'geo/maps', 'chem/gromacs', 'nlp/speech'];

/** Registries that share names, with parents, dependencies and versions among them: up to ten entries in each such list. */
function wireCatalog(registry: string, names: readonly string[]): Record<string, unknown>[] {
  return names.map((name, index) => ({
    ...{ name, version: '2.0.0', title: `${name} of ${registry}`, category: `category-${index % 4}`, parent: 'base' },
    versions: [{ version: '2.0.0' }, { version: '1.0.0' }],
    marketplace: {
      downloads: 100 - index,
      rating: (index % 5) + 0.5,
      dependencies: NAMES.slice(0, index % 4).map((dependency) => ({
        name: dependency,
        version: '*',
        type: 'template',
      })),
    },
  }));
}

let served: ServedRegistries;

beforeAll(async () => {
  const names = (prefix: string, count: number) => Array.from({ length: count }, (_, at) => `${prefix}/extra-${at}`);
  // Nothing is kept: whatever is asked for arrives.
  const settings = {
    cache: { search: 0, template: 0, catalog: 0, staleWhileRevalidate: 0, staleIfError: 0 },
    rateLimit: 'off',
  };
  served = await serveRegistries({
    catalogs: {
      first: wireCatalog('first', [...NAMES, ...names('a', 30)]),
      second: wireCatalog('second', [...NAMES.slice(0, 5), ...names('b', 90)]),
      third: wireCatalog('third', [...NAMES.slice(3), ...names('c', 3)]),
    },
    settings: { first: settings, second: settings, third: settings },
    server: {
      secret: 'for tests alone: 0123456789abcdef',
      cache: { disk: 'off', warm: 'off', responses: 'off' },
      limits: { requestsPerMinute: 'off', costPerMinute: 'off', cost: 1_000_000_000 },
      search: { timeout: '20s' },
    },
  });
  await vi.waitFor(async () => expect((await fetch(`${served.origin}/readyz`)).status).toBe(200), PATIENT);
});
afterAll(() => served[Symbol.asyncDispose]());

/** Calls that arrived for operations: not the checks of health, and not the lists of names, which are read for all to come. */
function countCalls(): number {
  const paths = served.registries.flatMap(({ requests }) => requests.map((request) => JSON.stringify(request)));
  return paths.filter((path) => !path.includes('/health') && !path.includes('limit=250')).length;
}

/** A look-up is answered by the first registry that knows the name: what the others were asked as well may arrive after that. */
async function awaitCalls(): Promise<void> {
  const query = '{ registries { metrics { inFlight queued } } }';
  const idle = { registries: [0, 1, 2].map(() => ({ metrics: { inFlight: 0, queued: 0 } })) };
  await vi.waitFor(async () => expect((await served.ask(query)).data).toEqual(idle), PATIENT);
}

function countObjects(value: unknown): number {
  if (typeof value !== 'object' || value === null) return 0;
  const inner = Object.values(value).reduce((sum: number, member) => sum + countObjects(member), 0);
  return inner + (Array.isArray(value) ? 0 : 1);
}

const name = fc.constantFrom(...NAMES, 'unknown/name');
const count = fc.integer({ min: 1, max: 12 });

/** Selections of a template, a few levels deep. */
function templateSelection(depth: number): fc.Arbitrary<string> {
  const leaf = fc.constantFrom(
    'name',
    'title',
    'id',

    'registry { name }',
    'versions { version }',
  );
  if (depth === 0) return leaf;
  const inner = templateSelection(depth - 1);
  const field = fc.oneof(
    leaf,
    inner.map((selection) => `parent { ${selection} }`),
    inner.map((selection) => `dependencies { name template { ${selection} } }`),
    fc.tuple(count, inner).map(([first, selection]) => `alternatives(first: ${first}) { ${selection} }`),
    fc.constant('sources { version registry { name } } sourcesComplete'),
    fc.constant('content { digest }'),
  );
  return fc
    .uniqueArray(field, { minLength: 1, maxLength: 3, selector: (text) => text.split(/[ ({]/)[0] })
    .map((fields) => fields.join(' '));
}

const rootField = (alias: string): fc.Arbitrary<string> =>
  fc.oneof(
    fc
      .record({
        query: fc.constantFrom('', 'extra', 'ml', 'torch of second', 'no such words'),
        first: fc.integer({ min: 1, max: 100 }),
        field: fc.constantFrom('RELEVANCE', 'POPULARITY', 'NAME', 'RATING', 'UPDATED'),
        filter: fc.constantFrom(
          '',
          ', filter: {categories: ["category-1"]}',
          ', filter: {minRating: 3}',
          ', collapse: false',
        ),
        nodes: fc.option(templateSelection(1), { nil: null }),
        more: fc.constantFrom(
          '',
          'totalCount',
          'facets { values { value count } }',
          'registries { registry { name } outcome }',
        ),
      })
      .filter(({ query, field }) => query !== '' || field !== 'RELEVANCE')
      .map(
        ({ query, first, field, filter, nodes, more }) =>
          `${alias}: search(query: "${query}", first: ${first}, orderBy: {field: ${field}, direction: DESC}${filter}) { __typename ${nodes === null ? 'pageInfo { endCursor }' : `nodes { ${nodes} }`} ${more} }`,
      ),
    fc.tuple(name, templateSelection(2)).map(([of, selection]) => `${alias}: template(name: "${of}") { ${selection} }`),
    fc.constant(`${alias}: categories { name count registries { name } }`),
    fc.constant(`${alias}: registries { name health { status circuit } }`),
  );

const document = fc
  .tuple(rootField('a'), fc.option(rootField('b'), { nil: '' }))
  .map(([one, other]) => `{ ${one} ${other} }`);

describe('what an operation is charged', () => {
  it('is never less than the calls and objects that it causes, where registries keep the protocol', async () => {
    await fc.assert(
      fc.asyncProperty(document, async (query) => {
        served.forgetArrivals();
        const response = await fetch(`${served.origin}/graphql`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: JSON.stringify({ query, extensions: { cost: true } }),
        });
        const answer = JSON.parse(await response.text());
        await awaitCalls();
        expect(
          answer.errors?.filter(
            ({ extensions }: { extensions: { code: string } }) => extensions.code === 'BAD_USER_INPUT',
          ) ?? [],
        ).toEqual([]);
        const { requested, actual } = answer.extensions.cost;
        const objects = countObjects(answer.data) - 1;
        expect({
          query,
          calls: countCalls(),
          objects,
          isBound: countCalls() + objects <= requested,
          requested,
        }).toMatchObject({ isBound: true });
        expect(actual).toBeGreaterThanOrEqual(objects);
        expect(actual).toBeLessThanOrEqual(requested);
      }),
      { numRuns: 150 },
    );
  }, 120_000);
});

import { hash } from 'node:crypto';
import fc from 'fast-check';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { createRegistry, type Registry } from '../../registry/registry.ts';
import { encodeRegistryId, encodeTemplateId } from '../../resolvers/node-id.ts';
import { parseConfigObject } from '../../src/config/load.ts';
import { maySeeRegistry } from '../../src/domain/caller.ts';
import { createGateway } from '../../src/gateway.ts';
import { listen } from '../../src/server/listen.ts';
import { PATIENT } from '../helpers/clock-bound.ts';
import { createRandom } from '../helpers/random.ts';
import { createAsk } from './ask.ts';

/**
 * The promise of contract 5.11, held against a gateway that runs: what a caller gets over HTTP is what it would get of a
 * gateway that has the same claims and not one of the registries which it may not see.
 */
const SEED = 20260115;
const ROLES = ['researcher', 'admin', 'publisher'];
const GROUPS = ['physics', 'chemistry'];
const TYPES = ['official', 'community', 'institutional', 'private'] as const;
const NAMES = ['registry-0', 'registry-1', 'registry-2', 'registry-3'];
const EVERYBODY = { key: 'key-of-somebody-who-sees-all', roles: ROLES, groups: GROUPS };
const CALLER_KEY = 'key-of-the-caller-of-this-plan';

interface Plan {
  readonly access: readonly ({ readonly roles: readonly string[]; readonly groups: readonly string[] } | null)[];
  readonly types: readonly (typeof TYPES)[number][];
  readonly claims: readonly (readonly string[])[];
  /** Nobody answers there. */
  readonly gone: readonly boolean[];
  readonly roles: readonly string[];
  readonly groups: readonly string[];
  /**
   * Others have asked before. Then nobody is gone: how often somebody failed whom the caller does see, others' calls have
   * their part in, and others see more here than there.
   */
  readonly asksBefore: boolean;
}

const four = <T>(one: fc.Arbitrary<T>) => fc.array(one, { minLength: 4, maxLength: 4 });
const anyPlan: fc.Arbitrary<Plan> = fc.record({
  access: four(
    fc.option(
      fc
        .record({ roles: fc.subarray(ROLES), groups: fc.subarray(GROUPS) })
        .filter(({ roles, groups }) => roles.length + groups.length > 0),
      { freq: 2 },
    ),
  ),
  types: four(fc.constantFrom(...TYPES)),
  claims: fc.tuple(
    ...['own-0*', 'own-1*', 'shared-1*', 'shared-2*'].map((glob) => fc.constantFrom<readonly string[]>([], [], [glob])),
  ),
  gone: four(fc.constantFrom(false, false, false, true)),
  roles: fc.subarray(ROLES),
  groups: fc.subarray(GROUPS),
  asksBefore: fc.boolean(),
});

/** Each with two registries that the caller does not see, which claim names that others have. */
const EXAMPLES: readonly Plan[] = [
  {
    access: [null, { roles: ['researcher'], groups: [] }, { roles: [], groups: ['physics'] }, null],
    types: ['official', 'community', 'institutional', 'private'],
    claims: [['own-0*'], ['own-1*'], ['shared-1*'], []],
    gone: [false, false, true, true],
    ...{ roles: ['publisher'], groups: [], asksBefore: false },
  },
  {
    access: [
      { roles: ['researcher'], groups: [] },
      { roles: ['admin'], groups: [] },
      null,
      { roles: [], groups: ['chemistry'] },
    ],
    types: ['institutional', 'private', 'community', 'community'],
    claims: [['own-0*'], [], [], ['shared-2*']],
    gone: [false, false, false, false],
    ...{ roles: ['admin'], groups: [], asksBefore: true },
  },
];

const isVisible = ({ access, roles, groups }: Plan, index: number) =>
  maySeeRegistry({ authenticated: true, subject: 'caller', roles, groups }, { access: access[index] ?? null });

function makeTemplates(index: number): Record<string, unknown>[] {
  const random = createRandom(SEED + index);
  const shared = Array.from({ length: 25 }, (_, at) => `shared-${at}`).filter(() => random() < 0.6);
  const own = Array.from({ length: 40 }, (_, at) => `own-${index}-${at}`);
  return [...own, ...shared].map((name, at) => ({
    ...{ name, version: `${index + 1}.${at}.0`, title: `Environment ${at} of ${NAMES[index]}` },
    category: random() < 0.5 ? 'ml' : `only-${index}`,
    license: random() < 0.5 ? 'MIT' : 'BSD-3-Clause',
    updated_at: new Date(Date.UTC(2025, 0, 1 + at, index)).toISOString(),
    parent: `shared-${Math.floor(random() * 25)}`,
    // Without ties: of these a gateway learns, as it reads, how a registry orders them.
    marketplace: {
      downloads: at * 10 + index,
      rating: (at % 50) / 10,
      dependencies: [{ name: `shared-${Math.floor(random() * 25)}` }],
    },
  }));
}

describe('a gateway that has registries which a caller may not see', () => {
  let registries: Registry[] = [];
  let urls: string[] = [];

  beforeAll(async () => {
    registries = NAMES.map((_, index) => createRegistry({ templates: makeTemplates(index), recordRequests: 0 }));
    urls = await Promise.all(registries.map((registry) => registry.listen()));
  });
  afterAll(() => Promise.all(registries.map((registry) => registry.close())));

  /** With every registry of the plan, or without those that are hidden: then somebody else keeps their claims. */
  async function serve(plan: Plan, withHidden: boolean) {
    const indexes = NAMES.map((_, index) => index);
    const kept = indexes.filter((index) => withHidden || isVisible(plan, index));
    const lostClaims = indexes.filter((index) => !kept.includes(index)).flatMap((index) => plan.claims[index] ?? []);
    const nowhere = 'http://127.0.0.1:1';
    const document = {
      server: { secret: 'for tests alone: 0123456789abcdef0123456789abcdef', cache: { disk: 'off', warm: 'off' } },
      registries: [
        ...kept.map((index) => ({
          ...{
            name: NAMES[index],
            type: plan.types[index],
            url: plan.gone[index] && !plan.asksBefore ? nowhere : urls[index],
          },
          ...{ claims: plan.claims[index], retry: { attempts: 0 } },
          // The clock decides nothing: what nobody answers at is left alone from the first check on.
          ...{ circuit: { resetTimeout: '1h' }, health: { interval: '1h' } },
          ...(plan.access[index] && { access: plan.access[index] }),
        })),
        { name: 'keeper', type: 'private', url: nowhere, claims: lostClaims, access: { roles: ['nobody'] } },
      ],
      auth: {
        apiKeys: [
          { id: 'caller', sha256: hash('sha256', CALLER_KEY), roles: plan.roles, groups: plan.groups },
          { id: 'all', sha256: hash('sha256', EVERYBODY.key), roles: EVERYBODY.roles, groups: EVERYBODY.groups },
        ],
      },
    };
    const gateway = await createGateway(parseConfigObject(document), { log: pino({ level: 'silent' }) });
    const listener = await listen({ host: '127.0.0.1', port: 0, handle: gateway.handle });
    const ask = createAsk(listener.origin);
    const isReady = async () => (await fetch(`${listener.origin}/readyz`)).status === 200;
    await vi.waitFor(async () => expect(await isReady()).toBe(true), { ...PATIENT, interval: 10 });
    return {
      origin: listener.origin,
      as:
        (key: string) =>
        (query: string, variables: Record<string, unknown> = {}) =>
          ask(query, variables, { authorization: `Bearer ${key}` }),
      async [Symbol.asyncDispose]() {
        await listener.close(1000);
        await gateway.close();
      },
    };
  }

  type Served = Awaited<ReturnType<typeof serve>>;

  /** The caller who sees all: what it asks leaves its traces in caches, catalogues, counts and circuits. */
  async function askBefore(served: Served): Promise<string[]> {
    const ask = served.as(EVERYBODY.key);
    const cursors: string[] = [];
    for (const field of ['POPULARITY', 'NAME', 'RELEVANCE']) {
      const { data } = await ask(SEARCH, { ...(field === 'RELEVANCE' && { query: 'environment' }), field, first: 7 });
      const { search } = data as { search: { pageInfo: { endCursor: string } } };
      cursors.push(search.pageInfo.endCursor);
    }
    await ask('{ categories { name count } registries { name } }');
    return cursors;
  }

  /** Everything that the caller can ask, as it is answered. `cursors`: of somebody who sees all. */
  async function askEverything(served: Served, plan: Plan, cursors: readonly string[]): Promise<unknown[]> {
    const ask = served.as(CALLER_KEY);
    const answers: unknown[] = [];
    const note = async (query: string, variables: Record<string, unknown> = {}) => {
      const { status, data, errors } = await ask(query, variables);
      const text = JSON.stringify({ query, variables, status, data, errors });
      // How long a circuit stays open, to the millisecond. How much is kept of a registry that the caller sees, since that is
      // what anybody has asked of it, and whoever sees more registries asks each of them for fewer rows.
      const told = text.replaceAll(/"retryAfterMs":\d+/g, '').replaceAll(/"removed":[1-9]\d*/g, '"removed":"some"');
      answers.push(told.replaceAll(served.origin, ''));
      return data;
    };
    for (const search of SEARCHES) {
      let after: string | null = null;
      for (let page = 0; page < 3; page += 1) {
        const data = (await note(SEARCH, { ...search, first: 9, after })) as SearchData;
        after = data?.search?.pageInfo.endCursor ?? null;
      }
      await note(SEARCH_BACK, { ...search, last: 9 });
    }
    for (const [index, after] of cursors.entries()) {
      const field = ['POPULARITY', 'NAME', 'RELEVANCE'][index];
      await note(SEARCH, { ...(field === 'RELEVANCE' && { query: 'environment' }), field, first: 9, after });
    }
    for (const name of [...NAMES, 'keeper', 'registry-9', 'regstry-1', 'unknown']) {
      await note('query ($name: String!) { registry(name: $name) { name priority writable type url } }', { name });
      await note(LOOK_UP, { name: 'shared-1', registry: name });
      await note('query ($name: [String!]) { search(filter: { registries: $name }) { totalCount } }', { name });
      await note('query ($name: [String!]) { search(require: $name) { totalCount } }', { name });
      await note('query ($name: [String!]) { categories(registries: $name) { name } }', { name });
      await note(INVALIDATE, { input: { registry: name, template: 'nothing' } });
      await note(RESET, { registry: name });
      await note(PUBLISH, { registry: name });
      const ids = [encodeRegistryId(name), encodeTemplateId(name, 'shared-2', '1.1.0')];
      await note('query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id } }', { ids });
    }
    for (const name of ['shared-0', 'shared-1', 'shared-12', 'shared-20', 'own-0-1', 'own-1-1', 'nowhere']) {
      await note(LOOK_UP, { name });
      for (const registry of [...NAMES, 'unknown']) {
        const content = await fetch(`${served.origin}/content/${registry}/${name}/1.0.0`, {
          headers: { authorization: `Bearer ${CALLER_KEY}` },
        });
        answers.push([registry, name, content.status, await content.text()]);
      }
    }
    await note('{ categories { name count registries { name priority } } }');
    await note('{ registries { name type kind priority writable url health { status message circuit } } }');
    await note('{ registries(types: [PRIVATE, OFFICIAL], statuses: [UP, DOWN]) { name priority } }');
    await note('{ viewer { authenticated subject roles groups registries { name priority } } }');
    await note('{ gateway { health { status registriesUp registriesTotal message } metrics { searches errorRate } } }');
    await note('{ gateway { metrics { popularTemplates { name registryName views } errors { name count } } } }');
    for (const name of NAMES.filter((_, index) => !isVisible(plan, index))) {
      const webhook = await fetch(`${served.origin}/webhooks/${name}`, { method: 'POST', body: '{}' });
      answers.push([name, webhook.status, await webhook.text()]);
    }
    return answers;
  }

  it('answers as one without them: results, order, ranks, cursors, counts, facets, errors, names, metrics, health', async () => {
    let hidden = 0;
    await fc.assert(
      fc.asyncProperty(anyPlan, async (plan) => {
        hidden += NAMES.filter((_, index) => !isVisible(plan, index)).length;
        await using whole = await serve(plan, true);
        await using reference = await serve(plan, false);
        const cursors = plan.asksBefore ? await askBefore(whole) : [];
        if (plan.asksBefore) await askBefore(reference);
        // Twice: what was kept of the first time is answered by another way.
        for (let time = 0; time < 2; time += 1) {
          const answers = await askEverything(whole, plan, cursors);
          expect(answers).toEqual(await askEverything(reference, plan, cursors));
        }
      }),
      { seed: SEED, numRuns: 4, endOnFailure: true, examples: EXAMPLES.map((plan) => [plan]) },
    );
    expect(hidden).toBeGreaterThan(2);
  }, 180_000);
});

type SearchData = { readonly search: { readonly pageInfo: { readonly endCursor: string | null } } | null } | null;

const CONNECTION = `{
  edges { cursor score node {
    id name version registry { name priority } parent { name version } sourcesComplete
    sources { registry { name priority } version canonical }
  } }
  pageInfo { hasNextPage hasPreviousPage startCursor endCursor }
  totalCount totalCountAccuracy partial
  facets { field accuracy values { value count } }
  registries { registry { name priority } outcome totalCount returned lateRows truncated order error { type message } }
}`;
const SEARCH = `query ($query: String, $filter: TemplateFilter, $field: TemplateOrderField!, $first: Int, $after: String, $collapse: Boolean! = true) {
  search(query: $query, filter: $filter, orderBy: { field: $field }, first: $first, after: $after, collapse: $collapse) ${CONNECTION}
}`;
const SEARCH_BACK = `query ($query: String, $filter: TemplateFilter, $field: TemplateOrderField!, $last: Int, $collapse: Boolean! = true) {
  search(query: $query, filter: $filter, orderBy: { field: $field }, last: $last, collapse: $collapse) ${CONNECTION}
}`;
const SEARCHES = [
  { field: 'POPULARITY' },
  { field: 'NAME', collapse: false },
  { field: 'RELEVANCE', query: 'environment' },
  { field: 'UPDATED', filter: { categories: ['ml'], registryTypes: ['OFFICIAL', 'COMMUNITY', 'PRIVATE'] } },
];
const LOOK_UP = `query ($name: String!, $registry: String) {
  template(name: $name, registry: $registry) {
    id version registry { name priority } parent { name version registry { name } }
    sources { registry { name } version canonical } sourcesComplete
    versions { version } dependencies { name template { name version registry { name } } }
    alternatives(first: 3) { name registry { name } }
  }
}`;
const INVALIDATE = 'mutation ($input: InvalidateCacheInput!) { invalidateCache(input: $input) { removed } }';
const RESET = 'mutation ($registry: String!) { resetCircuit(input: { registry: $registry }) { registry { name } } }';
const PUBLISH = `mutation ($registry: String!) {
  publishTemplate(input: { registry: $registry, document: "name: shared-1\\nversion: '1'\\n", dryRun: true }) {
    published error { type registryName message }
  }
}`;

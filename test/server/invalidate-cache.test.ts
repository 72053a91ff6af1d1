/** The mutation that forgets what is kept. */
import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createServerState } from '../../src/server/server-state.ts';
import { HeldTrail } from '../helpers/held-trail.ts';
import { createFixtureView } from './fixture-view.ts';
import { serveFixture } from './serve-fixture.ts';
import { serveRegistries, wireTemplates } from './serve-registries.ts';

const KEYS = { admin: 'a key of the administrator', reader: 'a key of a reader' };
const toHash = (key: string) => createHash('sha256').update(key).digest('hex');
const AS_ADMIN = { 'x-api-key': KEYS.admin.replaceAll(' ', '-') };
const AS_READER = { 'x-api-key': KEYS.reader.replaceAll(' ', '-') };

const SEARCH = '{ search { totalCount } }';
const LOOK_UP = '{ template(name: "one-00", registry: "one") { version } }';
const INVALIDATE = 'mutation ($input: InvalidateCacheInput!) { invalidateCache(input: $input) { removed } }';

function serve(settings: Record<string, Record<string, unknown>> = {}) {
  return serveRegistries({
    catalogs: { one: wireTemplates('one', 3), two: wireTemplates('two', 3) },
    settings,
    auth: {
      apiKeys: [
        { id: 'boss', sha256: toHash(AS_ADMIN['x-api-key']), roles: ['admin'] },
        { id: 'guest', sha256: toHash(AS_READER['x-api-key']), roles: ['viewer'] },
      ],
    },
  });
}

type Served = Awaited<ReturnType<typeof serve>>;

async function fill(served: Served, headers: Record<string, string> = {}): Promise<void> {
  await served.ask(SEARCH, {}, headers);
  await served.ask(LOOK_UP, {}, headers);
  await served.ask('{ categories { name } }', {}, headers);
}

/** How often each registry was asked for what, when all that `fill` asks for is asked again. */
async function countAskedAgain(served: Served): Promise<Record<string, number>> {
  served.forgetArrivals();
  await fill(served);
  const [one, two] = served.registries;
  const count = (registry = one, part = '') => registry?.requests.filter(({ path }) => path.includes(part)).length ?? 0;
  return {
    searches: count(one, '/search') + count(two, '/search'),
    searchesOfOne: count(one, '/search'),
    lookUps: count(one, '/templates/'),
    categories: count(one, '/categories') + count(two, '/categories'),
  };
}

describe('invalidateCache', () => {
  it.each([
    ['everything', {}, 5, { searches: 2, searchesOfOne: 1, lookUps: 1, categories: 2 }],
    ['one registry', { registry: 'one' }, 3, { searches: 1, searchesOfOne: 1, lookUps: 1, categories: 1 }],
    ['one layer', { layer: 'TEMPLATE' }, 1, { searches: 0, searchesOfOne: 0, lookUps: 1, categories: 0 }],
    [
      'a layer of a registry',
      { registry: 'one', layer: 'SEARCH' },
      1,
      { searches: 1, searchesOfOne: 1, lookUps: 0, categories: 0 },
    ],
    [
      'a template of every registry',
      { template: 'two-00' },
      4,
      { searches: 2, searchesOfOne: 1, lookUps: 0, categories: 2 },
    ],
    [
      'a look-up',
      { template: 'ONE-00', layer: 'TEMPLATE' },
      1,
      { searches: 0, searchesOfOne: 0, lookUps: 1, categories: 0 },
    ],
    ['answers to clients', { layer: 'RESPONSE' }, 0, { searches: 0, searchesOfOne: 0, lookUps: 0, categories: 0 }],
    [
      'with nulls everything',
      { registry: null, template: null, layer: null },
      5,
      { searches: 2, searchesOfOne: 1, lookUps: 1, categories: 2 },
    ],
  ])('forgets what is said: %s', async (_, input, removed, askedAgain) => {
    await using served = await serve();
    await fill(served);
    const { data, errors } = await served.ask(INVALIDATE, { input }, AS_ADMIN);
    expect(errors).toEqual([]);
    expect(data).toEqual({ invalidateCache: { removed } });
    expect(await countAskedAgain(served)).toEqual(askedAgain);
  });

  it.each([
    ['an anonymous caller', {}, 'UNAUTHENTICATED'],
    ['a caller without the role', AS_READER, 'FORBIDDEN'],
  ])(
    'is refused to %s, whatever is asked for, and forgets nothing',
    async (_, headers: Record<string, string>, code) => {
      await using served = await serve();
      await fill(served);
      for (const input of [{}, { registry: 'nowhere' }]) {
        const { data, errors } = await served.ask(INVALIDATE, { input }, headers);
        expect(data).toEqual({ invalidateCache: null });
        expect(errors[0]?.extensions).toEqual({ code });
      }
      expect(Object.values(await countAskedAgain(served))).toEqual([0, 0, 0, 0]);
    },
  );

  it.each([
    [{ registry: 'onw' }, 'input.registry', '"one"'],
    [{ registry: '' }, 'input.registry', 'characters'],
    [{ template: '' }, 'input.template', 'characters'],
    [{ template: 'a\u0000' }, 'input.template', 'control characters'],
  ])('refuses %j, says why, and forgets nothing', async (input, field, says) => {
    await using served = await serve();
    await fill(served);
    const { errors } = await served.ask(INVALIDATE, { input }, AS_ADMIN);
    expect(errors[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field });
    expect(errors[0]?.message).toContain(says);
    expect(Object.values(await countAskedAgain(served))).toEqual([0, 0, 0, 0]);
  });

  it('neither counts nor names what the administrator may not see', async () => {
    await using served = await serve({ one: { access: { roles: ['viewer'] } } });
    await fill(served, AS_READER);
    const named = await served.ask(INVALIDATE, { input: { registry: 'one' } }, AS_ADMIN);
    expect(named.errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
    expect(named.errors[0]?.message).toBe(
      '"input.registry" must name registries that you can see; "one" is none of them. Did you mean "two"?',
    );
    // A search and the categories of the other one.
    expect((await served.ask(INVALIDATE, { input: {} }, AS_ADMIN)).data).toEqual({ invalidateCache: { removed: 2 } });
  });

  it('is never done by a GET, nor by what a page of another site can send without asking', async () => {
    await using served = await serve();
    await fill(served);
    const query = 'mutation { invalidateCache(input: {}) { removed } }';
    const byGet = await fetch(`${served.origin}/graphql?query=${encodeURIComponent(query)}`, { headers: AS_ADMIN });
    expect(byGet.status).toBe(405);
    const asText = {
      method: 'POST',
      headers: { ...AS_ADMIN, 'content-type': 'text/plain' },
      body: JSON.stringify({ query }),
    };
    expect((await fetch(`${served.origin}/graphql`, asText)).status).toBe(415);
    expect(Object.values(await countAskedAgain(served))).toEqual([0, 0, 0, 0]);
  });

  it('is one of the few changes that there are', async () => {
    await using served = await serve();
    const { data } = await served.ask('{ __schema { mutationType { fields { name } } } }');
    const fields = ['invalidateCache', 'publishTemplate', 'reportInstallation', 'resetCircuit'].map((name) => ({
      name,
    }));
    expect(data).toEqual({ __schema: { mutationType: { fields } } });
  });
});

describe('invalidateCache of one process among several', () => {
  it('says whether the others were told, and the trail too', async () => {
    const audit = new HeldTrail();
    let untoldInvalidations = 0;
    const sharing = () => ({ state: 'DOWN', sinceMs: 0, replicas: 2, untoldInvalidations }) as const;
    const state = { ...createServerState(sharing), isReady: true };
    const auth = { apiKeys: [{ id: 'root', sha256: toHash('key-of-root'), roles: ['admin'] }] };
    await using served = await serveFixture({
      ...{ state, audit, document: { auth } },
      viewFor: () => createFixtureView({ invalidateCache: async () => 3 }),
    });
    const query = 'mutation { invalidateCache(input: { layer: SEARCH }) { removed replicasTold } }';
    for (const untold of [0, 2]) {
      untoldInvalidations = untold;
      const { data } = await served.ask(query, {}, { 'x-api-key': 'key-of-root' });
      expect(data).toEqual({ invalidateCache: { removed: 3, replicasTold: untold === 0 } });
    }
    expect(audit.entries.map(({ detail }) => detail)).toEqual([
      'layer SEARCH',
      'layer SEARCH, not told to all processes',
    ]);
  });
});

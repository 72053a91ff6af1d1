import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { createSseClient, createWsClient } from './live-clients.ts';
import { serveRegistries, wireTemplates } from './serve-registries.ts';

const sha256 = (key: string) => createHash('sha256').update(key).digest('hex');
const catalogs = { official: wireTemplates('official', 3), other: wireTemplates('other', 3) };
const auth = {
  apiKeys: ['ada', 'bob'].map((id) => ({ id, sha256: sha256(`key-of-${id}`), roles: ['researcher'] })),
};
const SEARCH = '{ search(query: "template", first: 2) { nodes { name } } }';
const serve = (server: Record<string, unknown>) => serveRegistries({ catalogs, auth, server: { ...CACHE, ...server } });
const CACHE = { secret: 'for tests alone: 0123456789abcdef', cache: { disk: 'off', warm: 'off' } };

function post(origin: string, body: unknown, headers: Record<string, string> = {}) {
  return fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(body),
  });
}

describe('requests in a minute', () => {
  it('are counted for each caller by itself, answers that are given again included, and told of', async () => {
    await using served = await serve({ limits: { requestsPerMinute: 5 } });
    const ask = (key: string) => post(served.origin, { query: SEARCH }, { 'x-api-key': key });
    const remaining: (string | null)[] = [];
    for (let index = 0; index < 5; index += 1) {
      const response = await ask('key-of-ada');
      expect(response.status).toBe(200);
      expect(response.headers.get('ratelimit-limit')).toBe('5');
      expect(response.headers.get('ratelimit-policy')).toBe('5;w=60');
      expect(Number(response.headers.get('ratelimit-reset'))).toBeGreaterThan(0);
      remaining.push(response.headers.get('ratelimit-remaining'));
      await response.text();
    }
    expect(remaining).toEqual(['4', '3', '2', '1', '0']);
    served.forgetArrivals();
    const refused = await ask('key-of-ada');
    expect(refused.status).toBe(429);
    expect(refused.headers.get('ratelimit-remaining')).toBe('0');
    const { errors } = JSON.parse(await refused.text());
    expect(errors[0].extensions.code).toBe('RATE_LIMITED');
    expect(Number(refused.headers.get('retry-after'))).toBe(Math.ceil(errors[0].extensions.retryAfterMs / 1000));
    expect(served.countArrivals()).toBe(0);
    expect((await ask('key-of-bob')).status).toBe(200);
    expect((await post(served.origin, { query: SEARCH })).status).toBe(200);
    expect((await fetch(`${served.origin}/healthz`)).status).toBe(200);
  });

  it('that prove nothing count against their address, until it is not even looked what they would prove', async () => {
    await using served = await serve({ limits: { requestsPerMinute: 3 } });
    const statuses: number[] = [];
    for (let index = 0; index < 5; index += 1) {
      statuses.push((await post(served.origin, { query: SEARCH }, { 'x-api-key': `guess-${index}` })).status);
    }
    expect(statuses).toEqual([401, 401, 401, 429, 429]);
    expect((await post(served.origin, { query: SEARCH }, { 'x-api-key': 'key-of-ada' })).status).toBe(200);
  });

  it('of anonymous callers behind a trusted proxy are those of the address that it names', async () => {
    await using served = await serve({ limits: { requestsPerMinute: 1 }, trustedProxies: ['127.0.0.1'] });
    const ask = (forwarded: string) => post(served.origin, { query: SEARCH }, { 'x-forwarded-for': forwarded });
    expect((await ask('198.51.100.1')).status).toBe(200);
    expect((await ask('198.51.100.2')).status).toBe(200);
    expect((await ask('203.0.113.9, 198.51.100.1')).status).toBe(429);
  });

  it('cannot be had by naming another address where no proxy is trusted, and the log says what that means', async () => {
    await using served = await serve({ limits: { requestsPerMinute: 1 } });
    const ask = (forwarded: string) => post(served.origin, { query: SEARCH }, { 'x-forwarded-for': forwarded });
    expect((await ask('198.51.100.1')).status).toBe(200);
    expect((await ask('198.51.100.2')).status).toBe(429);
    expect(served.logLines.filter(({ setting }) => setting === 'server.trustedProxies')).toHaveLength(1);
  });

  it('for documents of templates count as well', async () => {
    await using served = await serve({ limits: { requestsPerMinute: 1 } });
    const path = `${served.origin}/content/official/official-00/1.0.0`;
    expect((await fetch(path)).status).not.toBe(429);
    const refused = await fetch(path);
    expect(refused.status).toBe(429);
    expect(refused.headers.get('retry-after')).not.toBeNull();
  });
});

describe('requests that are no operations', () => {
  it('count as well: documents by their cost, metrics, and webhooks that nobody signed', async () => {
    await using served = await serve({ limits: { requestsPerMinute: 6, cost: 10, costPerMinute: 10 } });
    const content = (id: string) =>
      fetch(`${served.origin}/content/official/official-00/1.0.0`, { headers: { 'x-api-key': `key-of-${id}` } });
    for (const status of [200, 200]) expect((await content('ada')).status).toBe(status);
    served.forgetArrivals();
    expect((await content('ada')).status).toBe(429);
    expect(served.countArrivals()).toBe(0);
    const metrics = () => fetch(`${served.origin}/metrics`, { headers: { 'x-api-key': 'key-of-bob' } });
    for (const status of [200, 200, 200, 200, 200, 200, 429]) expect((await metrics()).status).toBe(status);
    const announce = (name: string) => fetch(`${served.origin}/webhooks/${name}`, { method: 'POST', body: '{}' });
    for (let index = 0; index < 6; index += 1) expect((await announce(`none-${index}`)).status).toBe(404);
    const before = served.logLines.length;
    for (const name of ['none', 'official']) {
      const refused = await announce(name);
      expect(refused.status).toBe(429);
      expect(refused.headers.get('ratelimit-remaining')).toBe('0');
    }
    expect(served.logLines.slice(before)).toEqual([]);
  });
});

describe('cost', () => {
  it('is charged before a registry is called, and over the budget of a minute nobody is', async () => {
    await using served = await serve({
      limits: { cost: 500, costPerMinute: 500 },
      cache: { ...CACHE.cache, responses: 'off' },
    });
    const headers = { 'x-api-key': 'key-of-ada' };
    const first = await post(served.origin, { query: SEARCH }, headers);
    const cost = Number(first.headers.get('x-graphql-cost'));
    expect(cost).toBeGreaterThan(2);
    let affordable = Math.floor(500 / cost) - 1;
    for (; affordable > 0; affordable -= 1) {
      expect((await post(served.origin, { query: SEARCH }, headers)).status).toBe(200);
    }
    served.forgetArrivals();
    // By the plan of a document that is known, and by Apollo for one that is not.
    for (const query of [SEARCH, SEARCH.replace('template', 'another')]) {
      const refused = await post(served.origin, { query }, headers);
      expect(refused.status).toBe(429);
      const { errors } = JSON.parse(await refused.text());
      expect(errors).toHaveLength(1);
      expect(errors[0].extensions).toMatchObject({ code: 'RATE_LIMITED', retryAfterMs: expect.any(Number) });
      expect(refused.headers.get('retry-after')).not.toBeNull();
    }
    expect(served.countArrivals()).toBe(0);
    expect((await post(served.origin, { query: SEARCH }, { 'x-api-key': 'key-of-bob' })).status).toBe(200);
  });

  it('is told to who asks: the bound, what it came to, and what is left', async () => {
    await using served = await serve({ limits: {} });
    const ask = async (query: string) =>
      JSON.parse(await (await post(served.origin, { query, extensions: { cost: true } })).text());
    const { data, extensions } = await ask(SEARCH);
    const { requested, actual, remaining, resetAt } = extensions.cost;
    // One connection, two nodes, and a call to each of two registries at least.
    expect(data.search.nodes).toHaveLength(2);
    expect(actual).toBeGreaterThanOrEqual(5);
    expect(actual).toBeLessThanOrEqual(requested);
    expect(remaining).toBe(300_000 - requested);
    expect(Date.parse(resetAt)).toBeGreaterThan(Date.now());
    // All of it is in the cache of answers by now, and is charged again: it could have been asked for.
    const again = (await ask(SEARCH)).extensions.cost;
    expect(again).toMatchObject({ requested, actual: 3, remaining: 300_000 - 2 * requested });
    expect(JSON.parse(await (await post(served.origin, { query: SEARCH })).text()).extensions).toBeUndefined();
  });

  it('of an answer that is given again as it was is nothing', async () => {
    await using served = await serve({ limits: {} });
    for (let index = 0; index < 4; index += 1) await (await post(served.origin, { query: SEARCH })).text();
    const told = JSON.parse(await (await post(served.origin, { query: SEARCH, extensions: { cost: true } })).text());
    const { requested, remaining } = told.extensions.cost;
    // Of the four the first two were executed.
    expect(300_000 - remaining).toBe(3 * requested);
  });
});

describe('operations at one time', () => {
  it('are those over sockets and streams too', async () => {
    await using served = await serve({ limits: { concurrent: 1, subscriptions: 20 } });
    using socket = createWsClient(served.origin, { 'x-api-key': 'key-of-ada' });
    using events = createSseClient(served.origin, { 'x-api-key': 'key-of-ada' });
    const codes = await Promise.all(
      Array.from({ length: 12 }, async (_, index) => {
        const query = SEARCH.replace('template', `words ${index}`);
        const operation = (index % 2 === 0 ? socket : events).iterate(query);
        try {
          const { value } = await operation.next();
          return value?.errors?.[0]?.extensions?.code ?? null;
        } catch (errors) {
          // A stream is refused before it begins, by its status.
          return /RATE_LIMITED|429/.test(JSON.stringify(errors) + String(errors)) ? 'RATE_LIMITED' : errors;
        }
      }),
    );
    expect([...new Set(codes)].sort()).toEqual(['RATE_LIMITED', null]);
    for (const client of [socket, events]) {
      expect((await client.iterate(SEARCH).next()).value).toMatchObject({ data: {} });
    }
  });

  it('are bounded for each caller, and those over it are refused at once', async () => {
    await using served = await serve({ limits: { concurrent: 2 } });
    const queries = Array.from({ length: 12 }, (_, index) => SEARCH.replace('template', `words ${index}`));
    const responses = await Promise.all(
      queries.map((query) => post(served.origin, { query }, { 'x-api-key': 'key-of-ada' })),
    );
    const statuses = responses.map(({ status }) => status);
    expect(statuses).toContain(200);
    expect(statuses.filter((status) => status !== 200)).toEqual(statuses.filter((status) => status === 429));
    // None of those that were refused takes the place of one that comes later.
    for (const query of queries) {
      expect((await post(served.origin, { query }, { 'x-api-key': 'key-of-ada' })).status).toBe(200);
    }
  });

  it.each([
    ['graphql-sse', createSseClient],
    ['graphql-ws', createWsClient],
  ] as const)('are bounded over %s too, where they end by themselves', async (_, createClient) => {
    await using hung = await startFaultyRegistry({ mode: 'hang' });
    await using served = await serveRegistries({
      catalogs,
      more: [{ name: 'hung', type: 'private', url: hung.url }],
      ...{ auth, server: { ...CACHE, limits: { concurrent: 1 } } },
    });
    using client = createClient(served.origin, { 'x-api-key': 'key-of-ada' });
    // Subscriptions without an end take no place of those that have one.
    const health = client.iterate('subscription { registryHealth { name } }');
    await health.next();
    const progress = client.iterate(
      'subscription { searchProgress(query: "template", timeoutMs: 30000) { answered } }',
    );
    await progress.next();
    const refused = await client
      .iterate(SEARCH)
      .next()
      .catch((error: unknown) => error);
    expect(describeRefusal(refused)).toContain('RATE_LIMITED');
    expect((await post(served.origin, { query: SEARCH }, { 'x-api-key': 'key-of-ada' })).status).toBe(429);
    await progress.return?.();
    const ask = async () =>
      (await post(served.origin, { query: '{ registries { name } }' }, { 'x-api-key': 'key-of-ada' })).status;
    await expect.poll(ask).toBe(200);
    expect((await client.iterate('{ registries { name } }').next()).value).toMatchObject({ data: { registries: {} } });
    await health.return?.();
  });
});

/** graphql-sse is refused by a status and its answer, graphql-ws by the errors. */
function describeRefusal(refused: unknown): string {
  return refused instanceof Error && 'response' in refused && refused.response instanceof Response
    ? `${refused.response.status === 429 ? 'RATE_LIMITED' : refused.response.status}`
    : JSON.stringify(refused);
}

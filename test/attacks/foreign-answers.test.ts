/** Registries that are asked in each caller's own name: what they say to one is never another's, and nobody's token goes astray. */
import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import * as fc from 'fast-check';
import { decodeJwt } from 'jose';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { PATIENT } from '../helpers/clock-bound.ts';
import { startTokenIssuer, type TokenIssuer } from '../helpers/token-issuer.ts';
import { type ServedRegistries, serveRegistries, wireTemplates } from '../server/serve-registries.ts';

const PEOPLE = ['ada', 'bob', 'eve'] as const;
const KEY = 'key-of-dashboards';

/** A registry that shows everybody a catalogue of their own, under the same names. */
async function startPersonalRegistry() {
  const requests: { method: string; path: string; authorization: string | null }[] = [];
  const server = createServer((request, response) => {
    const { authorization = null } = request.headers;
    const path = request.url ?? '';
    requests.push({ method: request.method ?? '', path, authorization });
    const send = (status: number, body: unknown) => {
      response.writeHead(status, {
        'content-type': 'application/json',
        etag: '"same-for-all"',
        'cache-control': 'public, max-age=3600',
      });
      response.end(JSON.stringify(body));
    };
    if (path.startsWith('/api/v1/health')) return send(401, {});
    const token = /^Bearer (.+)$/.exec(authorization ?? '')?.[1];
    const subject = token === undefined ? null : decodeJwt(token).sub;
    if (subject === null || subject === 'eve') return send(401, { error: { code: 'x', message: `no ${token}` } });
    const template = (name: string) => ({
      ...{ name, version: '1.0.0', title: `canary-${subject}`, description: `canary-${subject}`, category: 'ml' },
      marketplace: { downloads: 5 },
    });
    if (request.method === 'POST') {
      request.resume();
      return send(201, template('personal/new'));
    }
    // The same ETag and freshness for all: caches that look at those alone would be fooled.
    if (request.headers['if-none-match'] !== undefined) return response.writeHead(304).end();
    if (path.startsWith('/api/v1/search'))
      return send(200, {
        templates: ['one', 'two'].map((name) => template(`personal/${name}`)),
        total_count: 2,
        order: 'total',
      });
    if (path.startsWith('/api/v1/categories')) return send(200, [{ name: `canary-${subject}`, count: 2 }]);
    if (path.includes('/versions')) return send(200, { versions: [{ version: `1.0.0+canary-${subject}` }] });
    if (path.includes('/content')) return send(200, { canary: `canary-${subject}` });
    if (path.startsWith('/api/v1/templates/personal%2Fone')) return send(200, template('personal/one'));
    return send(404, {});
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('it must have a port');
  return {
    url: `http://127.0.0.1:${address.port}`,
    requests,
    askedWithin: () => requests.filter(({ path }) => !path.startsWith('/api/v1/health')),
    async close() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

let issuer: TokenIssuer;
let personal: Awaited<ReturnType<typeof startPersonalRegistry>>;
let served: ServedRegistries;
let tokens: Readonly<Record<string, string>>;

beforeAll(async () => {
  issuer = await startTokenIssuer();
  personal = await startPersonalRegistry();
  tokens = Object.fromEntries(
    await Promise.all(
      PEOPLE.map(async (sub) => [sub, await issuer.sign({ claims: { sub, roles: ['researcher', 'publisher'] } })]),
    ),
  );
  served = await serveRegistries({
    catalogs: { common: wireTemplates('common', 5) },
    more: [{ name: 'personal', type: 'private', url: personal.url, credentials: { type: 'passthrough' } }],
    server: {
      ...{ secret: 'for tests alone: 0123456789abcdef', cache: { disk: 'off', warm: 20 } },
      limits: { requestsPerMinute: 'off', costPerMinute: 'off' },
    },
    auth: {
      jwt: { issuer: issuer.issuer, audience: 'marketplace' },
      apiKeys: [
        {
          id: 'dashboards',
          sha256: createHash('sha256').update(KEY).digest('hex'),
          roles: ['researcher', 'publisher'],
        },
      ],
    },
  });
  await vi.waitFor(async () => expect((await fetch(`${served.origin}/readyz`)).status).toBe(200), PATIENT);
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await personal.close();
  await issuer[Symbol.asyncDispose]();
});
beforeEach(() => {
  personal.requests.length = 0;
});

const QUERIES = [
  '{ search(query: "", first: 5) { nodes { name title description registry { name } } registries { registry { name } outcome error { type guidance } } } }',
  '{ search(query: "personal", first: 1) { nodes { name title sources { registry { name } } } pageInfo { endCursor } } }',
  '{ template(name: "personal/one") { title versions { version } content { digest } } }',
  '{ template(name: "personal/one", registry: "personal") { title description } }',
  '{ categories { name count } }',
  '{ registries { name health { status } } gateway { metrics { popularTemplates { name } } } }',
];
const headersOf = (who: string): Record<string, string> => {
  if (who === 'nobody') return {};
  return who === 'dashboards' ? { 'x-api-key': KEY } : { authorization: `Bearer ${tokens[who]}` };
};

describe('a registry that is asked in the name of each caller', () => {
  it('is never asked in another name, and what it said to one is in no answer to another, for any order of requests', async () => {
    const who = fc.constantFrom<string>(...PEOPLE, 'nobody', 'dashboards');
    const step = fc.array(fc.tuple(who, fc.nat(QUERIES.length - 1)), { minLength: 1, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 4 }), async (steps) => {
        for (const asked of steps) {
          await Promise.all(
            asked.map(async ([caller, at]) => {
              const { text } = await served.ask(QUERIES[at] ?? '', {}, headersOf(caller));
              for (const other of PEOPLE) if (other !== caller) expect(text).not.toContain(`canary-${other}`);
              for (const token of Object.values(tokens)) expect(text).not.toContain(token.slice(-30));
            }),
          );
        }
      }),
      { numRuns: 40 },
    );
    const allowed = new Set(Object.values(tokens).map((token) => `Bearer ${token}`));
    expect(personal.askedWithin().filter(({ authorization }) => !allowed.has(authorization ?? ''))).toEqual([]);
    expect(JSON.stringify(served.registries.flatMap(({ requests }) => requests))).not.toContain('Bearer');
    for (const token of Object.values(tokens)) expect(JSON.stringify(served.logLines)).not.toContain(token.slice(-30));
  });

  it('shows each caller its own, from the cache at the second time, and by its documents', async () => {
    for (const caller of ['ada', 'bob']) {
      const { data } = await served.ask(QUERIES[3] ?? '', {}, headersOf(caller));
      expect(data).toEqual({ template: { title: `canary-${caller}`, description: `canary-${caller}` } });
      const path = `${served.origin}/content/personal/${encodeURIComponent('personal/one')}/1.0.0`;
      const response = await fetch(path, { headers: headersOf(caller) });
      expect(await response.text()).toBe(JSON.stringify({ canary: `canary-${caller}` }));
    }
    personal.requests.length = 0;
    for (const caller of ['ada', 'bob']) await served.ask(QUERIES[3] ?? '', {}, headersOf(caller));
    expect(personal.askedWithin()).toEqual([]);
  });

  it.each(['nobody', 'dashboards'])('is not asked for %s, who has no token, and says what to do', async (caller) => {
    const { data } = await served.ask(QUERIES[0] ?? '', {}, headersOf(caller));
    expect(data).toMatchObject({
      search: {
        registries: expect.arrayContaining([
          {
            registry: { name: 'personal' },
            outcome: expect.stringMatching(/SKIPPED|FAILED/),
            error: { type: 'AUTHENTICATION', guidance: expect.stringContaining('in your own name') },
          },
        ]),
      },
    });
    expect(personal.askedWithin()).toEqual([]);
  });

  it('is still there for others after it refused the token of one again and again', async () => {
    for (let index = 0; index < 20; index += 1) {
      const query = `{ search(query: "words ${index}", first: 1) { registries { registry { name } error { type } } } }`;
      const { data } = await served.ask(query, {}, headersOf('eve'));
      expect(JSON.stringify(data)).toContain('AUTHENTICATION');
    }
    const { text } = await served.ask('{ search(query: "after that") { nodes { title } } }', {}, headersOf('ada'));
    expect(text).toContain('canary-ada');
    const { data } = await served.ask('{ registry(name: "personal") { health { status } } }', {}, headersOf('ada'));
    expect(data).toMatchObject({ registry: { health: { status: 'UP' } } });
  });

  it('is sent documents in the name of whoever publishes, and none for somebody without a token', async () => {
    const document = 'name: personal/new\nversion: 1.0.0\ntitle: New\n';
    const query = `mutation { publishTemplate(input: { registry: "personal", document: ${JSON.stringify(document)} }) { published error { type guidance } } }`;
    const sent = () =>
      personal.requests.filter(({ method }) => method === 'POST').map(({ authorization }) => authorization);
    expect((await served.ask(query, {}, headersOf('dashboards'))).data).toMatchObject({
      publishTemplate: {
        published: false,
        error: { type: 'AUTHENTICATION', guidance: expect.stringContaining('in your own name') },
      },
    });
    expect(sent()).toEqual([]);
    await served.ask(query, {}, headersOf('bob'));
    expect(sent()).toEqual([`Bearer ${tokens.bob}`]);
  });

  it('forgets all that it said to anybody when it is told to', async () => {
    const admin = await issuer.sign({ claims: { sub: 'root', roles: ['admin'] } });
    await served.ask(QUERIES[3] ?? '', {}, headersOf('ada'));
    personal.requests.length = 0;
    const { errors } = await served.ask(
      'mutation { invalidateCache(input: { registry: "personal" }) { removed } }',
      {},
      { authorization: `Bearer ${admin}` },
    );
    expect(errors).toEqual([]);
    await served.ask(QUERIES[3] ?? '', {}, headersOf('ada'));
    expect(personal.askedWithin().length).toBeGreaterThan(0);
  });
});

import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createServerState } from '../../src/server/server-state.ts';
import { createFixtureView, fixtureTemplate } from './fixture-view.ts';
import { serveFixture } from './serve-fixture.ts';
import { serveRegistries, wireTemplates } from './serve-registries.ts';

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');

describe('/healthz and /readyz', () => {
  it('tell that the process lives, and whether every registry was tried and none is leaving', async () => {
    const state = createServerState();
    await using served = await serveFixture({ state });
    const ask = async (path: string) => {
      const response = await fetch(served.origin + path);
      return [response.status, await response.json()];
    };
    expect(await ask('/healthz')).toEqual([200, { status: 'ok' }]);
    expect(await ask('/readyz')).toEqual([503, { status: 'starting' }]);
    state.isReady = true;
    expect(await ask('/readyz')).toEqual([200, { status: 'ready' }]);
    served.startDraining();
    expect(await ask('/readyz')).toEqual([503, { status: 'draining' }]);
    expect(await ask('/healthz')).toEqual([200, { status: 'ok' }]);
  });

  it('ready comes also when a registry cannot be reached', async () => {
    await using served = await serveRegistries({
      catalogs: { official: wireTemplates('one', 1) },
      more: [{ name: 'nobody', type: 'community', url: 'http://127.0.0.1:1', retry: { attempts: 0 } }],
    });
    await expect.poll(async () => (await fetch(`${served.origin}/readyz`)).status).toBe(200);
  });
});

describe('every answer', () => {
  it.each(['/', '/graphql?query={__typename}', '/healthz', '/content/a/b/c', '/nothing', '/explorer/start.js'])(
    '%s: is not sniffed, framed or told to other sites, and carries its request id',
    async (path) => {
      await using served = await serveFixture();
      const { headers } = await fetch(served.origin + path, { headers: { 'x-request-id': 'from-client_1' } });
      expect(headers.get('x-content-type-options')).toBe('nosniff');
      expect(headers.get('referrer-policy')).toBe('no-referrer');
      expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'");
      expect(headers.get('x-request-id')).toBe('from-client_1');
      expect(headers.has('x-powered-by')).toBe(false);
    },
  );

  it('gets an id of the gateway where the client gives none that can be used', async () => {
    await using served = await serveFixture();
    const { headers } = await fetch(`${served.origin}/healthz`, { headers: { 'x-request-id': 'a b<c>' } });
    expect(headers.get('x-request-id')).toMatch(/^[\w-]{16}\.[0-9a-z]+$/);
  });

  it('for an unknown path is a JSON 404, and for writing a 405', async () => {
    await using served = await serveFixture();
    const unknown = await fetch(`${served.origin}/../etc/passwd`);
    expect([unknown.status, await unknown.json()]).toEqual([
      404,
      { error: { code: 'NOT_FOUND', message: 'There is nothing at this path. GraphQL is at /graphql.' } },
    ]);
    const written = await fetch(`${served.origin}/healthz`, { method: 'DELETE' });
    expect([written.status, written.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
  });
});

describe('/content/{registry}/{name}/{version}', () => {
  const text = 'name: org/base\n<script>alert(1)</script>\n';
  const digest = `sha256:${sha256(text)}`;
  const content = (mediaType: string) =>
    createFixtureView({
      lookUpTemplate: async (name, version, registryName) =>
        name === 'org/base' && version === '1.2.0' && registryName === 'official' ? fixtureTemplate({ name }) : null,
      contentOf: async () => ({ bytes: new TextEncoder().encode(text), mediaType, digest }),
    });

  it.each(['/content/official/org%2Fbase/1.2.0', '/content/official/org/base/1.2.0'])(
    '%s is the document, with its digest',
    async (path) => {
      await using served = await serveFixture({ viewFor: () => content('application/yaml') });
      const response = await fetch(served.origin + path);
      expect([response.status, await response.text()]).toEqual([200, text]);
      expect(response.headers.get('etag')).toBe(`"${digest}"`);
      expect(response.headers.get('repr-digest')).toBe(
        `sha-256=:${createHash('sha256').update(text).digest('base64')}:`,
      );
      expect(response.headers.get('content-type')).toBe('application/yaml');
      expect(response.headers.get('content-disposition')).toBe('attachment; filename="org-base-1.2.0.yaml"');
      expect(response.headers.get('content-security-policy')).toContain('sandbox');
    },
  );

  it('is not sent again to a client that has it, nor at all for HEAD', async () => {
    await using served = await serveFixture({ viewFor: () => content('application/yaml') });
    const url = `${served.origin}/content/official/org%2Fbase/1.2.0`;
    const again = await fetch(url, { headers: { 'if-none-match': `"other", W/"${digest}"` } });
    expect([again.status, await again.text()]).toEqual([304, '']);
    const head = await fetch(url, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      200,
      String(text.length),
      '',
    ]);
  });

  it.each(['text/html', 'image/svg+xml', 'application/xhtml+xml', 'text/html; charset=utf-8', 'nonsense'])(
    'is never served as %s, which a browser might run',
    async (mediaType) => {
      await using served = await serveFixture({ viewFor: () => content(mediaType) });
      const response = await fetch(`${served.origin}/content/official/org%2Fbase/1.2.0`);
      expect(response.headers.get('content-type')).toBe('application/octet-stream');
    },
  );

  it.each([
    '/content/official/org%2Fbase/9.9.9',
    '/content/nobody/org%2Fbase/1.2.0',
    '/content/official/org%2Fbase',
    '/content/official//1.2.0',
    '/content/official/%ff/1.2.0',
    '/content/official/a%0d%0ab/1.2.0',
    `/content/official/${'x'.repeat(300)}/1.2.0`,
    '/content/',
  ])('%s is a 404', async (path) => {
    await using served = await serveFixture({ viewFor: () => content('application/yaml') });
    expect((await fetch(served.origin + path)).status).toBe(404);
  });

  it('is what `content` of a template says, and where it says', async () => {
    await using served = await serveRegistries({ catalogs: { official: wireTemplates('org/one', 1) } });
    const { data } = await served.ask(
      '{ template(name: "org/one-00") { content { text mediaType bytes digest url } } }',
    );
    const { template } = data as {
      template: { content: { text: string; bytes: number; digest: string; url: string } };
    };
    const response = await fetch(template.content.url);
    const body = await response.text();
    expect(response.status).toBe(200);
    expect(template.content).toMatchObject({ text: body, bytes: body.length, digest: `sha256:${sha256(body)}` });
    expect(response.headers.get('etag')).toBe(`"${template.content.digest}"`);
  });
});

describe('GraphiQL at /', () => {
  it('loads everything from the gateway itself, under a policy that allows nothing else', async () => {
    await using served = await serveFixture();
    const page = await fetch(`${served.origin}/`);
    const html = await page.text();
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    expect(page.headers.get('content-security-policy')).toContain("default-src 'none'; script-src 'self'");
    const loaded = [...html.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
    expect(loaded).toEqual(['data:,', '/explorer/graphiql.css', '/explorer/graphiql.js', '/explorer/start.js']);
    const workers = ['editor', 'json', 'graphql'].map((name) => `/explorer/${name}-worker.js`);
    for (const path of [...loaded.slice(1), ...workers]) {
      const response = await fetch(served.origin + path);
      expect([path, response.status]).toEqual([path, 200]);
      expect((await response.text()).length).toBeGreaterThan(100);
      const etag = response.headers.get('etag') ?? '';
      expect((await fetch(served.origin + path, { headers: { 'if-none-match': etag } })).status).toBe(304);
    }
    expect((await fetch(`${served.origin}/explorer/package.json`)).status).toBe(404);
    const ask = (encoding: string) =>
      fetch(`${served.origin}/explorer/start.js`, { headers: { 'accept-encoding': encoding } });
    const [plain, refused, compressed] = await Promise.all([ask('identity'), ask('br, gzip;q=0'), ask('gzip, br')]);
    expect([plain, refused, compressed].map(({ headers }) => headers.get('content-encoding'))).toEqual([
      null,
      null,
      'gzip',
    ]);
    expect(await compressed.text()).toBe(await plain.text());
    expect(compressed.headers.get('etag')).not.toBe(plain.headers.get('etag'));
  });
});

describe('access', () => {
  const key = 'a-key-of-physics';
  const auth = { apiKeys: [{ id: 'physics', sha256: sha256(key), roles: ['researcher'], groups: ['physics'] }] };
  const options = {
    catalogs: { official: wireTemplates('one', 2), hidden: wireTemplates('two', 2) },
    settings: { hidden: { type: 'private', access: { groups: ['physics'] } } },
    auth,
  };

  it('a registry that a caller may not see is absent for it everywhere', async () => {
    await using served = await serveRegistries(options);
    const known = { authorization: `Bearer ${key}` };
    const look =
      '{ viewer { authenticated subject registries { name } } registries { name priority url } search { totalCount nodes { id name } registries { registry { name } } } template(name: "two-00") { id name } categories { count } gateway { health { registriesTotal } } }';
    const seen = await served.ask(look, {}, known);
    expect(seen.data).toMatchObject({
      viewer: { authenticated: true, subject: 'physics', registries: [{ name: 'hidden' }, { name: 'official' }] },
      registries: [
        { name: 'hidden', priority: 1, url: null },
        { name: 'official', priority: 2 },
      ],
      search: { totalCount: 4 },
      template: { name: 'two-00' },
      gateway: { health: { registriesTotal: 2 } },
    });
    const hidden = await served.ask(look);
    expect(hidden.errors).toEqual([]);
    expect(hidden.data).toMatchObject({
      viewer: { authenticated: false, subject: null, registries: [{ name: 'official' }] },
      registries: [{ name: 'official', priority: 1 }],
      search: { totalCount: 2 },
      template: null,
      categories: [{ count: 2 }],
      gateway: { health: { registriesTotal: 1 } },
    });
    expect(hidden.text).not.toContain('hidden');
    const { id } = (seen.data as { template: { id: string } }).template;
    expect((await served.ask('query N($id: ID!) { node(id: $id) { id } }', { id }, known)).data).toEqual({
      node: { id },
    });
    expect(await served.ask('query N($id: ID!) { node(id: $id) { id } }', { id })).toMatchObject({
      data: { node: null },
      errors: [],
    });
    const path = `${served.origin}/content/hidden/two-00/1.0.0`;
    expect([(await fetch(path, { headers: known })).status, (await fetch(path)).status]).toEqual([200, 404]);
    const unknown = (await served.ask('{ registry(name: "hidde") { name } }')).text;
    expect(unknown).not.toContain('hidden');
  });

  it('a wrong key is UNAUTHENTICATED, and never an anonymous caller', async () => {
    await using served = await serveRegistries(options);
    const { status, errors } = await served.ask('{ viewer { subject } }', {}, { 'x-api-key': 'wrong' });
    expect([status, errors[0]?.extensions.code]).toEqual([401, 'UNAUTHENTICATED']);
    expect((await fetch(`${served.origin}/readyz`, { headers: { authorization: 'Bearer wrong' } })).status).toBe(401);
  });

  it('where anonymous callers are denied, all there is for them is /healthz', async () => {
    await using served = await serveRegistries({ ...options, auth: { ...auth, anonymous: 'deny' } });
    const paths = [
      '/',
      '/readyz',
      '/nothing',
      '/content/official/one-00/1.0.0',
      '/explorer/start.js',
      '/graphql?query={__typename}',
    ];
    for (const path of paths) {
      const response = await fetch(served.origin + path);
      expect([path, response.status, response.headers.get('www-authenticate')]).toEqual([
        path,
        401,
        'Bearer realm="marketplace"',
      ]);
    }
    expect((await fetch(`${served.origin}/healthz`)).status).toBe(200);
    const { data } = await served.ask('{ viewer { subject } }', {}, { 'x-api-key': key });
    expect(data).toEqual({ viewer: { subject: 'physics' } });
  });
});

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { BadCursor, RegistriesUnavailable, RegistryFailure, TemplateWithdrawn } from '../../src/domain/errors.ts';
import { createFixtureView } from './fixture-view.ts';
import { serveFixture } from './serve-fixture.ts';
import { serveRegistries, wireTemplates } from './serve-registries.ts';

const SECRET = 'hunter2-hunter2';
/** What an upstream, or a defect, might put into its errors. */
const UPSTREAM_TEXT = `Error: password ${SECRET}\n    at connect (/srv/private/app.js:10:5)\n    https://10.1.2.3:8443/internal`;
const LEAKS = [SECRET, '10.1.2.3', '8443', '127.0.0.1', '/srv/', 'app.js', '    at ', 'node:internal', 'node_modules'];

function expectNoLeak(text: string, more: readonly string[] = []): void {
  for (const leak of [...LEAKS, ...more]) expect(text).not.toContain(leak);
}

describe('what went wrong', () => {
  it('in the gateway itself reaches the client as a request id, and the log as it was', async () => {
    const broken = () => Promise.reject(new TypeError(UPSTREAM_TEXT));
    await using served = await serveFixture({
      viewFor: () => createFixtureView({ search: broken, versionsOf: broken }),
    });
    const { text, errors, data } = await served.ask(
      '{ search { totalCount } template(name: "org/base") { name versions { version } } }',
      {},
      { 'x-request-id': 'mine-1' },
    );
    expectNoLeak(text);
    expect(data).toEqual({ search: null, template: { name: 'org/base', versions: null } });
    expect(errors.map(({ extensions, path }) => ({ extensions, path }))).toEqual(
      expect.arrayContaining([
        { extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'mine-1' }, path: ['search'] },
        { extensions: { code: 'INTERNAL_SERVER_ERROR', requestId: 'mine-1' }, path: ['template', 'versions'] },
      ]),
    );
    const logged = served.logLines.filter((line) => line.requestId === 'mine-1' && line.level === 50);
    expect(logged).toHaveLength(2);
    expect(JSON.stringify(logged)).toContain(SECRET);
  });

  it('while a request is set up is masked as well', async () => {
    await using served = await serveFixture({
      viewFor: () => {
        throw new TypeError(UPSTREAM_TEXT);
      },
    });
    const { status, text, errors } = await served.ask('{ viewer { subject } }');
    expect([status, errors[0]?.extensions.code]).toEqual([500, 'INTERNAL_SERVER_ERROR']);
    expectNoLeak(text);
    const content = await fetch(`${served.origin}/content/official/org%2Fbase/1.2.0`);
    expect(content.status).toBe(500);
    expectNoLeak(await content.text());
  });

  it('has one code each: absent, withdrawn and unreachable are told apart', async () => {
    const failure = new RegistryFailure('TIMEOUT', 'official', { retryAfterMs: 7, logDetail: UPSTREAM_TEXT });
    const answers: Record<string, () => Promise<null>> = {
      absent: async () => null,
      withdrawn: () => Promise.reject(new TemplateWithdrawn('withdrawn', '1.0.0')),
      unreachable: () => Promise.reject(new RegistriesUnavailable([failure])),
      cursor: () => Promise.reject(new BadCursor('after')),
    };
    await using served = await serveFixture({
      viewFor: () => createFixtureView({ lookUpTemplate: (name) => answers[name]?.() ?? Promise.resolve(null) }),
    });
    const ask = async (name: string) =>
      (await served.ask(`{ template(name: "${name}") { name } }`)).errors[0]?.extensions;
    expect(await ask('absent')).toBeUndefined();
    expect(await ask('withdrawn')).toEqual({ code: 'WITHDRAWN' });
    expect(await ask('cursor')).toEqual({ code: 'BAD_CURSOR', field: 'after' });
    const unreachable = await ask('unreachable');
    expect(unreachable).toEqual({
      code: 'REGISTRY_ERROR',
      registries: [failure.toView()],
      alternatives: ['org/base', 'org/python-ml', 'genomics'],
    });
    expectNoLeak(JSON.stringify(unreachable));
  });

  it('with a field of one template is an error of that field, with the registry it speaks of', async () => {
    const failure = new RegistryFailure('PROTOCOL', 'official');
    await using served = await serveFixture({
      viewFor: () => createFixtureView({ contentOf: () => Promise.reject(failure) }),
    });
    const { data, errors } = await served.ask('{ template(name: "org/base") { name content { text } } }');
    expect(data).toEqual({ template: { name: 'org/base', content: null } });
    expect(errors[0]?.extensions).toEqual({ code: 'REGISTRY_ERROR', registries: [failure.toView()], alternatives: [] });
  });
});

/** A registry that puts all it knows into its errors. */
async function startTalkativeRegistry(status: number) {
  const server = createServer((_, response) => {
    response.writeHead(status, UPSTREAM_TEXT.split('\n')[0], {
      'content-type': 'application/json',
      'x-powered-by': SECRET,
    });
    response.end(
      JSON.stringify({
        error: { code: SECRET, message: UPSTREAM_TEXT },
        templates: [{ name: SECRET }],
        stack: UPSTREAM_TEXT,
      }),
    );
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `http://127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => void server.close().closeAllConnections(),
  };
}

const EVERYTHING =
  '{ search(query: "one") { partial registries { outcome error { type message guidance statusCode } } nodes { name sources ' +
  '{ version } sourcesComplete versions { version } content { text } parent { name } alternatives { name } } } ' +
  'required: search(require: ["talkative"]) { totalCount } template(name: "absent") { name } ' +
  'there: template(name: "absent", registry: "talkative") { name } categories { name } ' +
  'registries { name health { status message circuits { state } } } gateway { health { message } metrics { errors { name } } } }';

describe('an upstream that puts its address, its secrets and its stack into its errors', () => {
  it.each([200, 400, 401, 403, 404, 429, 500, 503])('shows none of them to a client: status %i', async (status) => {
    await using talkative = await startTalkativeRegistry(status);
    await using served = await serveRegistries({
      catalogs: { official: wireTemplates('one', 3) },
      more: [
        {
          name: 'talkative',
          type: 'institutional',
          url: talkative.url,
          credentials: { type: 'token', token: `token-${SECRET}` },
          retry: { attempts: 0 },
        },
      ],
    });
    const { text, data } = await served.ask(EVERYTHING);
    expectNoLeak(text, [String(talkative.port)]);
    expect(data).toMatchObject({ search: { nodes: [{ name: 'one-00' }, { name: 'one-01' }, { name: 'one-02' }] } });
    const content = await fetch(`${served.origin}/content/talkative/x/1`);
    expectNoLeak(JSON.stringify([...content.headers]) + (await content.text()), [String(talkative.port)]);
  });

  it('shows no address when nothing listens there', async () => {
    const { port, url, ...closed } = await startTalkativeRegistry(500);
    await closed[Symbol.asyncDispose]();
    await using served = await serveRegistries({
      catalogs: { official: wireTemplates('one', 3) },
      more: [{ name: 'talkative', type: 'institutional', url, retry: { attempts: 0 } }],
    });
    const { text, errors } = await served.ask(EVERYTHING);
    expectNoLeak(text, [String(port), 'ECONNREFUSED']);
    const required = errors.find(({ path }) => Array.isArray(path) && path[0] === 'required');
    expect(required?.extensions).toMatchObject({
      code: 'REGISTRY_ERROR',
      registries: [{ type: 'CONNECTION', registryName: 'talkative' }],
    });
  });
});

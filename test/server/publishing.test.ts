import { hash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import sshpk from 'sshpk';
import { describe, expect, it } from 'vitest';
import { createRegistry, type RegistryOptions } from '../../registry/registry.ts';
import { serveRegistries } from './serve-registries.ts';

const KEYS = {
  publisher: 'key-of-a-publisher-0123456789',
  reader: 'key-of-a-reader-0123456789',
  limited: 'key-of-a-publisher-elsewhere-0123456789',
};
const AUTH = {
  apiKeys: [
    {
      id: 'publisher',
      sha256: hash('sha256', KEYS.publisher),
      roles: ['publisher', 'admin', 'auditor'],
      groups: ['physics'],
    },
    { id: 'reader', sha256: hash('sha256', KEYS.reader), roles: ['researcher'] },
    { id: 'limited', sha256: hash('sha256', KEYS.limited), roles: ['publisher'] },
  ],
};
const AS = (key: keyof typeof KEYS) => ({ authorization: `Bearer ${KEYS[key]}` });

const PUBLISH = `mutation ($input: PublishTemplateInput!) {
  publishTemplate(input: $input) {
    published
    template { name version title registry { name } }
    error { type registryName message statusCode guidance }
  }
}`;

const DOCUMENT = 'name: uni/new\nversion: "1.0.0"\ntitle: New\ncategory: ml\n';

/** A registry of an institution, which takes publications, and an official one. */
async function servePublishing(options: RegistryOptions = {}, settings: Record<string, unknown> = {}) {
  const writable = createRegistry({
    templates: [{ name: 'uni/old', version: '1.0.0', category: 'ml' }],
    publishTokens: ['publish-token'],
    ...options,
  });
  const url = await writable.listen();
  const served = await serveRegistries({
    catalogs: { official: [{ name: 'base', version: '1.0.0', category: 'ml' }] },
    settings: { official: { claims: ['base*'] } },
    more: [
      {
        name: 'university',
        type: 'institutional',
        url,
        credentials: { type: 'token', token: 'publish-token' },
        ...settings,
      },
    ],
    auth: AUTH,
    document: { publish: { defaultRegistry: 'university' } },
  });
  const publish = async (input: Record<string, unknown>, headers: Record<string, string> = AS('publisher')) => {
    const { data, errors } = await served.ask(PUBLISH, { input }, headers);
    const answer = (data as { publishTemplate?: unknown } | null)?.publishTemplate ?? null;
    return { answer, codes: errors.map(({ extensions }) => extensions.code), errors };
  };
  return {
    ...served,
    writable,
    publish,
    sent: () => writable.requests.filter(({ method }) => method === 'POST'),
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]();
      await writable.close();
    },
  };
}

describe('publishing a template', () => {
  it('sends the document as it is given, with its digest, to the registry that is named or the default', async () => {
    await using gateway = await servePublishing();
    const { answer } = await gateway.publish({ document: DOCUMENT });
    expect(answer).toEqual({
      published: true,
      template: { name: 'uni/new', version: '1.0.0', title: 'New', registry: { name: 'university' } },
      error: null,
    });
    const json = JSON.stringify({ name: 'uni/other', version: '2.0.0' });
    expect((await gateway.publish({ registry: 'university', document: json })).answer).toMatchObject({
      published: true,
    });
    const [first, second] = gateway.sent();
    expect(first?.headers).toMatchObject({
      'content-type': 'application/yaml',
      'repr-digest': `sha-256=:${hash('sha256', DOCUMENT, 'base64')}:`,
    });
    expect(second?.headers['content-type']).toBe('application/json');
    const content = await fetch(`${gateway.origin}/content/university/uni%2Fnew/1.0.0`);
    expect(await content.text()).toBe(DOCUMENT);
  });

  it('is read at once by whoever asks, whatever was kept before', async () => {
    await using gateway = await servePublishing();
    const read = `{
      template(name: "uni/new") { version }
      old: template(name: "uni/old") { version }
      search(filter: { categories: ["ml"] }, orderBy: { field: NAME }) { nodes { name } totalCount }
      categories { name count }
    }`;
    for (let time = 0; time < 3; time += 1) {
      expect((await gateway.ask(read)).data).toMatchObject({
        template: null,
        search: { nodes: [{ name: 'base' }, { name: 'uni/old' }], totalCount: 2 },
      });
    }
    await gateway.publish({ document: DOCUMENT });
    expect((await gateway.ask(read)).data).toMatchObject({
      template: { version: '1.0.0' },
      search: { nodes: [{ name: 'base' }, { name: 'uni/new' }, { name: 'uni/old' }], totalCount: 3 },
      categories: [{ name: 'ml', count: 3 }],
    });
    await gateway.publish({ document: DOCUMENT.replace('1.0.0', '1.1.0') });
    expect((await gateway.ask(read)).data).toMatchObject({ template: { version: '1.1.0' } });
  });

  it('drops no answer that does not concern it', async () => {
    await using gateway = await servePublishing();
    const reads = [
      '{ template(name: "uni/old") { version } }',
      '{ search(filter: { categories: ["bio"] }) { totalCount } }',
    ];
    for (const read of reads) await gateway.ask(read);
    await gateway.publish({ document: DOCUMENT });
    gateway.forgetArrivals();
    gateway.writable.clearRequests();
    for (const read of reads) await gateway.ask(read);
    expect(gateway.writable.requests.map(({ path, query }) => `${path}?${query}`)).toEqual([]);
  });

  it('takes the same document twice for once, and another one under the same version for a conflict', async () => {
    await using gateway = await servePublishing();
    await gateway.publish({ document: DOCUMENT });
    expect((await gateway.publish({ document: DOCUMENT })).answer).toMatchObject({ published: true, error: null });
    const other = await gateway.publish({ document: `${DOCUMENT}description: another one\n` });
    expect(other.answer).toMatchObject({
      published: false,
      template: null,
      error: { type: 'CONFLICT', registryName: 'university', statusCode: 409 },
    });
  });

  it('says in a dry run what would come of it, and sends nothing', async () => {
    await using gateway = await servePublishing();
    const dry = (document: string) => gateway.publish({ document, dryRun: true });
    expect((await dry(DOCUMENT)).answer).toEqual({ published: false, template: null, error: null });
    expect((await dry('name: base/x\nversion: "1"\n')).answer).toMatchObject({ error: { type: 'INVALID' } });
    expect((await dry('version: "1"\n')).answer).toMatchObject({ error: { type: 'INVALID' } });
    const taken = JSON.stringify({ name: 'uni/old', version: '1.0.0' });
    expect((await dry(taken)).answer).toMatchObject({ published: false, error: { type: 'CONFLICT' } });
    expect(gateway.sent()).toEqual([]);
  });

  it('needs the role publisher, and nothing is sent or told without it', async () => {
    await using gateway = await servePublishing();
    gateway.writable.clearRequests();
    expect((await gateway.publish({ document: DOCUMENT }, {})).codes).toEqual(['UNAUTHENTICATED']);
    expect((await gateway.publish({ document: DOCUMENT }, AS('reader'))).codes).toEqual(['FORBIDDEN']);
    expect(gateway.writable.requests.filter(({ path }) => path.includes('templates'))).toEqual([]);
  });

  it.each([
    [{ publishTokens: ['another-token'] }, 'AUTHENTICATION', 401],
    [{ publishTokens: ['another-token'], readTokens: ['publish-token'] }, 'AUTHORIZATION', 403],
    [{ readOnly: true }, 'READ_ONLY', 403],
  ] as const)('needs the right of the registry as well: %j', async (options, type, statusCode) => {
    await using gateway = await servePublishing(options);
    const { answer } = await gateway.publish({ document: DOCUMENT });
    expect(answer).toMatchObject({ published: false, error: { type, statusCode } });
    expect(JSON.stringify(answer)).not.toContain('publish-token');
  });

  it('goes to no official registry, and to none that is configured to be read-only', async () => {
    await using gateway = await servePublishing();
    const official = await gateway.publish({ registry: 'official', document: DOCUMENT });
    expect(official.answer).toMatchObject({ published: false, error: { type: 'READ_ONLY', registryName: 'official' } });
    const { data } = await gateway.ask('{ registries { name writable } }');
    expect(data).toEqual({
      registries: [
        { name: 'university', writable: true },
        { name: 'official', writable: false },
      ],
    });
    expect(gateway.countArrivals()).toBe(1);
  });

  it('refuses a name that another registry claims, however it is written, and does not say which', async () => {
    await using gateway = await servePublishing();
    for (const name of ['base', 'BASE/x', 'ｂase/x']) {
      const { answer } = await gateway.publish({ document: JSON.stringify({ name, version: '1' }) });
      expect(answer).toMatchObject({ published: false, error: { type: 'INVALID', registryName: 'university' } });
      expect(JSON.stringify(answer)).not.toContain('official');
    }
    expect(gateway.sent()).toEqual([]);
  });

  it('takes a registry that the caller may not see for none, the default as well', async () => {
    await using gateway = await servePublishing({}, { access: { groups: ['physics'] } });
    const named = await gateway.publish({ registry: 'university', document: DOCUMENT }, AS('limited'));
    expect(named.codes).toEqual(['BAD_USER_INPUT']);
    const byDefault = await gateway.publish({ document: DOCUMENT }, AS('limited'));
    expect(byDefault.codes).toEqual(['BAD_USER_INPUT']);
    expect(JSON.stringify(byDefault.errors)).not.toContain('university');
    expect((await gateway.publish({ document: DOCUMENT })).answer).toMatchObject({ published: true });
  });

  it('is on record, whatever came of it', async () => {
    await using gateway = await servePublishing();
    await gateway.publish({ document: DOCUMENT });
    await gateway.publish({ document: DOCUMENT, dryRun: true });
    await gateway.publish({ document: 'name: [' });
    await gateway.publish({ registry: 'official', document: DOCUMENT });
    await gateway.ask(
      'mutation { resetCircuit(input: { registry: "official" }) { registry { id } } }',
      {},
      AS('publisher'),
    );
    const events =
      '{ auditEvents(filter: { actor: "publisher" }) { nodes { actor action registryName template version outcome detail } } }';
    const { data } = await gateway.ask(events, {}, AS('publisher'));
    const { nodes } = (data as { auditEvents: { nodes: unknown[] } }).auditEvents;
    const published = { actor: 'publisher', action: 'template.publish', registryName: 'university' };
    const document = { template: 'uni/new', version: '1.0.0' };
    expect(nodes).toMatchObject([
      { action: 'circuit.reset', registryName: 'official', outcome: 'SUCCEEDED', template: null },
      { ...published, ...document, registryName: 'official', outcome: 'DENIED', detail: 'READ_ONLY' },
      { ...published, template: null, outcome: 'FAILED', detail: 'INVALID' },
      { ...published, ...document, outcome: 'SUCCEEDED', detail: 'dry run' },
      { ...published, ...document, outcome: 'SUCCEEDED', detail: null },
    ]);
  });

  it('signs the document with an SSH key where the registry knows callers by these', async () => {
    const key = sshpk.generatePrivateKey('ed25519');
    await using gateway = await servePublishing(
      { publishTokens: [], authorizedKeys: [key.toPublic().toString('ssh')] },
      { credentials: { type: 'ssh_key', key: await writeKey(key.toString('openssh')) } },
    );
    expect((await gateway.publish({ document: DOCUMENT })).answer).toMatchObject({ published: true });
    // The registry takes no signature that does not cover the document's digest.
    expect(gateway.sent()).toHaveLength(1);
  });
});

async function writeKey(text: string): Promise<string> {
  const { mkdtemp, writeFile } = await import('node:fs/promises');
  const { tmpdir } = await import('node:os');
  const { join } = await import('node:path');
  const path = join(await mkdtemp(join(tmpdir(), 'marketplace-key-')), 'id');
  await writeFile(path, text, { mode: 0o600 });
  return path;
}

/** A registry that answers publications as the test says, and everything else as one that has what was published. */
async function startOddRegistry(answer: (request: IncomingMessage, response: ServerResponse, time: number) => void) {
  const published: string[] = [];
  let kept: Record<string, unknown> | null = null;
  const server = createServer((request, response) => {
    const send = (status: number, body: unknown) => {
      response.writeHead(status, { 'content-type': 'application/json' });
      response.end(JSON.stringify(body));
    };
    if (request.method === 'POST') {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        published.push(Buffer.concat(chunks).toString());
        answer(request, response, published.length);
      });
    } else if (request.url?.startsWith('/api/v1/templates/')) send(kept === null ? 404 : 200, kept);
    else if (request.url?.startsWith('/api/v1/search')) send(200, { templates: [], total_count: 0 });
    else send(200, request.url?.endsWith('/health') ? { status: 'ok' } : []);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    published,
    keep: (template: Record<string, unknown> | null) => {
      kept = template;
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('a report of an installation', () => {
  const report = `mutation ($template: String!, $registry: String!) {
    reportInstallation(
      input: { registry: $registry, template: $template, version: "1.0.0", outcome: SUCCEEDED, message: "on a cluster" }
    ) { recorded }
  }`;

  it('is counted and on record where the template is one that the caller sees, and who calls is known', async () => {
    await using gateway = await servePublishing({}, { access: { groups: ['physics'] } });
    const say = async (template: string, registry: string, headers: Record<string, string>) => {
      const { data, errors } = await gateway.ask(report, { template, registry }, headers);
      return errors[0]?.extensions.code ?? data;
    };
    expect(await say('uni/old', 'university', AS('publisher'))).toEqual({ reportInstallation: { recorded: true } });
    expect(await say('uni/none', 'university', AS('publisher'))).toBe('BAD_USER_INPUT');
    // Claimed by another registry, whoever has it.
    expect(await say('base', 'university', AS('publisher'))).toBe('BAD_USER_INPUT');
    expect(await say('uni/old', 'university', AS('reader'))).toBe('BAD_USER_INPUT');
    expect(await say('base', 'official', {})).toBe('UNAUTHENTICATED');
    const counts = `{ gateway { metrics {
      installations { name count } popularTemplates { name installations }
    } } }`;
    const countsFor = async (key: keyof typeof KEYS) => {
      const { data } = await gateway.ask(counts, {}, AS(key));
      return (data as { gateway: { metrics: { installations: { count: number }[] } } }).gateway.metrics;
    };
    expect((await countsFor('publisher')).installations).toContainEqual({ name: 'SUCCEEDED', count: 1 });
    expect((await countsFor('reader')).installations.filter(({ count }) => count > 0)).toEqual([]);
    const events = '{ auditEvents(filter: { action: "installation.report" }) { nodes { actor template detail } } }';
    expect((await gateway.ask(events, {}, AS('publisher'))).data).toMatchObject({
      auditEvents: { nodes: [{ actor: 'publisher', template: 'uni/old', detail: 'SUCCEEDED: on a cluster' }] },
    });
  });
});

describe('a publication to a registry that fails', () => {
  const template = { name: 'uni/new', version: '1.0.0', digest: `sha256:${hash('sha256', DOCUMENT)}` };
  const serveOdd = (url: string, settings: Record<string, unknown> = {}) =>
    serveRegistries({
      catalogs: {},
      more: [{ name: 'odd', type: 'community', url, ...settings }],
      auth: AUTH,
    });
  const publish = async ({ ask }: Awaited<ReturnType<typeof serveOdd>>) => {
    const { data } = await ask(PUBLISH, { input: { registry: 'odd', document: DOCUMENT } }, AS('publisher'));
    return (data as { publishTemplate: unknown }).publishTemplate;
  };

  it('is sent again when its connection was lost, and is published once', async () => {
    await using odd = await startOddRegistry((request, response, time) => {
      odd.keep(template);
      if (time === 1) request.socket.destroy();
      else {
        response.writeHead(409, { etag: `"${template.digest}"` }).end('{"error":{"code":"version_exists"}}');
      }
    });
    await using gateway = await serveOdd(odd.url, { retry: { attempts: 2, baseDelay: 1 } });
    expect(await publish(gateway)).toMatchObject({ published: true, template: { name: 'uni/new' }, error: null });
    expect(odd.published).toEqual([DOCUMENT, DOCUMENT]);
  });

  it('is judged by what is listed where a 409 does not say what is there', async () => {
    await using odd = await startOddRegistry((_, response) => void response.writeHead(409).end());
    await using gateway = await serveOdd(odd.url);
    odd.keep(template);
    expect(await publish(gateway)).toMatchObject({ published: true });
    odd.keep({ ...template, digest: `sha256:${'0'.repeat(64)}` });
    expect(await publish(gateway)).toMatchObject({ published: false, error: { type: 'CONFLICT', statusCode: 409 } });
  });

  it('is no success where a proxy answers in its place', async () => {
    await using odd = await startOddRegistry(
      (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<form>sign in</form>'),
    );
    await using gateway = await serveOdd(odd.url);
    expect(await publish(gateway)).toMatchObject({ published: false, error: { type: 'PROTOCOL' } });
  });

  it.each([301, 302, 303])('does not follow a redirect that would make a GET of it: %d', async (status) => {
    await using odd = await startOddRegistry(
      (_, response) => void response.writeHead(status, { location: '/api/v1/templates/uni%2Fnew' }).end(),
    );
    await using gateway = await serveOdd(odd.url);
    odd.keep(template);
    expect(await publish(gateway)).toMatchObject({ published: false, error: { type: 'PROTOCOL' } });
    expect(odd.published).toHaveLength(1);
  });

  it('says that it may have been taken where nobody knows, and forgets what is kept of it', async () => {
    await using odd = await startOddRegistry((request) => {
      odd.keep(template);
      request.socket.destroy();
    });
    await using gateway = await serveOdd(odd.url, { retry: { attempts: 0 } });
    const look = '{ template(name: "uni/new") { version } }';
    expect((await gateway.ask(look)).data).toEqual({ template: null });
    expect(await publish(gateway)).toMatchObject({
      published: false,
      error: { type: 'CONNECTION', guidance: expect.stringContaining('Publish it again') },
    });
    expect((await gateway.ask(look)).data).toEqual({ template: { version: '1.0.0' } });
  });

  it('opens the circuit of publications alone, and an admin closes it', async () => {
    await using odd = await startOddRegistry((_, response) => void response.writeHead(500).end());
    await using gateway = await serveOdd(odd.url, { circuit: { volumeThreshold: 2, resetTimeout: '1h' } });
    for (let time = 0; time < 2; time += 1) await publish(gateway);
    expect(await publish(gateway)).toMatchObject({ error: { type: 'CIRCUIT_OPEN' } });
    expect(odd.published).toHaveLength(2);
    expect((await gateway.ask('{ search { partial } }')).data).toEqual({ search: { partial: false } });
    const reset = `mutation ($operation: RegistryOperation) {
      resetCircuit(input: { registry: "odd", operation: $operation }) {
        registry { health { circuits { operation state } } }
      }
    }`;
    expect((await gateway.ask(reset, {}, AS('reader'))).errors[0]?.extensions.code).toBe('FORBIDDEN');
    const stateOf = async (operation: string | null) => {
      const { data } = await gateway.ask(reset, { operation }, AS('publisher'));
      const { registry } = (data as { resetCircuit: { registry: { health: { circuits: unknown[] } } } }).resetCircuit;
      return registry.health.circuits;
    };
    expect(await stateOf('SEARCH')).toContainEqual({ operation: 'PUBLISH', state: 'OPEN' });
    expect(await stateOf(null)).toContainEqual({ operation: 'PUBLISH', state: 'CLOSED' });
    // As if nothing had failed: one more failure opens nothing.
    expect(await publish(gateway)).toMatchObject({ error: { type: 'SERVER' } });
    expect(await publish(gateway)).toMatchObject({ error: { type: 'SERVER' } });
    expect(odd.published).toHaveLength(4);
  });
});

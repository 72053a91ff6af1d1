import { createHmac } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HeldTrail } from '../helpers/held-trail.ts';
import { serveFixture } from './serve-fixture.ts';
import { type ServedRegistries, serveRegistries, wireTemplates } from './serve-registries.ts';

const KEYS = {
  admin: 'an-admin-key-0123456789',
  auditor: 'an-auditor-key-0123456789',
  physicist: 'a-physicist-key-0123456789',
  nobody: 'a-key-without-roles-0123456789',
};

async function sha256(text: string): Promise<string> {
  return Buffer.from(await crypto.subtle.digest('SHA-256', Buffer.from(text))).toString('hex');
}

async function makeAuth() {
  return {
    apiKeys: [
      { id: 'ada', sha256: await sha256(KEYS.admin), roles: ['admin'], groups: [] },
      { id: 'otto', sha256: await sha256(KEYS.auditor), roles: ['auditor'], groups: [] },
      { id: 'paula', sha256: await sha256(KEYS.physicist), roles: ['auditor'], groups: ['physics'] },
      { id: 'nora', sha256: await sha256(KEYS.nobody), roles: [], groups: [] },
    ],
  };
}

const bearer = (key: string) => ({ authorization: `Bearer ${key}` });

const EVENTS = `query ($filter: AuditFilter, $first: Int, $after: String) {
  auditEvents(filter: $filter, first: $first, after: $after) {
    totalCount
    pageInfo { hasNextPage hasPreviousPage endCursor startCursor }
    nodes { id at actor action registryName template version outcome requestId detail occurrences hash previousHash }
  }
}`;

interface Connection {
  readonly totalCount: number;
  readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string | null };
  readonly nodes: readonly Record<string, unknown>[];
}

async function readEvents(
  { ask }: Pick<ServedRegistries, 'ask'>,
  variables: Record<string, unknown> = {},
  key = KEYS.auditor,
): Promise<Connection> {
  const { data, errors } = await ask(EVENTS, variables, bearer(key));
  expect(errors).toEqual([]);
  const connection = (data as { auditEvents: Connection }).auditEvents;
  // The start of the gateway, which is the oldest event there is.
  const nodes = connection.nodes.filter(({ action }) => action !== 'configuration.change');
  return { ...connection, nodes };
}

async function serve() {
  return serveRegistries({
    catalogs: { open: wireTemplates('open', 3), lab: wireTemplates('lab', 3) },
    settings: {
      open: { webhook: { secret: 'a secret of the registry' } },
      lab: { type: 'private', access: { groups: ['physics'] } },
    },
    auth: await makeAuth(),
  });
}

describe('the audit trail of a gateway', () => {
  it('has a mutation before it is answered, with who asked for it in which request', async () => {
    await using served = await serve();
    const mutation = 'mutation { invalidateCache(input: { registry: "open", layer: SEARCH }) { removed } }';
    const { errors } = await served.ask(mutation, {}, { ...bearer(KEYS.admin), 'x-request-id': 'request-7' });
    expect(errors).toEqual([]);
    expect((await readEvents(served)).nodes).toMatchObject([
      {
        ...{ actor: 'ada', action: 'cache.invalidate', registryName: 'open', outcome: 'SUCCEEDED' },
        ...{ requestId: 'request-7', detail: 'layer SEARCH', occurrences: 1, template: null },
      },
    ]);
  });

  it('has each document that was given out, over either way', async () => {
    await using served = await serve();
    const response = await fetch(`${served.origin}/content/open/open-01/1.0.0`);
    expect(response.status).toBe(200);
    await fetch(`${served.origin}/content/open/open-01/1.0.0`, { method: 'HEAD' });
    await fetch(`${served.origin}/content/open/missing/1.0.0`);
    const query = '{ template(name: "open-02") { content { digest text } } }';
    for (let time = 0; time < 3; time += 1)
      expect((await served.ask(query, {}, bearer(KEYS.nobody))).errors).toEqual([]);
    await served.ask('{ template(name: "open-00") { content { digest bytes } } }');
    const { nodes } = await readEvents(served, { filter: { action: 'content.download' } });
    const download = { action: 'content.download', registryName: 'open', version: '1.0.0', outcome: 'SUCCEEDED' };
    expect(nodes).toMatchObject([
      ...[1, 2, 3].map(() => ({ ...download, actor: 'nora', template: 'open-02' })),
      { ...download, actor: 'anonymous', template: 'open-01' },
    ]);
  });

  it('has each refusal before it is answered: a role that is missing, a key that is unknown', async () => {
    await using served = await serve();
    const mutation = 'mutation { invalidateCache(input: {}) { removed } }';
    expect((await served.ask(mutation, {}, bearer(KEYS.nobody))).errors[0]?.extensions.code).toBe('FORBIDDEN');
    expect((await served.ask('{ auditEvents { totalCount } }')).errors[0]?.extensions.code).toBe('UNAUTHENTICATED');
    expect((await served.ask('{ viewer { subject } }', {}, bearer('an-unknown-key'))).status).toBe(401);
    expect((await fetch(`${served.origin}/content/open/open-01/1.0.0`, { headers: bearer('x') })).status).toBe(401);
    expect((await readEvents(served)).nodes).toMatchObject([
      { actor: 'anonymous', action: 'access.deny', outcome: 'DENIED', detail: 'no valid proof of who calls' },
      { actor: 'anonymous', action: 'access.deny', outcome: 'DENIED', detail: 'no valid proof of who calls' },
      { actor: 'anonymous', action: 'access.deny', outcome: 'DENIED', detail: 'needs the role "auditor"' },
      { actor: 'nora', action: 'access.deny', outcome: 'DENIED', detail: 'needs the role "admin"' },
    ]);
  });

  it('has what a registry announced, and who could not sign for it', async () => {
    await using served = await serve();
    const send = (secret: string) => {
      const body = JSON.stringify({ event: 'template.changed', name: 'open-01', version: '1.0.0' });
      const time = Math.floor(Date.now() / 1000);
      const signature = createHmac('sha256', secret).update(`${time}.${body}`).digest('hex');
      const headers = { 'x-marketplace-signature': `t=${time},v1=${signature}` };
      return fetch(`${served.origin}/webhooks/open`, { method: 'POST', body, headers });
    };
    expect((await send('a secret of the registry')).status).toBe(202);
    expect((await send('a secret of another')).status).toBe(401);
    expect((await readEvents(served)).nodes).toMatchObject([
      { actor: 'anonymous', action: 'access.deny', registryName: 'open', detail: 'webhook FORGED', outcome: 'DENIED' },
      {
        actor: 'registry:open',
        action: 'template.change',
        template: 'open-01',
        version: '1.0.0',
        outcome: 'SUCCEEDED',
      },
    ]);
  });

  it('shows an auditor nothing of a registry that it may not see, not even in the count', async () => {
    await using served = await serve();
    const fetchContent = (path: string, key: string) =>
      fetch(`${served.origin}/content/${path}`, { headers: bearer(key) });
    await fetchContent('lab/lab-00/1.0.0', KEYS.physicist);
    await fetchContent('open/open-00/1.0.0', KEYS.physicist);
    const registriesOf = ({ nodes }: Connection) => nodes.map(({ registryName }) => registryName);
    const filter = { action: 'content.download' };
    const seen = await readEvents(served, { filter });
    expect([registriesOf(seen), seen.totalCount]).toEqual([['open'], 1]);
    const all = await readEvents(served, { filter }, KEYS.physicist);
    expect([registriesOf(all), all.totalCount]).toEqual([['open', 'lab'], 2]);
    const named = await served.ask(EVENTS, { filter: { registry: 'lab' } }, bearer(KEYS.auditor));
    const unknown = await served.ask(EVENTS, { filter: { registry: 'bal' } }, bearer(KEYS.auditor));
    expect(named.errors[0]?.extensions).toEqual(unknown.errors[0]?.extensions);
    expect(named.errors[0]?.extensions.code).toBe('BAD_USER_INPUT');
  });

  it('is read in pages, newest first, by cursors that open nothing else', async () => {
    await using served = await serve();
    for (let index = 0; index < 5; index += 1) await fetch(`${served.origin}/content/open/open-0${index % 3}/1.0.0`);
    const filter = { action: 'content.download' };
    const first = await readEvents(served, { first: 2, filter });
    expect(first).toMatchObject({ totalCount: 5, pageInfo: { hasNextPage: true, hasPreviousPage: false } });
    const second = await readEvents(served, { first: 2, after: first.pageInfo.endCursor, filter });
    expect(second).toMatchObject({ totalCount: 5, pageInfo: { hasNextPage: true, hasPreviousPage: true } });
    const third = await readEvents(served, { first: 2, after: second.pageInfo.endCursor, filter });
    expect(third.pageInfo.hasNextPage).toBe(false);
    const nodes = [first, second, third].flatMap((page) => page.nodes);
    expect(nodes.map(({ template }) => template)).toEqual(['open-01', 'open-00', 'open-02', 'open-01', 'open-00']);
    expect(new Set(nodes.map(({ id }) => id)).size).toBe(5);
    nodes.slice(1).forEach(({ hash }, index) => {
      expect(nodes[index]?.previousHash).toBe(hash);
    });
    const refusals = [
      { first: 0 },
      { first: 101 },
      { after: 'nonsense' },
      { after: 'x'.repeat(5_000) },
      { after: first.pageInfo.endCursor, filter: { actor: 'ada' } },
    ];
    for (const variables of refusals) {
      const { errors } = await served.ask(EVENTS, variables, bearer(KEYS.auditor));
      expect(['BAD_USER_INPUT', 'BAD_CURSOR']).toContain(errors[0]?.extensions.code);
    }
  });

  it('counts look-ups for each caller, whether they were executed or answered from what is kept', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'marketplace-audit-'));
    const location = { dataDirectory: folder };
    const catalogs = { open: wireTemplates('open', 3) };
    {
      await using served = await serveRegistries({ catalogs, auth: await makeAuth(), ...location });
      const query = '{ template(name: "open-01") { name } }';
      for (let time = 0; time < 6; time += 1) await served.ask(query, {}, bearer(KEYS.nobody));
      await served.ask(query);
      expect((await readEvents(served)).nodes).toEqual([]);
    }
    await using served = await serveRegistries({ catalogs, auth: await makeAuth(), ...location });
    const { nodes } = await readEvents(served, { filter: { action: 'template.view' } });
    expect(nodes.reduce((total, { occurrences }) => total + Number(occurrences), 0)).toBe(7);
    expect(
      nodes.filter(({ actor }) => actor === 'nora').reduce((total, each) => total + Number(each.occurrences), 0),
    ).toBe(6);
    rmSync(folder, { recursive: true });
  });
});

describe("uses of a registry's credentials", () => {
  it('are counted for whoever causes them, and for the gateway where nobody does', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'marketplace-audit-'));
    const options = {
      catalogs: { open: wireTemplates('open', 3), closed: wireTemplates('closed', 3) },
      settings: { closed: { credentials: { type: 'token', token: 'a-token-of-the-registry' } } },
      auth: await makeAuth(),
      dataDirectory: folder,
    };
    {
      await using served = await serveRegistries(options);
      await served.ask('{ search(query: "one") { totalCount } }', {}, bearer(KEYS.nobody));
      await served.ask('{ search(query: "one") { totalCount } }', {}, bearer(KEYS.admin));
      await fetch(`${served.origin}/content/closed/closed-01/1.0.0`);
    }
    await using served = await serveRegistries(options);
    const { nodes } = await readEvents(served, { filter: { action: 'credentials.use' } });
    expect(new Set(nodes.map(({ registryName }) => registryName))).toEqual(new Set(['closed']));
    const actors = new Set(nodes.map(({ actor }) => actor));
    // The second search had the answer of the first; the gateway itself checks the health of its registries.
    expect(actors).toEqual(new Set(['nora', 'anonymous', 'gateway']));
    rmSync(folder, { recursive: true });
  });
});

describe('a trail that cannot be written', () => {
  it('refuses what has to be on record, before it is done, and nothing else', async () => {
    const audit = new HeldTrail();
    audit.isDown = true;
    const apiKeys = [{ id: 'ada', sha256: await sha256(KEYS.admin), roles: ['admin'], groups: [] }];
    await using served = await serveFixture({ audit, document: { auth: { apiKeys } } });
    const { data, errors } = await served.ask(
      'mutation { invalidateCache(input: {}) { removed } }',
      {},
      bearer(KEYS.admin),
    );
    expect(data).toEqual({ invalidateCache: null });
    expect(errors[0]?.extensions.code).toBe('AUDIT_UNAVAILABLE');
    const text = await served.ask('{ template(name: "org/base") { name content { digest text } } }');
    expect(text.data).toMatchObject({ template: { name: 'org/base', content: { text: null } } });
    expect(text.errors).toMatchObject([
      { path: ['template', 'content', 'text'], extensions: { code: 'AUDIT_UNAVAILABLE' } },
    ]);
    const document = await fetch(`${served.origin}/content/official/org%2Fbase/1.2.0`);
    expect([document.status, await document.json()]).toMatchObject([503, { error: { code: 'AUDIT_UNAVAILABLE' } }]);
    expect((await served.ask('{ search { nodes { name } } }')).errors).toEqual([]);
    expect((await served.ask('mutation { invalidateCache(input: {}) { removed } }')).errors[0]?.extensions.code).toBe(
      'UNAUTHENTICATED',
    );
  });
});

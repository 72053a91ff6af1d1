/** Secrets everywhere where a gateway meets some, and nothing of them in what it says to anybody. */
import { createHash, generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, createServer as createTcpServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { createTestAuthority } from '../helpers/faulty-registry-certificates.ts';
import { LEAKS, startLeakyRegistry } from '../helpers/leaky-registry.ts';
import { type RunningGateway, runGateway } from '../helpers/run-gateway.ts';
import { startTokenIssuer } from '../helpers/token-issuer.ts';
import { createAsk } from '../server/ask.ts';
import { collect, createSseClient, createWsClient } from '../server/live-clients.ts';
import { startCollector } from './collector.ts';

/** Secrets by what they are, made for each run. */
class Canaries {
  readonly #planted = new Map<string, string>();

  plant(what: string): string {
    const secret = `canary-${what}-${randomBytes(6).toString('hex')}`;
    this.#planted.set(secret, what);
    return secret;
  }

  /** Plants one that is made elsewhere. */
  add(what: string, secret: string): string {
    this.#planted.set(secret, what);
    return secret;
  }

  /** What of them a text holds, in any form in which one is written. */
  findIn(text: string, kinds: (what: string) => boolean = () => true): string[] {
    const found = [...this.#planted].filter(([secret, what]) => {
      const base64 = Buffer.from(`user:${secret}`).toString('base64');
      const forms = [secret, encodeURIComponent(secret), base64, Buffer.from(secret).toString('base64').slice(0, -4)];
      return kinds(what) && forms.some((form) => text.includes(form));
    });
    return found.map(([secret, what]) => {
      const at = text.indexOf(secret);
      return `${what}: …${text.slice(Math.max(0, at - 200), at + 100)}…`;
    });
  }
}

/** What a caller sends may come back to that caller, and to nobody else. */
const isCallers = (what: string) => what.startsWith('caller');
const isOperators = (what: string) => !isCallers(what);

/** A proxy that lets nobody through, and says more than it should. */
async function startRefusingProxy(secret: string) {
  const server = createServer((_, response) => response.writeHead(407, secret, { 'x-internal': secret }).end(secret));
  server.on('connect', (_, socket) =>
    socket.end(`HTTP/1.1 407 ${secret}\r\nproxy-authenticate: Basic realm="${secret}"\r\n\r\n${secret}`),
  );
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

const SEARCH = `query Find($text: String) {
  search(query: $text, first: 5) {
    nodes { name title description } partial
    registries { registry { name } outcome error { type message guidance } }
  }
}`;
const LOOK_UP = `query LookUp($name: String!, $registry: String) {
  template(name: $name, registry: $registry) { name title versions { version } content { digest } }
}`;
const PUBLISH = `mutation Publish($registry: String!, $document: String!) {
  publishTemplate(input: { registry: $registry, document: $document }) { published error { type message guidance } }
}`;
const PROGRESS = `subscription Progress($text: String) {
  searchProgress(query: $text, first: 5) {
    report { registry { name } outcome error { message guidance } } nodes { name title } result { partial }
  }
}`;
const STATE = `{
  registries { name health { status message } metrics { requests errors } }
  gateway { health { message } sharing { state message } metrics { popularTemplates { name } errors { code count } } }
}`;

const REGISTRIES = ['token', 'basic', 'signed', 'proxied', 'personal'] as const;

async function meetEverything(gateway: RunningGateway, headers: Record<string, string>, secrets: readonly string[]) {
  const ask = createAsk(gateway.origin);
  const text = secrets[0] ?? '';
  const told: unknown[] = [];
  told.push((await ask(SEARCH, { text }, headers)).text);
  // The text may also stand in the document itself, and wrong things in it.
  told.push((await ask(`{ search(query: "${text}", first: 1000) { partial } }`, {}, headers)).text);
  told.push((await ask(`{ search(query: "${text}") { ${text.replaceAll('-', '_')} } }`, {}, headers)).text);
  for (const registry of REGISTRIES) {
    told.push((await ask(LOOK_UP, { name: `some/${text}`, registry }, headers)).text);
    const document = JSON.stringify({ name: 'some/template', version: '1.0.0', description: text });
    told.push((await ask(PUBLISH, { registry, document }, headers)).text);
    const content = await fetch(`${gateway.origin}/content/${registry}/${text}/1.0.0?token=${text}`, { headers });
    told.push([...content.headers].join(), await content.text());
  }
  using events = createSseClient(gateway.origin, headers);
  using socket = createWsClient(
    gateway.origin,
    {},
    {
      connectionParams: { ...headers, ...(headers['x-api-key'] !== undefined && { apiKey: headers['x-api-key'] }) },
    },
  );
  for (const client of [events, socket]) {
    told.push(await collect(client.iterate(PROGRESS, { text })).catch((error: unknown) => String(error)));
    told.push(await collect(client.iterate(SEARCH, { text })).catch((error: unknown) => String(error)));
    told.push(await collect(client.iterate(`{ ${text} }`)).catch((error: unknown) => String(error)));
  }
  return JSON.stringify(told);
}

describe('secrets', () => {
  it('are in no log line, trace, metric, error or answer, however registries fail and callers are wrong', async () => {
    const canaries = new Canaries();
    const folder = mkdtempSync(join(tmpdir(), 'marketplace-canary-'));
    await using _folder = {
      async [Symbol.asyncDispose]() {
        rmSync(folder, { recursive: true, force: true });
      },
    };
    const authority = createTestAuthority();
    writeFileSync(join(folder, 'ca.pem'), authority.ca);
    const passphrase = canaries.plant('passphrase');
    const { privateKey } = generateKeyPairSync('ed25519', {
      privateKeyEncoding: { type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    writeFileSync(join(folder, 'id.pem'), privateKey);
    const certificate = authority.issue({ commonName: '127.0.0.1', ipAddresses: ['127.0.0.1'] });

    await using collector = await startCollector();
    await using issuer = await startTokenIssuer();
    await using tokenRegistry = await startLeakyRegistry(canaries.plant('upstream'));
    await using basicRegistry = await startLeakyRegistry(canaries.plant('upstream'));
    await using signedRegistry = await startLeakyRegistry(canaries.plant('upstream'));
    await using personalRegistry = await startLeakyRegistry(canaries.plant('upstream'), certificate);
    await using proxy = await startRefusingProxy(canaries.plant('upstream'));
    const key = canaries.plant('caller-key');
    const jwt = canaries.add(
      'caller-jwt',
      await issuer.sign({
        claims: { sub: 'ada', roles: ['publisher', 'admin'], note: canaries.plant('caller-claim') },
      }),
    );
    const shared = {
      retry: { attempts: 1, baseDelay: '1ms' },
      circuit: { volumeThreshold: 100_000 },
      rateLimit: 'off',
    };
    const configWith = (more: object) => ({
      server: {
        secret: canaries.plant('server-secret'),
        cache: { disk: 'off', warm: 'off' },
        limits: { requestsPerMinute: 'off', costPerMinute: 'off' },
      },
      auth: {
        apiKeys: [
          { id: 'robot', sha256: createHash('sha256').update(key).digest('hex'), roles: ['publisher', 'admin'] },
        ],
        jwt: { issuer: issuer.issuer, audience: 'marketplace' },
      },
      registries: [
        {
          ...{ ...shared, name: 'token', type: 'institutional', url: tokenRegistry.url },
          credentials: { type: 'token', token: canaries.plant('token') },
          webhook: { secret: canaries.plant('webhook') },
        },
        {
          ...{ ...shared, name: 'basic', type: 'institutional', url: basicRegistry.url },
          credentials: { type: 'basic', username: 'user', password: canaries.plant('password') },
        },
        {
          ...{ ...shared, name: 'signed', type: 'institutional', url: signedRegistry.url },
          credentials: { type: 'ssh_key', key: join(folder, 'id.pem'), passphrase },
        },
        {
          ...{ ...shared, name: 'proxied', type: 'institutional', url: 'http://127.0.0.1:9' },
          proxy: `http://user:${canaries.plant('proxy')}@127.0.0.1:${proxy.port}`,
        },
        {
          ...{ ...shared, name: 'personal', type: 'private', url: personalRegistry.url },
          credentials: { type: 'passthrough' },
          tls: { ca: join(folder, 'ca.pem') },
        },
      ],
      ...more,
    });
    const collectorUrl = new URL(collector.url);
    const config = configWith({});
    await using gateway = await runGateway(config, {
      LOG_LEVEL: 'trace',
      REDIS_URL: `redis://user:${canaries.plant('redis')}@127.0.0.1:9/0`,
      OTEL_EXPORTER_OTLP_ENDPOINT: `http://user:${canaries.plant('collector')}@${collectorUrl.host}`,
      OTEL_EXPORTER_OTLP_HEADERS: `x-collector-key=${canaries.plant('collector-header')}`,
      OTEL_BSP_SCHEDULE_DELAY: '50',
    });

    const callers: Record<string, string>[] = [
      { 'x-api-key': key },
      { authorization: `Bearer ${key}` },
      { authorization: `Bearer ${jwt}` },
      { authorization: `Bearer ${jwt}`, 'x-api-key': key },
      { authorization: `Bearer ${canaries.plant('caller-wrong')}`, 'x-api-key': canaries.plant('caller-wrong') },
      { authorization: `Basic ${Buffer.from(`user:${canaries.plant('caller-basic')}`).toString('base64')}` },
      { authorization: `Bearer ${jwt.slice(0, -8)}wrong-123` },
    ];
    const cookie = `session=${canaries.plant('caller-cookie')}`;
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const texts = [canaries.plant('caller-text')];
    let told = '';
    for (const [round, leak] of LEAKS.entries()) {
      for (const registry of [tokenRegistry, basicRegistry, signedRegistry, personalRegistry]) registry.leak = leak;
      const caller = callers[round % 3] ?? {};
      told += await meetEverything(gateway, { ...caller, cookie, traceparent }, [`${texts[0]}-${round}`]);
    }
    for (const wrong of callers.slice(3)) {
      told += await meetEverything(gateway, { ...wrong, cookie }, texts);
    }
    // In what is sent by whoever is not a client of GraphQL.
    const sent = canaries.plant('caller-sent');
    for (const [path, init] of [
      [
        `/webhooks/token?${sent}`,
        { method: 'POST', body: `{"event":"${sent}"}`, headers: { 'x-marketplace-signature': sent } },
      ],
      ['/graphql', { method: 'POST', body: `{"query":${sent}`, headers: { 'content-type': 'application/json' } }],
      [
        '/graphql',
        { method: 'POST', body: sent, headers: { 'content-type': `text/${sent}`, 'content-encoding': sent } },
      ],
      [`/graphql?query=${sent}&variables=${sent}`, {}],
      [`/${sent}`, { headers: { accept: sent, host: sent, forwarded: sent, 'x-forwarded-for': sent } }],
    ] as const) {
      await (await fetch(`${gateway.origin}${path}`, init)).text();
    }
    // A configuration that is refused, with secrets in every wrong place.
    const wrong = canaries.plant('refused');
    writeFileSync(
      gateway.configPath,
      stringify({
        ...config,
        server: { ...config.server, secret: { [wrong]: wrong } },
        auth: { apiKeys: [{ id: 'robot', sha256: wrong, key: wrong }] },
        registries: [
          {
            name: 'token',
            type: 'official',
            url: `http://user:${wrong}@127.0.0.1`,
            credentials: { type: 'token', tokn: wrong },
          },
          { name: 'basic', type: 'official', url: 'http://127.0.0.1:1', credentials: wrong, webhook: wrong },
          {
            name: 'proxied',
            type: 'official',
            url: 'http://127.0.0.1:1',
            proxy: `ftp://user:${wrong}@127.0.0.1`,
            tls: wrong,
          },
          {
            name: 'more',
            type: 'official',
            url: 'http://127.0.0.1:1',
            credentials: { type: 'basic', username: 'a', password: [wrong] },
          },
        ],
      }),
    );
    gateway.signal('SIGHUP');
    await expect.poll(() => gateway.logLines().join()).toContain('was refused');
    const before = gateway.logLines().length;
    writeFileSync(
      gateway.configPath,
      `registries:\n  - name: token\n    credentials: { type: token, token: "${wrong} }\n  ]${wrong}: *${wrong}`,
    );
    gateway.signal('SIGHUP');
    await expect.poll(() => gateway.logLines().slice(before).join()).toContain('was refused');

    // What others see: nobody, and an admin of another name.
    const ask = createAsk(gateway.origin);
    const others = [
      (await ask(STATE)).text,
      (await ask(SEARCH, { text: 'template' })).text,
      (await ask(STATE, {}, { 'x-api-key': key })).text,
      await (await fetch(`${gateway.origin}/metrics`)).text(),
      await (await fetch(`${gateway.origin}/readyz`)).text(),
    ].join('\n');
    gateway.signal('SIGTERM');
    expect(await gateway.exitCode).toBe(0);

    const log = gateway.logLines().join('\n');
    expect(canaries.findIn(log)).toEqual([]);
    expect(canaries.findIn(collector.text())).toEqual([]);
    expect(canaries.findIn(others)).toEqual([]);
    expect(canaries.findIn(told, isOperators)).toEqual([]);
    for (const credentials of [key, jwt, cookie]) expect(told).not.toContain(credentials);

    // The test has met what it is about.
    expect(others).toContain('marketplace_registry_requests_total');
    expect(collector.spans.length).toBeGreaterThan(100);
    for (const name of REGISTRIES) expect(log).toContain(`"registry":"${name}"`);
    for (const type of [
      'AUTHENTICATION',
      'AUTHORIZATION',
      'RATE_LIMIT',
      'SERVER',
      'PROTOCOL',
      'CONNECTION',
      'INVALID',
    ]) {
      expect(log).toContain(`"type":"${type}"`);
    }
    expect(tokenRegistry.arrivals.join()).toContain('Bearer canary-token');
    expect(signedRegistry.arrivals.join()).toContain('POST /api/v1/templates');
    expect(personalRegistry.arrivals.join()).toContain(jwt);
  }, 120_000);

  it('of the database are not told where it refuses the start', async () => {
    const canaries = new Canaries();
    const refusal = Buffer.from(`SFATAL\0C28P01\0Mpassword authentication failed for user "gateway"\0\0`);
    const head = Buffer.alloc(5);
    head.write('E');
    head.writeInt32BE(refusal.length + 4, 1);
    const server = createTcpServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(Buffer.concat([head, refusal])));
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const { port } = server.address() as AddressInfo;
    const DATABASE_URL = `postgres://gateway:${canaries.plant('database')}@127.0.0.1:${port}/usage`;
    const started = runGateway(
      { registries: [{ name: 'one', type: 'official', url: 'http://127.0.0.1:9' }] },
      { DATABASE_URL },
    );
    const message = await started.then(() => '', String);
    server.close();
    expect(message).toContain(`postgres://127.0.0.1:${port}/usage`);
    expect(canaries.findIn(message)).toEqual([]);
  });
});

import { execFile } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { demoConfig, loadConfig, parseConfigObject } from '../../src/config/load.ts';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import { ConfigFolder, faultsOf, sentencesOf } from './folder.ts';

const SECRET = 'server: { secret: 0123456789abcdef }\n';
const REGISTRY = `${SECRET}registries:
  - name: official
    type: official
    url: https://official.example
`;

/** A document of one registry, with more in it. */
function withRegistry(members: object, rest: object = {}) {
  return {
    server: { secret: '0123456789abcdef' },
    registries: [{ name: 'a', type: 'official', url: 'https://a.example', ...members }],
    ...rest,
  };
}

describe('defaults', () => {
  it('are those of the contract', () => {
    using folder = new ConfigFolder();
    expect(folder.load(REGISTRY)).toEqual({
      server: {
        host: '127.0.0.1',
        port: 4000,
        search: { timeout: 2000, maxPageSize: 100, window: 50, scan: 2000, drain: { rows: 10_000, requests: 40 } },
        limits: {
          ...{ depth: 12, cost: 5000, fields: 1000, rootFields: 50, aliases: 100, directives: 100, tokens: 5000 },
          ...{ requestsPerMinute: 600, costPerMinute: 300_000, concurrent: 100, bodyBytes: 1_048_576 },
          subscriptions: 100,
        },
        suggestions: true,
        persistedDocuments: null,
        cors: null,
        trustedProxies: [],
        strictTransportSecurity: null,
        introspection: true,
        admin: null,
        cache: { memory: 67_108_864, disk: 268_435_456, responses: 32 * 1024 * 1024, warm: 100 },
        secrets: ['0123456789abcdef'],
      },
      registries: [
        {
          name: 'official',
          type: 'OFFICIAL',
          kind: 'marketplace',
          url: 'https://official.example',
          insecureHttp: false,
          allowPrivateNetwork: false,
          namespace: 'marketplace',
          priority: null,
          credentials: null,
          timeouts: { connect: 500, search: 800, template: 2000, publish: 30_000, health: 2000 },
          retry: { attempts: 2, baseDelay: 100, maxDelay: 2000 },
          rateLimit: { requestsPerSecond: 50, burst: 100, concurrent: 20, maxQueue: 200 },
          circuit: { errorThresholdPercentage: 50, volumeThreshold: 5, window: 10_000, resetTimeout: 10_000 },
          cache: {
            search: 900_000,
            template: 3_600_000,
            catalog: 86_400_000,
            staleWhileRevalidate: 60_000,
            staleIfError: 86_400_000,
          },
          health: { interval: 30_000, degradedLatency: 1000, degradedErrorPercentage: 10 },
          tls: null,
          proxy: null,
          access: null,
          claims: [],
          readOnly: true,
          popularityScale: 1,
          webhook: null,
        },
      ],
      auth: { anonymous: 'allow', apiKeys: [], jwt: null },
      publish: { defaultRegistry: null },
      dataDirectory: join(folder.path, 'data'),
      redisUrl: null,
      storage: { kind: 'sqlite', path: join(folder.path, 'data', 'marketplace.sqlite') },
      audit: { retention: 365 * 86_400_000 },
      logLevel: 'info',
      workers: 1,
    });
  });

  it('fill in beside what is given', () => {
    const [registry] = parseConfigObject(withRegistry({ timeouts: { search: '1s' }, rateLimit: 'off' })).registries;
    expect(registry?.timeouts).toEqual({ connect: 500, search: 1000, template: 2000, publish: 30_000, health: 2000 });
    expect(registry?.rateLimit).toBeNull();
  });
});

describe('values', () => {
  it.each([
    ['250ms', 250],
    ['2s', 2000],
    ['15m', 900_000],
    ['24h', 86_400_000],
    ['7d', 604_800_000],
    [1234, 1234],
  ])('the duration %s is %d ms', (written, expected) => {
    expect(parseConfigObject(withRegistry({ cache: { search: written } })).registries[0]?.cache.search).toBe(expected);
  });

  it.each([
    ['512kb', 524_288],
    ['1mb', 1_048_576],
    ['2MB', 2_097_152],
    ['10b', 10],
    [77, 77],
  ])('the size %s is %d bytes', (written, expected) => {
    const server = { secret: '0123456789abcdef', limits: { bodyBytes: written } };
    expect(parseConfigObject(withRegistry({}, { server })).server.limits.bodyBytes).toBe(expected);
  });

  it.each([
    ['https://a.example/', 'https://a.example'],
    ['https://A.example/market//', 'https://a.example/market'],
    ['http://127.8.8.8:81', 'http://127.8.8.8:81'],
    ['http://[::1]:81', 'http://[::1]:81'],
    ['http://localhost:81', 'http://localhost:81'],
    ['https://10.0.0.7', 'https://10.0.0.7'],
    ['https://169.254.1.1', 'https://169.254.1.1'],
  ])('the url %s is %s', (written, expected) => {
    expect(parseConfigObject(withRegistry({ url: written })).registries[0]?.url).toBe(expected);
  });

  it('plain http to a host that is not loopback goes where the registry says insecureHttp', () => {
    const config = parseConfigObject(withRegistry({ url: 'http://a.example', insecureHttp: true }));
    expect(config.registries[0]?.url).toBe('http://a.example');
  });

  it('claims are kept in the form in which names are compared', () => {
    const config = parseConfigObject(withRegistry({ claims: ['Uni/*', 'a%2FB*', 'x**y'] }));
    expect(config.registries[0]?.claims).toEqual(['uni/*', 'a/b*', 'x*y']);
  });

  it('claims of one registry may overlap', () => {
    expect(parseConfigObject(withRegistry({ claims: ['uni/*', 'uni/a*'] })).registries[0]?.claims).toHaveLength(2);
  });

  it('the digest of an API key is kept in lower case', () => {
    const auth = { anonymous: 'deny', apiKeys: [{ id: 'a', sha256: 'AB'.repeat(32), roles: ['viewer'] }] };
    expect(parseConfigObject(withRegistry({}, { auth })).auth).toEqual({
      anonymous: 'deny',
      apiKeys: [{ id: 'a', sha256: 'ab'.repeat(32), roles: ['viewer'], groups: [] }],
      jwt: null,
    });
  });
});

describe('resolution order', () => {
  const registry = (name: string, type: string, priority?: number) => ({
    name,
    type,
    url: `https://${name}.example`,
    ...(priority === undefined ? {} : { priority }),
  });
  const order = (...registries: object[]) =>
    parseConfigObject({ server: { secret: '0123456789abcdef' }, registries }).registries.map(({ name }) => name);

  it('is institutional, private, official, community, then the order of the file', () => {
    const registries = ['community', 'official', 'private', 'institutional'].flatMap((type) => [
      registry(`${type}-1`, type),
      registry(`${type}-2`, type),
    ]);
    expect(order(...registries)).toEqual([
      'institutional-1',
      'institutional-2',
      'private-1',
      'private-2',
      'official-1',
      'official-2',
      'community-1',
      'community-2',
    ]);
  });

  it('an explicit priority goes before all types, between two of them, or after all', () => {
    const types = [registry('uni', 'institutional'), registry('main', 'official')];
    const explicit = [
      registry('last', 'official', 1000),
      registry('first', 'community', 1),
      registry('mid', 'community', 250),
    ];
    expect(order(...types, ...explicit)).toEqual(['first', 'uni', 'mid', 'main', 'last']);
  });
});

describe('references', () => {
  const token = (text: string, environment: Record<string, string>) => {
    using folder = new ConfigFolder();
    folder.write('token', 'from a file\r\n');
    const config = folder.load(`${REGISTRY}    credentials: { type: token, token: "${text}" }`, environment);
    const { credentials } = config.registries[0] ?? {};
    return credentials?.type === 'token' ? credentials.token : null;
  };

  it.each([
    [`\${TOKEN}`, { TOKEN: 'abc' }, 'abc'],
    [`\${TOKEN:-other}`, { TOKEN: 'abc' }, 'abc'],
    [`\${TOKEN:-other}`, {}, 'other'],
    [`\${TOKEN:-other}`, { TOKEN: '' }, 'other'],
    [`a\${X}b\${X}c`, { X: '-' }, 'a-b-c'],
    [`\${file:token}`, {}, 'from a file'],
    [`$\${TOKEN}`, { TOKEN: 'abc' }, `\${TOKEN}`],
    [`$TOKEN`, { TOKEN: 'abc' }, '$TOKEN'],
    [`\${TOKEN}`, { TOKEN: `\${OTHER}`, OTHER: 'x' }, `\${OTHER}`],
    [`\${TOKEN}`, { TOKEN: '12345' }, '12345'],
    [`\${TOKEN}`, { TOKEN: 'a: [b, "c' }, 'a: [b, "c'],
  ])('%s with %o is %s', (text, environment, expected) => {
    expect(token(text, environment)).toBe(expected);
  });

  it('become numbers and booleans where their keys want them', () => {
    using folder = new ConfigFolder();
    const text = `${REGISTRY}    insecureHttp: "\${INSECURE}"\n    rateLimit: { burst: "\${BURST}" }\n    timeouts: { search: "\${MS}" }`;
    const [registry] = folder.load(text, { INSECURE: 'true', BURST: '7', MS: '300' }).registries;
    expect(registry?.insecureHttp).toBe(true);
    expect(registry?.rateLimit?.burst).toBe(7);
    expect(registry?.timeouts.search).toBe(300);
  });

  it.each([
    [
      `"\${MISSING}"`,
      `gateway.yaml:6:12 registries[0].proxy must be filled in: the environment has no variable MISSING (set it, or write \${MISSING:-default}).`,
    ],
    [
      `"\${file:absent}"`,
      'gateway.yaml:6:12 registries[0].proxy must be filled in: the file absent cannot be used (there is no such file).',
    ],
    [
      `"\${file:.}"`,
      'gateway.yaml:6:12 registries[0].proxy must be filled in: the file . cannot be used (it is a folder).',
    ],
    ...[`"\${}"`, `"\${1A}"`, `"\${A"`, `"\${A-b}"`, `"\${A:-\${B}}"`].map((text) => [
      text,
      `gateway.yaml:6:12 registries[0].proxy must be written as \${VAR}, \${VAR:-default} or \${file:/path} wherever it has \${ (a literal one is written $\${).`,
    ]),
  ])('%s is one fault at its line', (text, expected) => {
    using folder = new ConfigFolder();
    expect(sentencesOf(() => folder.load(`${REGISTRY}    proxy: ${text}`))).toEqual([expected]);
  });

  it('a value that was filled in is never shown', () => {
    using folder = new ConfigFolder();
    expect(sentencesOf(() => folder.load(`${REGISTRY}    kind: "\${KIND}"`, { KIND: 'hunter2' }))).toEqual([
      `gateway.yaml:6:11 registries[0].kind must be one of marketplace, but the value of "\${KIND}" was given.`,
    ]);
  });

  it('stay as they are in a document that was built in code', () => {
    const config = parseConfigObject(withRegistry({ credentials: { type: 'token', token: `\${TOKEN}` } }));
    expect(config.registries[0]?.credentials).toEqual({ type: 'token', token: `\${TOKEN}` });
  });
});

describe('the secret that seals cursors', () => {
  const UNSEALED = REGISTRY.replace(SECRET, '');

  it('is made once in the data directory, for the owner alone', () => {
    using folder = new ConfigFolder();
    const first = folder.load(UNSEALED).server.secrets;
    expect(first).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    expect(folder.load(`server: { secret: "\${MARKETPLACE_SECRET:-}" }\n${UNSEALED}`).server.secrets).toEqual(first);
    expect(readdirSync(join(folder.path, 'data'))).toEqual(['secret']);
    expect(statSync(join(folder.path, 'data')).mode & 0o777).toBe(0o700);
    expect(statSync(join(folder.path, 'data', 'secret')).mode & 0o777).toBe(0o600);
  });

  it('is the same for processes that start at once', async () => {
    using folder = new ConfigFolder();
    const module = new URL('../../src/config/secret.ts', import.meta.url).href;
    const script = `import { loadOrCreateSecret } from '${module}'; console.log(loadOrCreateSecret('${folder.path}/data'));`;
    const start = () => promisify(execFile)(process.execPath, ['--input-type=module', '-e', script]);
    const outputs = await Promise.all([start(), start(), start(), start()]);
    expect(new Set(outputs.map(({ stdout }) => stdout)).size).toBe(1);
    expect(readdirSync(join(folder.path, 'data'))).toEqual(['secret']);
  });

  it('is not made for a configuration with a fault', () => {
    using folder = new ConfigFolder();
    expect(faultsOf(() => folder.load(`${UNSEALED}policy: {}`))).toHaveLength(1);
    expect(readdirSync(folder.path)).toEqual(['gateway.yaml']);
  });

  it('may be a list, of which the first writes', () => {
    const server = { secret: ['0123456789abcdef', 'fedcba9876543210'] };
    expect(parseConfigObject(withRegistry({}, { server })).server.secrets).toEqual(server.secret);
  });

  it('in a data directory that cannot be used is a fault of server.secret', () => {
    using folder = new ConfigFolder();
    const MARKETPLACE_DATA = folder.write('data', 'a file in its place');
    const [fault] = faultsOf(() => folder.load(UNSEALED, { MARKETPLACE_DATA }));
    expect(fault?.key).toBe('server.secret');
  });

  it('is refused when something else stands in its file', () => {
    using folder = new ConfigFolder();
    const MARKETPLACE_DATA = folder.path;
    folder.write('secret', 'hunter2');
    const [sentence] = sentencesOf(() => folder.load(UNSEALED, { MARKETPLACE_DATA }));
    expect(sentence).toContain('must hold 64 hexadecimal digits; remove it, and a new secret is made');
    expect(sentence).not.toContain('hunter2');
  });

  it('given in code, leaves the disk alone', () => {
    const dataDirectory = '/nowhere/at/all';
    expect(parseConfigObject(withRegistry({}), { dataDirectory }).dataDirectory).toBe(dataDirectory);
  });
});

describe('a start without a file', () => {
  const demo = [{ name: 'demo', type: 'official', url: 'http://127.0.0.1:9' }] as const;

  it('has the registries that the caller brings', () => {
    const config = demoConfig(demo, { MARKETPLACE_SECRET: '0123456789abcdef', PORT: '0' });
    expect(config.registries.map(({ name, url }) => [name, url])).toEqual([['demo', 'http://127.0.0.1:9']]);
    expect(config.server).toMatchObject({ port: 0, secrets: ['0123456789abcdef'] });
  });

  it('has the faults of the environment all the same', () => {
    const environment = { MARKETPLACE_SECRET: '0123456789abcdef', DATABASE_URL: 'mysql://x' };
    expect(faultsOf(() => demoConfig(demo, environment)).map(({ key }) => key)).toEqual(['DATABASE_URL']);
  });
});

describe('a configuration', () => {
  it('is frozen to its last member', () => {
    const config = parseConfigObject(
      withRegistry({ access: { roles: ['a'] }, credentials: { type: 'token', token: 't' } }),
    );
    const thawed: string[] = [];
    const visit = (value: unknown, path: string): void => {
      if (typeof value !== 'object' || value === null) return;
      if (!Object.isFrozen(value)) thawed.push(path);
      for (const [key, member] of Object.entries(value)) visit(member, `${path}.${key}`);
    };
    visit(config, 'config');
    expect(thawed).toEqual([]);
  });

  it('leaves the document that it was made of as it was', () => {
    const document = withRegistry({ claims: ['A*'] });
    parseConfigObject(document);
    expect(document).toEqual(withRegistry({ claims: ['A*'] }));
    expect(Object.isFrozen(document.registries)).toBe(false);
  });

  it('may use anchors and aliases', () => {
    using folder = new ConfigFolder();
    const text = `${REGISTRY}    timeouts: &t { search: 1s }\n  - { name: b, type: official, url: "https://b", timeouts: *t }`;
    expect(folder.load(text).registries.map(({ timeouts }) => timeouts.search)).toEqual([1000, 1000]);
  });
});

/** What is promised for a refusal. */
const PROMISED_MS = 1000;

describe('a file that is no configuration is refused at once', () => {
  const lines = (count: number, line: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => line(i)).join('\n');
  const bomb = lines(
    9,
    (i) =>
      `a${i}: &a${i} [${Array(9)
        .fill(i === 0 ? 'x' : `*a${i - 1}`)
        .join(',')}]`,
  );
  it.each([
    ['five megabytes of zeros', new Uint8Array(5_000_000)],
    ['bytes that are no text', Uint8Array.from({ length: 1000 }, (_, i) => i % 256)],
    ['a megabyte of commas', `[${','.repeat(1_000_000)}]`],
    ['a megabyte of brackets', '['.repeat(1_000_000)],
    ['a megabyte of quotes', '"'.repeat(1_000_000)],
    ['ninety thousand keys', lines(90_000, (i) => `k${i}: 1`)],
    ['eight thousand unknown keys', lines(8_000, (i) => `k${i}: 1`)],
    ['an alias bomb', bomb],
    ['an alias within its own anchor', 'a: &a [*a, *a]'],
    ['deep nesting', lines(300, (i) => `${' '.repeat(i)}a:`)],
  ])('%s', CLOCK_BOUND, (_, content) => {
    using folder = new ConfigFolder();
    let quickestMs = Number.POSITIVE_INFINITY;
    // The quickest of eight counts: what a neighbour on this machine takes away for a moment is not the reader's delay.
    for (let attempt = 0; attempt < 8 && quickestMs >= PROMISED_MS; attempt += 1) {
      const startedMs = performance.now();
      expect(faultsOf(() => folder.load(content)).length).toBeGreaterThan(0);
      quickestMs = Math.min(quickestMs, performance.now() - startedMs);
    }
    expect(quickestMs).toBeLessThan(PROMISED_MS);
  });

  it('a file that is not there is one fault', () => {
    const action = () => loadConfig({ path: '/nowhere/gateway.yaml', environment: {} });
    expect(action).toThrow('/nowhere/gateway.yaml the document must be a readable file (there is no such file).');
  });

  it('a folder is one fault', () => {
    using folder = new ConfigFolder();
    const action = () => loadConfig({ path: folder.path, environment: {} });
    expect(action).toThrow('must be a readable file (it is a folder).');
  });
});

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo, LookupFunction } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { classifyAddress, guardLookup } from '../../datasources/http/local-addresses.ts';
import { openRegistries } from '../../datasources/registries.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { createTestAuthority } from '../helpers/faulty-registry-certificates.ts';
import { configureRegistry, type RegistryConfigOverrides } from '../helpers/faulty-registry-config.ts';
import { failureOf, openFaultySource } from '../helpers/faulty-registry-source.ts';
import { BROWSE } from '../helpers/row-request.ts';

/** A resolver that knows these answers, in turn: the last one for ever. `asked` counts. */
function resolveTo(...answers: (readonly string[])[]) {
  let asked = 0;
  const lookup: LookupFunction = (_hostname, options, callback) => {
    const addresses = answers[Math.min(asked, answers.length - 1)] ?? [];
    asked += 1;
    const found = addresses.map((address) => ({ address, family: address.includes(':') ? 6 : 4 }));
    const [first] = found;
    if (options.all === true || first === undefined) callback(null, found);
    else callback(null, first.address, first.family);
  };
  return { lookup, countAsked: () => asked };
}

async function searchOnce(url: string, overrides: RegistryConfigOverrides, lookup?: LookupFunction) {
  const opened = openRegistries([configureRegistry(url, overrides)], lookup && { lookup });
  try {
    const [source] = opened.sources;
    return await source?.searchRows(BROWSE, { deadlineMs: performance.now() + 3_000 });
  } finally {
    await opened.close();
  }
}

/** What the guard makes of a resolver's answer. */
function guard(hostname: string, addresses: readonly string[], allowsPrivate = false) {
  return new Promise<{ error: NodeJS.ErrnoException | null; address: unknown }>((resolve) => {
    const guarded = guardLookup(allowsPrivate, resolveTo(addresses).lookup);
    guarded(hostname, { all: true }, (error, address) => resolve({ error, address }));
  });
}

describe('an address', () => {
  const LOCAL = [
    ...[
      '127.0.0.1',
      '127.255.255.254',
      '0.0.0.0',
      '0.1.2.3',
      '169.254.169.254',
      '192.0.0.8',
      '198.18.0.1',
      '224.0.0.1',
    ],
    ...[
      '239.255.255.250',
      '255.255.255.255',
      '192.0.2.1',
      '203.0.113.9',
      '::',
      '::1',
      'fe80::1',
      'fe80::1%eth0',
      'fec0::1',
    ],
    ...['ff02::1', '100::1', '2001:db8::1', '64:ff9b:1::1', '5f00::1'],
    // 127.0.0.1 and 169.254.169.254, by every way that leads there.
    ...[
      '::ffff:127.0.0.1',
      '::ffff:7f00:1',
      '::ffff:0:127.0.0.1',
      '::127.0.0.1',
      '64:ff9b::7f00:1',
      '64:ff9b::169.254.169.254',
    ],
    ...['2002:7f00:1::', '2002:a9fe:a9fe::1', '2001:0:1:2:3:4:80ff:fffe', 'fe80::5efe:7f00:1', '2606::5efe:127.0.0.1'],
    ...['', 'localhost', '127.1', '0x7f.0.0.1', '2130706433'],
  ];
  const PRIVATE = [
    ...[
      '10.0.0.1',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '100.64.0.1',
      '100.127.255.255',
      'fc00::1',
      'fd12:3456::1',
    ],
    ...[
      '::ffff:10.0.0.1',
      '::ffff:c0a8:101',
      '64:ff9b::a00:1',
      '2002:a00:1::',
      '2002:c0a8:101::1',
      '2001:0:1:2:3:4:f5ff:fffe',
    ],
  ];
  const PUBLIC = [
    ...['93.184.216.34', '172.32.0.1', '172.15.0.1', '100.128.0.1', '192.169.0.1', '11.0.0.1', '2606:2800:220:1::1'],
    ...['::ffff:93.184.216.34', '64:ff9b::5db8:d822', '2002:5db8:d822::1', '2a00::1'],
  ];
  it.each(LOCAL)('of this host, its link, or of nobody is told: %s', (address) => {
    expect(classifyAddress(address)).toBe('LOCAL');
  });
  it.each(PRIVATE)("of an organisation's own network is told: %s", (address) => {
    expect(classifyAddress(address)).toBe('PRIVATE');
  });
  it.each(PUBLIC)('of the internet is told: %s', (address) => {
    expect(classifyAddress(address)).toBe('PUBLIC');
  });

  it('inside is refused to a name, and one among others spoils them all', async () => {
    for (const address of [...LOCAL, ...PRIVATE]) {
      expect((await guard('registry.example', ['93.184.216.34', address])).error?.code).toBe('EPRIVATEADDRESS');
    }
    expect(await guard('registry.example', PUBLIC)).toMatchObject({ error: null });
  });

  it("of the organisation's own network is reached where that is allowed, and never one of this host", async () => {
    expect((await guard('registry.example', PRIVATE, true)).error).toBeNull();
    for (const address of LOCAL) {
      expect((await guard('registry.example', [address], true)).error?.code).toBe('EPRIVATEADDRESS');
    }
  });

  it('other than one of this host is refused to localhost', async () => {
    expect((await guard('localhost', ['127.0.0.1', '::1'])).error).toBeNull();
    for (const address of ['169.254.169.254', '93.184.216.34', '10.0.0.1']) {
      expect((await guard('localhost', [address], true)).error?.code).toBe('EPRIVATEADDRESS');
    }
  });
});

describe('a registry whose name leads inside', () => {
  it('is not called, and neither address nor reason is told to callers', async () => {
    await using registry = await startFaultyRegistry();
    const url = `http://registry.example:${registry.port}`;
    const { lookup } = resolveTo(['127.0.0.1']);
    const failure = await failureOf(searchOnce(url, { insecureHttp: true, allowPrivateNetwork: true }, lookup));
    expect(failure.type).toBe('CONNECTION');
    expect(failure.logDetail).toContain('must lead to a public address');
    expect(JSON.stringify(failure.toView())).not.toContain('127.0.0.1');
    expect(registry.arrivals).toHaveLength(0);
  });

  it('is not called when its name is made to lead there later: what is checked is what is connected to', async () => {
    await using registry = await startFaultyRegistry();
    // First an address where nobody answers, then the one of this host: the answer of a second look must not slip through.
    const { lookup, countAsked } = resolveTo(['198.51.100.1', '127.0.0.1'], ['127.0.0.1']);
    const url = `http://registry.example:${registry.port}`;
    const overrides = {
      insecureHttp: true,
      retry: { attempts: 3, baseDelay: 1 },
      timeouts: { connect: 100, search: 200 },
    };
    expect((await failureOf(searchOnce(url, overrides, lookup))).type).toBe('CONNECTION');
    expect(countAsked()).toBeGreaterThan(1);
    expect(registry.arrivals).toHaveLength(0);
  });

  it('is called when the configuration names the address, or localhost', async () => {
    await using registry = await startFaultyRegistry({ rows: [{ name: 'a', version: '1' }] });
    expect((await searchOnce(registry.url, {}))?.value.rows).toHaveLength(1);
    const local = `http://localhost:${registry.port}`;
    expect((await searchOnce(local, {}, resolveTo(['127.0.0.1']).lookup))?.value.rows).toHaveLength(1);
  });
});

describe('a certificate that nobody trusts', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('is refused, whatever the environment of the process says', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    await using faulty = await openFaultySource({ tls: { authority: createTestAuthority() } });
    expect((await failureOf(faulty.search())).type).toBe('TLS');
    expect(faulty.registry.arrivals).toHaveLength(0);
  });
});

/** A registry that answers every request with this body. */
async function startSpeaker(body: string) {
  const paths: string[] = [];
  const server = createServer((request, response) => {
    if (request.url?.includes('/health')) {
      response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"ok"}');
      return;
    }
    paths.push(request.url ?? '');
    response.writeHead(200, { 'content-type': 'application/json' }).end(body);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const opened = openRegistries([
    configureRegistry(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, { timeouts: { search: 5_000 } }),
  ]);
  await opened.whenTriedOnce();
  const [source] = opened.sources;
  if (source === undefined) throw new Error('one registry must have been opened');
  return {
    source,
    paths,
    search: () => source.searchRows(BROWSE, { deadlineMs: performance.now() + 5_000 }),
    async [Symbol.asyncDispose]() {
      await opened.close();
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('what a hostile registry sends', () => {
  it.each([
    ['lists', `{"templates":${'['.repeat(2_000_000)}${']'.repeat(2_000_000)}}`],
    ['objects', `${'{"a":'.repeat(500_000)}1${'}'.repeat(500_000)}`],
  ])('may not be nested beyond reason: %s', async (_, body) => {
    await using speaker = await startSpeaker(body);
    const cpu = process.cpuUsage();
    expect((await failureOf(speaker.search())).type).toBe('PROTOCOL');
    expect(process.cpuUsage(cpu).user / 1000).toBeLessThan(1_000);
  });

  it('is read where brackets stand in texts, however many', async () => {
    const description = '[{"\\'.repeat(60_000);
    await using speaker = await startSpeaker(JSON.stringify({ templates: [{ name: 'a', version: '1', description }] }));
    expect((await speaker.search()).value.rows).toHaveLength(1);
  });

  it.each(['__proto__', 'constructor'])('changes no prototype by a member of that name: %s', async (key) => {
    const poison = `"${key}":{"polluted":"yes","prototype":{"polluted":"yes"}}`;
    const market = `"marketplace":{${poison},"downloads":3,"badges":[{${poison},"kind":"k"}]}`;
    const row = `{"name":"a","version":"1",${poison},"packages":{${poison},"pip":["x"]},${market}}`;
    await using speaker = await startSpeaker(`{${poison},"templates":[${row}],"total_count":1,"facets":{${poison}}}`);
    const { value } = await speaker.search();
    expect(value.rows[0]?.template).toMatchObject({ name: 'a', downloads: 3, badges: [{ kind: 'k' }] });
    expect(({} as Record<string, unknown>).polluted).toBeUndefined();
    expect((Object as unknown as Record<string, unknown>).polluted).toBeUndefined();
  });

  it('is no address to be called', async () => {
    await using other = await startFaultyRegistry();
    const links = Object.fromEntries(
      ['content_url', 'homepage', 'repository', 'documentation', 'digest', 'parent'].map((key) => [
        key,
        `${other.url}/${key}`,
      ]),
    );
    await using speaker = await startSpeaker(JSON.stringify({ templates: [{ name: 'a', version: '1', ...links }] }));
    await speaker.search();
    await speaker.source.fetchContent('a', '1', { deadlineMs: performance.now() + 2_000 }).catch(() => null);
    expect(other.arrivals).toEqual([]);
  });
});

describe('a name that somebody asks for', () => {
  const NAMES = [
    ...[
      '../../admin',
      '..',
      '.',
      '%2e%2e%2fadmin',
      '..%2f..%2fadmin',
      '..\\..\\admin',
      '/etc/passwd',
      '//evil.example/x',
    ],
    ...[
      'a?version=9',
      'a#b',
      'a%00b',
      'a&name=b',
      'http://evil.example/',
      '@evil.example',
      'a\r\nX-Evil: 1',
      'a\u0000',
      '\ud800',
    ],
    ...['a/../../../b', '%', '%zz', '\u2025/\u2025', '．．/admin', 'é', '‮evil', 'x'.repeat(600)],
  ];
  it.each(NAMES)('stays one segment of the path, or is not asked for at all: %j', async (name) => {
    await using speaker = await startSpeaker('{}');
    const options = { deadlineMs: performance.now() + 2_000 };
    await speaker.source.fetchTemplate(name, null, options).catch(() => null);
    await speaker.source.fetchVersions(name, options).catch(() => null);
    await speaker.source.fetchTemplate('a', name, options).catch(() => null);
    for (const path of speaker.paths) {
      expect(path).toMatch(/^\/api\/v1\/templates\/[^/?#\\\s]+(?:\/versions|\?version=[^/?#&\\\s]+)?$/);
      const { pathname } = new URL(path, 'http://registry.test');
      expect(pathname.startsWith('/api/v1/templates/')).toBe(true);
    }
  });
});

describe('a name that leads to another place when its path is decoded', () => {
  it.each([
    ...['../../admin', '%2e%2e%2fadmin', '..%2f..%2fadmin', '%252e%252e%252fadmin', '..\\..\\admin', 'a/../../../b'],
    ...['a/..', 'a/./b', 'a\\.', '\u2025/admin', '．．/admin', '..／admin', '../\u202e'],
  ])('is never asked for, nor told by a registry to be asked for: %j', async (name) => {
    await using speaker = await startSpeaker('{}');
    const options = { deadlineMs: performance.now() + 2_000 };
    expect((await speaker.source.fetchTemplate(name, null, options)).value).toBeNull();
    expect((await speaker.source.fetchVersions(name, options)).value).toBeNull();
    expect((await speaker.source.fetchContent(name, '1', options)).value).toBeNull();
    expect(speaker.paths).toEqual([]);
  });

  it.each(['..a/b', 'a.../b', 'r-4.2', 'a/.hidden', 'a..b/c..', 'org/名前'])(
    'is not one that has dots: %j',
    async (name) => {
      await using speaker = await startSpeaker('{}');
      await speaker.source.fetchTemplate(name, null, { deadlineMs: performance.now() + 2_000 }).catch(() => null);
      expect(speaker.paths).toHaveLength(1);
    },
  );
});

describe('credentials', () => {
  it.each(['token\r\nX-Evil: 1', 'token\nX-Evil: 1', 'tok\u0000en'])(
    'that would break a header send nothing: %j',
    async (token) => {
      await using registry = await startFaultyRegistry();
      const failure = await failureOf(searchOnce(registry.url, { credentials: { type: 'token', token } }));
      expect(JSON.stringify(failure.toView())).not.toContain('tok');
      expect(registry.arrivals).toEqual([]);
    },
  );
});

import { describe, expect, it } from 'vitest';
import { formatFault } from '../../src/config/faults.ts';
import { ConfigFolder, faultsOf, sentencesOf } from './folder.ts';

const SECRET = 'server: { secret: 0123456789abcdef }\n';
/** One registry without a fault, from line 2 on; what a test adds begins on line 6. */
const REGISTRY = `${SECRET}registries:
  - name: official
    type: official
    url: https://official.example
`;
const SECOND = `  - name: second
    type: community
    url: https://second.example
`;

function faults(text: string) {
  using folder = new ConfigFolder();
  return faultsOf(() => folder.load(text)).map(({ line, column, key }) => `${line}:${column} ${key}`);
}

function sentences(text: string) {
  using folder = new ConfigFolder();
  return sentencesOf(() => folder.load(text));
}

describe('each fault is told with its line, its column and its key', () => {
  it.each([
    ['an unknown key of the top', `${REGISTRY}polcy: {}`, '6:1 polcy'],
    ['a second key of one name', `${REGISTRY}    name: other`, '6:5 registries[0].name'],
    ['a key named __proto__', `${REGISTRY}    __proto__: { insecureHttp: true }`, '6:5 registries[0].__proto__'],
    ['a key named constructor', `${REGISTRY}    constructor: x`, '6:5 registries[0].constructor'],
    ['a key that is no text', `${REGISTRY}    ? [a]\n    : b`, '6:7 registries[0]'],
    ['no registries', SECRET, '1:1 registries'],
    ['an empty list of registries', `${SECRET}registries: []`, '2:1 registries'],
    ['registries that are no list', `${SECRET}registries: { a: 1 }`, '2:1 registries'],
    ['an empty value', `${REGISTRY}    tls:`, '6:5 registries[0].tls'],
    [
      'an unknown type',
      `${SECRET}registries: [{ name: a, type: offical, url: "https://a.example" }]`,
      '2:31 registries[0].type',
    ],
    ['an unknown kind', `${REGISTRY}    kind: dockerhub`, '6:11 registries[0].kind'],
    [
      'a name in capitals',
      `${SECRET}registries: [{ name: A, type: official, url: "https://a.example" }]`,
      '2:22 registries[0].name',
    ],
    [
      'a name that is a number',
      `${SECRET}registries: [{ name: 1, type: official, url: "https://a.example" }]`,
      '2:22 registries[0].name',
    ],
    [
      'a missing name',
      `${SECRET}registries:\n  - type: official\n    url: https://a.example`,
      '3:5 registries[0].name',
    ],
    ['a name given twice', `${REGISTRY}${SECOND.replace('second', 'official')}`, '6:11 registries[1].name'],
    ['a relative url', `${SECRET}registries: [{ name: a, type: official, url: /a }]`, '2:46 registries[0].url'],
    [
      'a url of another scheme',
      `${SECRET}registries: [{ name: a, type: official, url: "ftp://a" }]`,
      '2:46 registries[0].url',
    ],
    [
      'a url with a query',
      `${SECRET}registries: [{ name: a, type: official, url: "https://a?b" }]`,
      '2:46 registries[0].url',
    ],
    [
      'a url with a fragment',
      `${SECRET}registries: [{ name: a, type: official, url: "https://a#" }]`,
      '2:46 registries[0].url',
    ],
    [
      'a url with a password',
      `${SECRET}registries: [{ name: a, type: official, url: "https://u:p@a" }]`,
      '2:46 registries[0].url',
    ],
    [
      'plain http',
      `${SECRET}registries: [{ name: a, type: official, url: "http://10.0.0.1" }]`,
      '2:46 registries[0].url',
    ],
    [
      'plain http to localhost.evil',
      `${SECRET}registries: [{ name: a, type: official, url: "http://localhost.evil" }]`,
      '2:46 registries[0].url',
    ],
    [
      'tls with plain http',
      `${SECRET}registries: [{ name: a, type: official, url: "http://127.0.0.1", tls: {} }]`,
      '2:66 registries[0].tls',
    ],
    ['a priority that is no whole number', `${REGISTRY}    priority: 1.5`, '6:15 registries[0].priority'],
    [
      'an unknown key of credentials',
      `${REGISTRY}    credentials: { type: token, token: t, user: u }`,
      '6:43 registries[0].credentials.user',
    ],
    [
      'an unknown type of credentials',
      `${REGISTRY}    credentials: { type: tokn, token: t }`,
      '6:26 registries[0].credentials.type',
    ],
    ['credentials without a type', `${REGISTRY}    credentials: { token: t }`, '6:5 registries[0].credentials.type'],
    [
      'credentials without a token',
      `${REGISTRY}    credentials: { type: token }`,
      '6:5 registries[0].credentials.token',
    ],
    [
      'an empty token',
      `${REGISTRY}    credentials: { type: token, token: "" }`,
      '6:40 registries[0].credentials.token',
    ],
    [
      'a token with a line break',
      `${REGISTRY}    credentials: { type: token, token: "a\\nb" }`,
      '6:40 registries[0].credentials.token',
    ],
    [
      'a user name with a colon',
      `${REGISTRY}    credentials: { type: basic, username: "a:b", password: c }`,
      '6:43 registries[0].credentials.username',
    ],
    ['a timeout of nothing', `${REGISTRY}    timeouts: { connect: 0 }`, '6:26 registries[0].timeouts.connect'],
    [
      'a timeout that no timer can wait for',
      `${REGISTRY}    timeouts: { search: 25d }`,
      '6:25 registries[0].timeouts.search',
    ],
    ['a duration in words', `${REGISTRY}    cache: { search: 2 hours }`, '6:22 registries[0].cache.search'],
    ['a negative duration', `${REGISTRY}    cache: { search: -1 }`, '6:22 registries[0].cache.search'],
    ['attempts without end', `${REGISTRY}    retry: { attempts: .inf }`, '6:24 registries[0].retry.attempts'],
    ['a first delay above the last', `${REGISTRY}    retry: { baseDelay: 3s }`, '6:25 registries[0].retry.baseDelay'],
    ['an unknown key of rateLimit', `${REGISTRY}    rateLimit: { brst: 1 }`, '6:18 registries[0].rateLimit.brst'],
    ['a number in quotes', `${REGISTRY}    rateLimit: { burst: "1" }`, '6:25 registries[0].rateLimit.burst'],
    ['a rate limit of another word', `${REGISTRY}    rateLimit: none`, '6:16 registries[0].rateLimit'],
    [
      'a percentage above 100',
      `${REGISTRY}    circuit: { errorThresholdPercentage: 101 }`,
      '6:42 registries[0].circuit.errorThresholdPercentage',
    ],
    ['a flag that is no boolean', `${REGISTRY}    insecureHttp: yes`, '6:19 registries[0].insecureHttp'],
    ['access for nobody', `${REGISTRY}    access: { roles: [], groups: [] }`, '6:5 registries[0].access'],
    ['access without lists', `${REGISTRY}    access: {}`, '6:5 registries[0].access'],
    ['access by text', `${REGISTRY}    access: { roles: admin }`, '6:22 registries[0].access.roles'],
    ['a claim that is no text', `${REGISTRY}    claims: [5]`, '6:14 registries[0].claims[0]'],
    ['an empty claim', `${REGISTRY}    claims: [""]`, '6:14 registries[0].claims[0]'],
    [
      'claims that overlap',
      `${REGISTRY}    claims: ["UNI/*"]\n${SECOND}    claims: [a, "*%2Fgpu"]`,
      '10:17 registries[1].claims[1]',
    ],
    ['a proxy with a path', `${REGISTRY}    proxy: http://proxy:1/x`, '6:12 registries[0].proxy'],
    ['an official registry that is not read-only', `${REGISTRY}    readOnly: false`, '6:15 registries[0].readOnly'],
    ['a default registry that is none', `${REGISTRY}publish: { defaultRegistry: b }`, '6:29 publish.defaultRegistry'],
    [
      'a default registry that takes nothing',
      `${REGISTRY}publish: { defaultRegistry: a }`,
      '6:29 publish.defaultRegistry',
    ],
    ['a negative scale', `${REGISTRY}    popularityScale: -1`, '6:22 registries[0].popularityScale'],
    ['a short secret', `${REGISTRY.replace('0123456789abcdef', 'short')}`, '1:19 server.secret'],
    [
      'a short secret of a list',
      `${REGISTRY.replace('0123456789abcdef', '[0123456789abcdef, short]')}`,
      '1:38 server.secret[1]',
    ],
    ['an empty list of secrets', `${REGISTRY.replace('0123456789abcdef', '[]')}`, '1:11 server.secret'],
    [
      'a size in another unit',
      `${REGISTRY.replace('secret:', 'limits: { bodyBytes: 1tb }, secret:')}`,
      '1:32 server.limits.bodyBytes',
    ],
    [
      'a number of searches to keep warm that is neither one nor off',
      `${REGISTRY.replace('secret:', 'cache: { warm: 0 }, secret:')}`,
      '1:26 server.cache.warm',
    ],
    [
      'a cache on the disk that is neither a size nor off',
      `${REGISTRY.replace('secret:', 'cache: { disk: none }, secret:')}`,
      '1:26 server.cache.disk',
    ],
    ['a host in the file', `${REGISTRY.replace('secret:', 'port: 80, secret:')}`, '1:11 server.port'],
    [
      'an API key that is no digest',
      `${REGISTRY}auth: { apiKeys: [{ id: a, sha256: hunter2 }] }`,
      '6:36 auth.apiKeys[0].sha256',
    ],
    [
      'an API key id given twice',
      `${REGISTRY}auth:\n  apiKeys:\n    - { id: a, sha256: ${'a'.repeat(64)} }\n    - { id: a, sha256: ${'b'.repeat(64)} }`,
      '9:13 auth.apiKeys[1].id',
    ],
    [
      'an API key given twice',
      `${REGISTRY}auth:\n  apiKeys:\n    - { id: a, sha256: ${'a'.repeat(64)} }\n    - { id: b, sha256: ${'A'.repeat(64)} }`,
      '9:24 auth.apiKeys[1].sha256',
    ],
    ['anonymous callers by another word', `${REGISTRY}auth: { anonymous: never }`, '6:20 auth.anonymous'],
    ['a text for the document', 'hello', '1:1 '],
    ['an empty document', '', 'null:null '],
    ['a second document', `${REGISTRY}---\na: 1`, '6:1 '],
    ['a tag of its own', `${REGISTRY}    kind: !secret x`, '6:11 '],
    ['an alias of nothing', `${REGISTRY}    kind: *kind`, '6:11 registries[0].kind'],
    ['an open quote', `${REGISTRY}    kind: "x`, '6:13 '],
    ['a tab', `${REGISTRY}\tkind: x`, '6:1 '],
  ])('%s', (_, text, expected) => {
    expect(faults(text)).toEqual([expected]);
  });
});

describe('a place to listen at', () => {
  const admin = (value: string) => REGISTRY.replace('secret:', `admin: ${value}, secret:`);

  it.each([
    '9464',
    '127.0.0.1',
    '":9464"',
    '127.0.0.1:65536',
    '127.0.0.1:x',
    'http://127.0.0.1:9464',
    '"::1:9464"',
    '"[127.0.0.1]:9464"',
    '"[::1]"',
    '"a b:1"',
    '""',
  ])('is none: %s', (value) => {
    expect(sentences(admin(value)).join('\n')).toMatch(/server\.admin must be host:port, or \[address\]:port for IPv6/);
  });

  it.each([
    ['127.0.0.1:9464', { host: '127.0.0.1', port: 9464 }],
    ['0.0.0.0:1', { host: '0.0.0.0', port: 1 }],
    ['"[::1]:9464"', { host: '::1', port: 9464 }],
    ['metrics.internal.example:80', { host: 'metrics.internal.example', port: 80 }],
  ])('is one: %s', (value, expected) => {
    using folder = new ConfigFolder();
    expect(folder.load(admin(value)).server.admin).toEqual(expected);
  });
});

describe('settings of later versions are refused as such', () => {
  it.each([
    ['registries[0].cache.validation', `${REGISTRY}    cache: { validation: 7d }`],
    ['policy', `${REGISTRY}policy: { mode: enforce }`],
    ['policy', `${REGISTRY}policy:`],
  ])('%s', (key, text) => {
    expect(sentences(text).map((line) => line.replace(/^\S+ /, ''))).toEqual([
      `${key} must be left out: it is not supported by this version.`,
    ]);
  });

  it('credentials of type passthrough, where no caller could have a token', () => {
    expect(sentences(`${REGISTRY}    credentials: { type: passthrough }`)).toEqual([
      'gateway.yaml:6:26 registries[0].credentials.type must be another one, unless auth.jwt lets callers sign in by tokens, but "passthrough" was given.',
    ]);
  });
});

describe('a fault says what must be, what was given, and what was probably meant', () => {
  it('names the nearest known key', () => {
    expect(sentences(REGISTRY.replace('secret:', 'serach: {}, secret:'))).toEqual([
      'gateway.yaml:1:11 server.serach must be a known key (search, limits, introspection, suggestions, persistedDocuments, cors, trustedProxies, strictTransportSecurity, cache, secret, admin), but "serach" was given. Did you mean "search"?',
    ]);
  });

  it('names the nearest known value', () => {
    expect(sentences(`${REGISTRY}auth: { anonymous: alow }`)).toEqual([
      'gateway.yaml:6:20 auth.anonymous must be one of allow, deny, but "alow" was given. Did you mean "allow"?',
    ]);
  });

  it('says how plain http may be had', () => {
    expect(sentences(`${SECRET}registries: [{ name: a, type: official, url: "http://a.example" }]`)).toEqual([
      'gateway.yaml:2:46 registries[0].url must be an https URL (plain http is for loopback only, unless the registry says insecureHttp: true), but "http://a.example" was given.',
    ]);
  });

  it('names both sides of claims that overlap', () => {
    expect(sentences(`${REGISTRY}    claims: ["uni/*"]\n${SECOND}    claims: ["*/gpu"]`)).toEqual([
      'gateway.yaml:10:14 registries[1].claims[0] must be apart from the claims of other registries: some name would match registries[0].claims[0] too, but "*/gpu" was given.',
    ]);
  });

  it('tells all faults at once, in the order of the file, whatever rule they break', () => {
    const text = `server: { secret: short }
registries:
  - name: a
    type: offical
    url: http://a.example
    access: {}
  - name: a
    type: private
    url: https://a.example
    timeouts: { conect: 1s }
policy: {}
`;
    expect(faults(text)).toEqual([
      '1:19 server.secret',
      '4:11 registries[0].type',
      '5:10 registries[0].url',
      '6:5 registries[0].access',
      '7:11 registries[1].name',
      '10:17 registries[1].timeouts.conect',
      '11:1 policy',
    ]);
  });

  it('counts the faults in its heading', () => {
    using folder = new ConfigFolder();
    expect(() => folder.load(`${REGISTRY}polcy: {}\nauht: {}`)).toThrow(/^The configuration has 2 faults:\n {2}\//);
  });

  it('keeps the terminal readable where there are hundreds', () => {
    const lines = sentences(`${REGISTRY}${Array.from({ length: 250 }, (_, index) => `x${index}: 1`).join('\n')}`);
    expect(lines).toHaveLength(101);
    expect(lines.at(-1)).toBe('and 150 more.');
  });

  it('shows nothing that could steer a terminal', () => {
    const [line] = sentences(`${REGISTRY}    kind: "\\e[31m\\u202e\\nx"`);
    expect(line).toContain('but "\\u001b[31m\\u{202e}\\nx" was given');
  });

  it('leaves out the place where there is no file', () => {
    const fault = {
      source: 'environment',
      line: null,
      column: null,
      key: 'PORT',
      expected: 'x',
      given: null,
      suggestion: null,
    };
    expect(formatFault(fault)).toBe('environment PORT must be x.');
  });
});

describe('no fault shows a secret', () => {
  it.each([
    ['a token of the wrong type', `${REGISTRY}    credentials: { type: token, token: [hunter2] }`],
    ['a token with a line break', `${REGISTRY}    credentials: { type: token, token: "hunter2\\n" }`],
    ['a password of the wrong place', `${REGISTRY}    credentials: { type: token, password: hunter2 }`],
    ['credentials as one text', `${REGISTRY}    credentials: hunter2`],
    ['a short secret', REGISTRY.replace('0123456789abcdef', 'hunter2')],
    ['a key in the place of its digest', `${REGISTRY}auth: { apiKeys: [{ id: a, sha256: hunter2 }] }`],
    ['a password in a url', `${SECRET}registries: [{ name: a, type: official, url: "https://u:hunter2@a" }]`],
    ['a password in a url that is none', `${SECRET}registries: [{ name: a, type: official, url: "u:hunter2@a b" }]`],
    ['a password in a proxy', `${REGISTRY}    proxy: http://u:hunter2@proxy/path`],
    ['a key in a query', `${SECRET}registries: [{ name: a, type: official, url: "https://a?key=hunter2" }]`],
    ['a webhook', `${REGISTRY}    webhook: { secret: hunter2 }`],
    ['a quote that is not closed', `${REGISTRY}    credentials: { type: token, token: "hunter2`],
    ['text after a quote', `${REGISTRY}    credentials: { type: token, token: "a"hunter2"" }`],
    ['a reference in an open brace', `${REGISTRY}    credentials: { type: token, token: hunter2: x: } }`],
  ])('%s', (_, text) => {
    using folder = new ConfigFolder();
    const action = () => folder.load(text);
    expect(faultsOf(action).length).toBeGreaterThan(0);
    expect(sentencesOf(action).join('\n')).not.toContain('hunter2');
  });
});

describe('an issuer of tokens', () => {
  it.each([
    ['auth.jwt.issuer', 'issuer: http://login.example, audience: a'],
    ['auth.jwt.issuer', 'issuer: "https://user:word@login.example", audience: a'],
    ['auth.jwt.jwksUri', 'issuer: https://login.example, audience: a, jwksUri: http://login.example/keys'],
    ['auth.jwt.audience', 'issuer: https://login.example'],
    ['auth.jwt.audience', 'issuer: https://login.example, audience: []'],
    ['auth.jwt.algorithms[0]', 'issuer: https://login.example, audience: a, algorithms: [HS256]'],
    ['auth.jwt.algorithms[0]', 'issuer: https://login.example, audience: a, algorithms: [none]'],
    ['auth.jwt.algorithms', 'issuer: https://login.example, audience: a, algorithms: []'],
    ['auth.jwt.clockTolerance', 'issuer: https://login.example, audience: a, clockTolerance: 1h'],
  ])('must not leave %s open to doubt: %s', (key, text) => {
    const found = sentences(`${REGISTRY}auth: { jwt: { ${text} } }`).map((line) => line.replace(/^\S+ /, ''));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(new RegExp(`^${key.replaceAll(/[.[\]]/g, '\\$&')} must be `));
  });
});

describe('what the server allows', () => {
  const withServer = (text: string) => REGISTRY.replace('secret:', `${text}, secret:`);
  it.each([
    ['server.limits.requestsPerMinute', 'limits: { requestsPerMinute: 0 }'],
    ['server.limits.costPerMinute', 'limits: { cost: 5000, costPerMinute: 4999 }'],
    ['server.cors.origins[0]', 'cors: { origins: ["https://portal.example/"] }'],
    ['server.cors.origins', 'cors: { origins: [] }'],
    ['server.cors.credentials', 'cors: { origins: ["*"], credentials: true }'],
    ['server.trustedProxies[0]', 'trustedProxies: [10.0.0.0/33]'],
    ['server.trustedProxies[0]', 'trustedProxies: [proxy.example]'],
    ['server.strictTransportSecurity', 'strictTransportSecurity: yes'],
  ])('must be sound: %s in %s', (key, text) => {
    const found = sentences(withServer(text)).map((line) => line.replace(/^\S+ /, ''));
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(new RegExp(`^${key.replaceAll(/[.[\]]/g, '\\$&')} must be `));
  });
});

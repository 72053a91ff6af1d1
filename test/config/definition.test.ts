import { readFileSync } from 'node:fs';
import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { makeJsonSchema } from '../../src/config/json-schema.ts';
import { parseConfigObject } from '../../src/config/load.ts';
import { ConfigFolder, faultsOf } from './folder.ts';

/** Every key that this version reads, as the contract writes them. */
const EVERY_KEY = `
server:
  search: { timeout: 2s, maxPageSize: 100, window: 50, scan: 2000, drain: { rows: 10000, requests: 40 } }
  limits: { depth: 12, cost: 5000, bodyBytes: 1mb }
  introspection: true
  cache: { memory: 64mb, disk: 256mb, warm: 100 }
  secret: "\${MARKETPLACE_SECRET:-0123456789abcdef}"
registries:
  - name: official
    type: official
    url: https://marketplace.example.org
    rateLimit: off
    credentials: { type: basic, username: u, password: p }
  - name: university
    type: institutional
    kind: marketplace
    url: https://templates.university.example
    insecureHttp: false
    priority: 1
    credentials: { type: token, token: "\${UNIVERSITY_REGISTRY_TOKEN}" }
    timeouts: { connect: 500ms, search: 800ms, template: 2s, health: 2s }
    retry: { attempts: 2, baseDelay: 100ms, maxDelay: 2s }
    rateLimit: { requestsPerSecond: 50, burst: 100, concurrent: 20, maxQueue: 200 }
    circuit: { errorThresholdPercentage: 50, volumeThreshold: 5, window: 10s, resetTimeout: 10s }
    cache: { search: 15m, template: 1h, catalog: 24h, staleWhileRevalidate: 1m, staleIfError: 24h }
    health: { interval: 30s, degradedLatency: 1s, degradedErrorPercentage: 10 }
    tls: { servername: templates.example }
    proxy: http://proxy.example:3128
    access: { roles: [researcher], groups: [physics] }
    claims: ["uni/*"]
    namespace: marketplace
    popularityScale: 1
auth:
  anonymous: allow
  apiKeys: [{ id: dashboards, sha256: ${'ab'.repeat(32)}, roles: [viewer], groups: [] }]
`;

const duration = fc.oneof(
  fc.integer({ min: 1, max: 1_000_000 }),
  fc
    .tuple(fc.integer({ min: 1, max: 23 }), fc.constantFrom('ms', 's', 'm', 'h', 'd'))
    .map(([n, unit]) => `${n}${unit}`),
);
const line = fc
  .string({ unit: 'grapheme', minLength: 1, maxLength: 12 })
  .filter((text) => !/[\p{Cc}\p{Cs}$]/u.test(text));
const registry = fc.record(
  {
    type: fc.constantFrom('official', 'community', 'institutional', 'private'),
    kind: fc.constant('marketplace'),
    namespace: line,
    priority: fc.integer({ min: -1000, max: 1000 }),
    credentials: fc.oneof(
      fc.record({ type: fc.constant('token'), token: line }),
      fc.record({ type: fc.constant('basic'), username: fc.constantFrom('u', '0', 'null'), password: line }),
    ),
    timeouts: fc.record(
      { connect: duration, search: duration, template: duration, health: duration },
      { requiredKeys: [] },
    ),
    retry: fc.record({ attempts: fc.integer({ min: 0, max: 10 }) }, { requiredKeys: [] }),
    rateLimit: fc.oneof(
      fc.constant('off'),
      fc.record({ burst: fc.integer({ min: 1, max: 500 }) }, { requiredKeys: [] }),
    ),
    circuit: fc.record(
      { window: duration, errorThresholdPercentage: fc.integer({ min: 1, max: 100 }) },
      { requiredKeys: [] },
    ),
    cache: fc.record(
      {
        search: duration,
        template: duration,
        catalog: duration,
        staleWhileRevalidate: duration,
        staleIfError: duration,
      },
      { requiredKeys: [] },
    ),
    health: fc.record(
      { interval: duration, degradedLatency: duration, degradedErrorPercentage: fc.integer({ min: 1, max: 100 }) },
      { requiredKeys: [] },
    ),
    access: fc.record({
      roles: fc.array(line, { minLength: 1, maxLength: 3 }),
      groups: fc.array(line, { maxLength: 3 }),
    }),
    popularityScale: fc.double({ min: 0, max: 1000, noNaN: true }).map((scale) => scale + 0),
  },
  { requiredKeys: ['type'] },
);
const anyDocument = fc
  .record({
    introspection: fc.boolean(),
    maxPageSize: fc.integer({ min: 1, max: 1000 }),
    registries: fc.array(registry, { minLength: 1, maxLength: 4 }),
    anonymous: fc.constantFrom('allow', 'deny'),
  })
  .map(({ introspection, maxPageSize, registries, anonymous }) => ({
    server: { introspection, secret: '0123456789abcdef', search: { maxPageSize } },
    registries: registries.map((one, index) => ({
      name: `r${index}`,
      url: `https://r${index}.example/path`,
      claims: [`r${index}/*`],
      ...one,
    })),
    auth: { anonymous },
  }));

/** The paths of all mappings within a value, its own first. */
function mappingsOf(value: unknown, path: (string | number)[] = []): (string | number)[][] {
  if (typeof value !== 'object' || value === null) return [];
  const inner = Object.entries(value).flatMap(([key, member]) =>
    mappingsOf(member, [...path, Array.isArray(value) ? Number(key) : key]),
  );
  return Array.isArray(value) ? inner : [path, ...inner];
}

describe('any configuration that is right', () => {
  it('means the same from a file as from an object', () => {
    using folder = new ConfigFolder();
    fc.assert(
      fc.property(anyDocument, (document) => {
        const fromObject = parseConfigObject(document, { dataDirectory: `${folder.path}/data` });
        expect(folder.load(stringify(document))).toEqual(fromObject);
      }),
      { numRuns: 150 },
    );
  });

  it('names every key that is unknown, wherever it stands, with its line, and nothing else', () => {
    using folder = new ConfigFolder();
    const unknownKey = fc
      .oneof(fc.string({ unit: 'grapheme-ascii', maxLength: 15 }), fc.constantFrom('__proto__', 'toString', 'naem'))
      .map((key) => `x${key}`);
    fc.assert(
      fc.property(anyDocument, fc.nat(), unknownKey, (document, choice, key) => {
        const paths = mappingsOf(document);
        const path = paths[choice % paths.length] ?? [];
        const target = path.reduce<unknown>((value, part) => Reflect.get(Object(value), part), document);
        Object.assign(Object(target), { [key]: 1 });
        const text = stringify(document);
        const faults = faultsOf(() => folder.load(text));
        expect(faults).toHaveLength(1);
        expect(faults[0]?.given).toBe(JSON.stringify(key));
        const atLine = text.split('\n')[(faults[0]?.line ?? 0) - 1];
        expect(Object.keys(Object(parse((atLine ?? '').replace(/^[\s-]*/, ''))))).toEqual([key]);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the JSON Schema for editors', () => {
  const committed = readFileSync(new URL('../../schema/marketplace.schema.json', import.meta.url), 'utf8');
  const ajv = new Ajv2020({ allErrors: true, strict: true, allowUnionTypes: true });
  ajvFormats.default(ajv);
  const validate = ajv.compile(makeJsonSchema());

  it('is the one that the definition gives (npm run config:schema writes it)', () => {
    expect(JSON.parse(committed)).toEqual(JSON.parse(JSON.stringify(makeJsonSchema())));
  });

  it('accepts every key that this version reads, and so does the gateway', () => {
    using folder = new ConfigFolder();
    expect(validate(parse(EVERY_KEY)), JSON.stringify(validate.errors)).toBe(true);
    expect(faultsOf(() => folder.load(EVERY_KEY, { UNIVERSITY_REGISTRY_TOKEN: 't' }))).toEqual([]);
  });

  it('accepts references where numbers, durations, choices and flags are wanted', () => {
    const text = `
server: { search: { timeout: "\${T}", window: "\${W}" }, limits: { bodyBytes: "\${B}" }, introspection: "\${I:-true}" }
registries: [{ name: "\${N}", type: "\${TYPE}", url: "\${U}", popularityScale: "\${P}" }]`;
    expect(validate(parse(text)), JSON.stringify(validate.errors)).toBe(true);
  });

  it('accepts whatever the gateway accepts', () => {
    fc.assert(
      fc.property(anyDocument, (document) => {
        expect(validate(document), JSON.stringify(validate.errors)).toBe(true);
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    ['an unknown key', 'serach: {}'],
    ['a number in words', 'limits: { depth: deep }'],
    ['a duration in words', 'search: { timeout: soon }'],
  ])('refuses %s', (_, member) => {
    const text = `server: { ${member} }\nregistries: [{ name: a, type: official, url: "https://a.example" }]`;
    expect(validate(parse(text))).toBe(false);
    using folder = new ConfigFolder();
    expect(faultsOf(() => folder.load(text))).toHaveLength(1);
  });
});

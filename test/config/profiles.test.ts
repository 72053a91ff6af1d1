import { Ajv2020 } from 'ajv/dist/2020.js';
import ajvFormats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parse, stringify } from 'yaml';
import { makeJsonSchema } from '../../src/config/json-schema.ts';
import { parseConfigObject } from '../../src/config/load.ts';
import { ConfigFolder, sentencesOf } from './folder.ts';

const BASE = `server: { secret: "0123456789abcdef", search: { timeout: 3s, window: 40 } }
registries:
  - { name: official, type: official, url: https://official.example, claims: ["official/*"], retry: { attempts: 1 } }
  - { name: second, type: community, url: https://second.example }
auth: { apiKeys: [{ id: one, sha256: "${'ab'.repeat(32)}", roles: [viewer], groups: [] }] }
`;

function load(text: string, profile = '', environment: Record<string, string> = {}) {
  using folder = new ConfigFolder();
  return folder.load(text, { MARKETPLACE_PROFILE: profile, ...environment });
}

function faults(text: string, profile = '', environment: Record<string, string> = {}): string[] {
  using folder = new ConfigFolder();
  const load = () => folder.load(text, { MARKETPLACE_PROFILE: profile, ...environment });
  return sentencesOf(load).map((line) => line.replace(/^.*gateway\.yaml/, 'gateway.yaml'));
}

/** With one profile, "production". */
const withProfile = (text: string) => `${BASE}profiles:\n  production:\n${text.replaceAll(/^/gm, '    ')}\n`;

describe('a profile', () => {
  it('is laid over the rest: mappings are merged, lists and values replaced', () => {
    const text = withProfile('server: { search: { timeout: 1s } }\nauth: { anonymous: deny, apiKeys: [] }');
    const { server, auth } = load(text, 'production');
    expect(server.search).toMatchObject({ timeout: 1000, window: 40 });
    expect(auth).toMatchObject({ anonymous: 'deny', apiKeys: [] });
    expect(load(text).server.search.timeout).toBe(3000);
    expect(load(text).auth.apiKeys).toHaveLength(1);
  });

  it('changes the registry of the same name, and adds others behind those that are there', () => {
    const text = withProfile(
      'registries:\n  - { name: third, type: community, url: https://third.example }\n  - { name: official, claims: ["mine/*"], retry: { maxDelay: 1s } }',
    );
    const { registries } = load(text, 'production');
    expect(registries.map(({ name }) => name)).toEqual(['official', 'second', 'third']);
    expect(registries[0]).toMatchObject({ url: 'https://official.example', claims: ['mine/*'] });
    expect(registries[0]?.retry).toEqual({ attempts: 1, baseDelay: 100, maxDelay: 1000 });
  });

  it('replaces credentials of another type whole, and changes those of the same', () => {
    const base = BASE.replace(
      'retry: { attempts: 1 }',
      `credentials: { type: basic, username: u, password: "\${P:-one}" }`,
    );
    const text = (over: string) =>
      `${base}profiles:\n  x:\n    registries: [{ name: official, credentials: ${over} }]\n`;
    const credentials = (over: string) => load(text(over), 'x').registries[0]?.credentials;
    expect(credentials('{ type: token, token: t }')).toEqual({ type: 'token', token: 't' });
    expect(credentials('{ password: two }')).toEqual({ type: 'basic', username: 'u', password: 'two' });
  });

  it('may bring all registries there are', () => {
    const text =
      'server: { secret: "0123456789abcdef" }\nprofiles:\n  x: { registries: [{ name: a, type: official, url: "http://127.0.0.1:1" }] }\n';
    expect(load(text, 'x').registries.map(({ name }) => name)).toEqual(['a']);
    expect(faults(text)).toEqual(['gateway.yaml:1:1 registries must be a list of registries, but nothing was given.']);
  });

  it('that is laid over what it was makes no difference, whatever it says', () => {
    const members = fc.record(
      {
        server: fc.record(
          { introspection: fc.boolean(), limits: fc.record({ depth: fc.integer({ min: 1, max: 50 }) }) },
          { requiredKeys: [] },
        ),
        registries: fc.uniqueArray(
          fc.record(
            {
              name: fc.constantFrom('official', 'second', 'new'),
              type: fc.constantFrom('official', 'community'),
              url: fc.constantFrom('https://a.example', 'https://b.example'),
              priority: fc.integer({ min: 0, max: 9 }),
            },
            { requiredKeys: ['name', 'type', 'url'] },
          ),
          { selector: ({ name }) => name },
        ),
      },
      { requiredKeys: [] },
    );
    fc.assert(
      fc.property(members, (profile) => {
        const document = { ...parse(BASE), profiles: { x: profile } };
        const once = parseConfigObject(document, { environment: { MARKETPLACE_PROFILE: 'x' } });
        const { server = {}, registries = [] } = profile;
        expect(once.server).toMatchObject(server);
        for (const { name, url } of registries) {
          expect(once.registries.find((registry) => registry.name === name)?.url).toBe(url);
        }
        const over = parseConfigObject(
          { ...parse(BASE), profiles: { x: {} } },
          { environment: { MARKETPLACE_PROFILE: 'x' } },
        );
        expect(over).toEqual(parseConfigObject(parse(BASE)));
      }),
      { numRuns: 50 },
    );
  });
});

describe('the faults of profiles', () => {
  it('point to the lines where they stand', () => {
    const text = withProfile(
      'server:\n  search:\n    timeout: never\nregistries:\n  - name: official\n    url: http://plain.example',
    );
    const expected = [
      expect.stringMatching(
        /^gateway\.yaml:10:18 profiles\.production\.server\.search\.timeout must be a duration .* but "never" was given\.$/,
      ),
      expect.stringMatching(/^gateway\.yaml:13:14 profiles\.production\.registries\[0\]\.url must be an https URL/),
    ];
    expect(faults(text, 'production')).toEqual(expected);
    // They are found where another profile, or none, is chosen.
    expect(faults(text)).toEqual(expected);
  });

  it.each([
    [
      'prodution',
      /^environment MARKETPLACE_PROFILE must be one of its profiles: production, but "prodution" was given\. Did you mean "production"\?$/,
    ],
    ['x', /^environment MARKETPLACE_PROFILE must be one of its profiles: production, but "x" was given\.$/],
  ])('name the nearest of a profile that is not there: %s', (profile, expected) => {
    expect(faults(withProfile('auth: { anonymous: deny }'), profile)).toEqual([expect.stringMatching(expected)]);
  });

  it('say so where there are no profiles', () => {
    expect(faults(BASE, 'production')).toEqual([
      'environment MARKETPLACE_PROFILE must be left unset: the configuration has no profiles, but "production" was given.',
    ]);
  });

  it.each([
    [
      'an unknown key',
      'server: { serch: {} }',
      /profiles\.production\.server\.serch must be a known key .* Did you mean "search"/,
    ],
    [
      'profiles within',
      'profiles: {}',
      /profiles\.production\.profiles must be left out: there are no profiles within profiles/,
    ],
    [
      'a registry without an address',
      'registries: [{ name: new, type: official }]',
      /profiles\.production\.registries\[0\]\.url must be/,
    ],
    [
      'a name twice',
      'registries: [{ name: official, priority: 1 }, { name: official, type: official, url: https://x.example }]',
      /profiles\.production\.registries\[1\]\.name must be unique/,
    ],
  ])('%s', (_what, text, expected) => {
    for (const profile of ['production', '']) {
      expect(faults(withProfile(text), profile)).toEqual([expect.stringMatching(expected)]);
    }
  });

  it('of its form are faults of the document', () => {
    expect(faults(`${BASE}profiles: [a]\n`)[0]).toMatch(/gateway\.yaml:6:1 profiles must be a mapping of names/);
    expect(faults(`${BASE}profiles: { A: {} }\n`)[0]).toMatch(/gateway\.yaml:6:13 profiles\.A must be/);
    expect(faults(`${BASE}profiles: { a: 3 }\n`)[0]).toMatch(/gateway\.yaml:6:16 profiles\.a must be a mapping/);
  });

  it('are none where what another profile refers to is not there, or what it replaces', () => {
    const secret = `server: { secret: "\${PRODUCTION_SECRET}" }`;
    expect(faults(withProfile(secret))).toEqual([]);
    expect(faults(withProfile(secret), 'production')).toEqual([
      expect.stringMatching(/^gateway\.yaml:8:23 profiles\.production\.server\.secret must be filled in/),
    ]);
    expect(
      load(withProfile(secret), 'production', { PRODUCTION_SECRET: 'of production, long' }).server.secrets,
    ).toEqual(['of production, long']);
    const base = BASE.replace('"0123456789abcdef"', `"\${BASE_SECRET}"`);
    const replaced = `${base}profiles: { x: { server: { secret: "0123456789abcdef" } } }\n`;
    expect(faults(replaced, 'x')).toEqual([]);
    expect(faults(replaced)).toEqual([expect.stringMatching(/^gateway\.yaml:1:19 server\.secret must be filled in/)]);
  });
});

describe('the JSON Schema', () => {
  const ajv = new Ajv2020({ strict: false });
  ajvFormats.default(ajv);
  const accepts = ajv.compile(makeJsonSchema());

  it('knows profiles: whatever the document may have, in part', () => {
    const good = {
      server: { limits: { depth: 3 } },
      registries: [{ name: 'official', timeouts: { search: '1s' } }],
      auth: { jwt: { audience: 'x' } },
    };
    expect(accepts({ ...parse(BASE), profiles: { production: good, other: {} } })).toBe(true);
    for (const bad of [
      { serer: {} },
      { server: { limits: { depth: 'x' } } },
      { registries: [{ url: 'https://x' }] },
      { profiles: {} },
      3,
    ]) {
      expect(accepts({ ...parse(BASE), profiles: { production: bad } }), stringify(bad)).toBe(false);
    }
    expect(accepts({ ...parse(BASE), profiles: { A: {} } })).toBe(false);
  });
});

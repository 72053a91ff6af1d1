import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  parseCategories,
  parseSearchPage,
  parseTemplate,
  parseVersions,
} from '../../../datasources/marketplace/wire.ts';

const CONTEXT = { registryName: 'uneven', popularityScale: 2 };

function parse(entry: object) {
  return parseTemplate({ name: 'n', version: '1', ...entry }, CONTEXT);
}

describe('an entry', () => {
  it('needs a name and a version, and nothing else', () => {
    expect(parse({})).toMatchObject({
      registryName: 'uneven',
      name: 'n',
      version: '1',
      title: 'n',
      description: '',
      tags: [],
      rating: null,
      verified: false,
      validated: null,
      securityScan: null,
    });
  });

  it.each([
    [null],
    ['n'],
    [[]],
    [{}],
    [{ name: 'n' }],
    [{ version: '1' }],
    [{ name: '', version: '1' }],
    [{ name: 7, version: '1' }],
    [{ name: 'a\u0000b', version: '1' }],
    [{ name: 'a\nb', version: '1' }],
    [{ name: 'a\ud800', version: '1' }],
    [{ name: 'x'.repeat(501), version: '1' }],
    [{ name: 'n', version: null }],
    [{ name: 'n', version: Number.NaN }],
  ])('is malformed as %j', (entry) => {
    expect(parseTemplate(entry, CONTEXT)).toBeNull();
  });

  it('may have its version as a number', () => {
    expect(parse({ version: 1.5 })?.version).toBe('1.5');
  });

  it.each([
    ['rating', 7, 'rating'],
    ['rating', '4', 'rating'],
    ['downloads', -1, 'downloads'],
    ['downloads', 2 ** 53, 'downloads'],
    ['downloads', 1.5, 'downloads'],
    ['homepage', 'javascript:alert(1)', 'homepage'],
    ['homepage', '/relative', 'homepage'],
    ['homepage', 'https://user:secret@example.org', 'homepage'],
    ['homepage', `https://example.org/${'x'.repeat(2_000)}`, 'homepage'],
    ['updated_at', 'yesterday', 'updatedAtMs'],
    ['updated_at', '2024-01-01 00:00', 'updatedAtMs'],
    ['updated_at', '2024-13-01T00:00:00Z', 'updatedAtMs'],
    ['updated_at', 1_700_000_000, 'updatedAtMs'],
    ['complexity', 'impossible', 'complexity'],
    ['digest', 'sha256:abc', 'digest'],
    ['research_user', 'yes', 'researchUser'],
    ['license', { spdx: 'MIT' }, 'license'],
  ] as const)('%s %j counts as not given', (member, value, property) => {
    expect(parse({ [member]: value })?.[property]).toBeNull();
  });

  it('has the members of `marketplace` there or at the top level', () => {
    const market = { downloads: 5, rating: 4, verified: true, validation_tests: [{ status: 'passed' }] };
    for (const entry of [market, { marketplace: market }]) {
      expect(parse(entry)).toMatchObject({ downloads: 5, rating: 4, verified: true, validated: true });
    }
  });

  it('is validated only when every test passed', () => {
    expect(parse({ validation_tests: [{ status: 'passed' }, { status: 'failed' }] })?.validated).toBe(false);
    expect(parse({ validation_tests: [] })?.validated).toBeNull();
  });

  it('reads times with their zone', () => {
    expect(parse({ updated_at: '2024-05-06T07:08:09.5+02:00' })?.updatedAtMs).toBe(Date.UTC(2024, 4, 6, 5, 8, 9, 500));
    expect(parse({ updated_at: '2024-05-06' })?.updatedAtMs).toBe(Date.UTC(2024, 4, 6));
  });

  it('reaches no terminal with control sequences', () => {
    const template = parse({
      title: 'a\u001b[31mred\nline',
      description: 'one\n\u001b]0;x\u0007two',
      tags: ['\u009btag'],
    });
    expect(template).toMatchObject({ title: 'a[31mred line', description: 'one\n]0;xtwo', tags: ['tag'] });
  });

  it('gathers its package managers', () => {
    const template = parse({ package_manager: 'conda', packages: { pip: ['numpy'], conda: [], ['__proto__']: [] } });
    expect(template?.packageManagers).toEqual(['conda', 'pip', '__proto__']);
  });

  it('changes no prototype, whatever its members are called', () => {
    const body: unknown = JSON.parse(
      '{"name":"n","version":"1","__proto__":{"polluted":1},"constructor":{"prototype":{"p":1}}}',
    );
    expect(parseTemplate(body, CONTEXT)).not.toHaveProperty('polluted');
    expect({}).not.toHaveProperty('polluted');
  });

  it('keeps a finding of unknown severity, as inconclusive', () => {
    const scan = parse({
      security_scan: { findings: [{ id: 'X', severity: 'dreadful' }, { severity: 'low' }] },
    })?.securityScan;
    expect(scan?.findings).toMatchObject([{ id: 'X', severity: 'INFO', inconclusive: true }]);
  });
});

describe('a search answer', () => {
  it('keeps the place of a malformed entry and counts it', () => {
    const page = parseSearchPage({ templates: [{ name: 'a', version: '1' }, 7], total_count: 2 }, CONTEXT, 10);
    expect(page.rows.map((row) => row?.name ?? null)).toEqual(['a', null]);
    expect(page).toMatchObject({ malformed: 1, totalCount: 2, claimsTotalOrder: false, facets: null });
  });

  it('has no more rows than were asked for', () => {
    const templates = Array.from({ length: 9 }, (_, index) => ({ name: `n${index}`, version: '1' }));
    expect(parseSearchPage({ templates }, CONTEXT, 4).rows).toHaveLength(4);
  });

  it.each([-1, 1.5, '3', null, 2 ** 53, [2]])('has no count when it says %j', (total_count) => {
    expect(parseSearchPage({ templates: [], total_count }, CONTEXT, 5).totalCount).toBeNull();
  });

  it('has popularity scaled, ratings and times as numbers, and its claim of order', () => {
    const entry = {
      name: 'İx',
      version: '1',
      updated_at: '2024-01-01T00:00:00Z',
      marketplace: { downloads: 3, rating: 2 },
    };
    const page = parseSearchPage({ templates: [entry], order: 'total' }, CONTEXT, 5);
    expect(page.claimsTotalOrder).toBe(true);
    expect(page.rows[0]).toMatchObject({
      nameLower: 'İx'.toLowerCase(),
      popularity: 6,
      rating: 2,
      updatedAtMs: Date.UTC(2024, 0, 1),
    });
  });

  it('has the facets that are known', () => {
    const facets = {
      category: [{ value: 'ml', count: 2 }, { value: 'x' }],
      verified: [{ value: true, count: 1 }],
      other: [],
    };
    const page = parseSearchPage({ templates: [], facets }, CONTEXT, 5);
    expect([...(page.facets?.read() ?? [])]).toEqual([
      ['category', [{ value: 'ml', count: 2 }]],
      ['verified', [{ value: 'true', count: 1 }]],
    ]);
  });

  it('is none without a list of templates', () => {
    for (const body of [null, [], 'x', {}, { templates: {} }]) {
      expect(() => parseSearchPage(body, CONTEXT, 5)).toThrow('"templates" must be a list');
    }
  });

  it('of whatever entries is read to the end, and every row gives its template', () => {
    const member = fc.oneof(fc.jsonValue(), fc.string(), fc.double(), fc.constant(undefined));
    const names = ['title', 'marketplace', 'rating', 'packages', 'tags', 'updated_at', 'security_scan', 'dependencies'];
    const entry = fc.record({
      name: fc.string(),
      version: member,
      ...Object.fromEntries(names.map((name) => [name, member])),
    });
    fc.assert(
      fc.property(fc.array(fc.oneof(entry, fc.jsonValue()), { maxLength: 8 }), (templates) => {
        const page = parseSearchPage({ templates }, CONTEXT, 50);
        expect(page.rows).toHaveLength(templates.length);
        expect(page.rows.filter((row) => row === null)).toHaveLength(page.malformed);
        for (const row of page.rows) if (row !== null) expect(row.template.name).toBe(row.name);
      }),
    );
  });

  it('nested a hundred thousand deep does no harm', () => {
    const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
    const page = parseSearchPage({ templates: [{ name: 'a', version: '1', tags: deep, packages: deep }] }, CONTEXT, 5);
    expect(page.rows[0]?.template.tags).toEqual([]);
  });
});

describe('other answers', () => {
  it('are versions, without the malformed', () => {
    const versions = [
      { version: '1', published_at: '2024-01-01T00:00:00Z', deprecated: true },
      {},
      null,
      { version: 2 },
    ];
    expect(parseVersions({ versions })).toEqual([
      { version: '1', publishedAtMs: Date.UTC(2024, 0, 1), deprecated: true, withdrawnAtMs: null, digest: null },
      { version: '2', publishedAtMs: null, deprecated: false, withdrawnAtMs: null, digest: null },
    ]);
    expect(() => parseVersions([])).toThrow('"versions" must be a list');
  });

  it('are categories, plain or counted', () => {
    expect(parseCategories(['ml', { name: 'bio', count: 3 }, 7, {}])).toEqual([
      { name: 'ml', count: null },
      { name: 'bio', count: 3 },
    ]);
    expect(() => parseCategories({})).toThrow('the categories must be a list');
  });
});

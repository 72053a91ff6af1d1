import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRegistry, type Registry } from '../../registry/registry.ts';
import { getJson, isRecord, listNames, searchNames } from './ask.ts';

const ASTRAL = '\u{1f9ec}gene';
const PRIVATE_USE = '\uf8ffgene';

const TEMPLATES = [
  {
    name: 'python-ml',
    version: '2.0.0',
    title: 'Machine learning',
    description: 'For tables.',
    category: 'ml',
    domain: 'data',
    complexity: 'moderate',
    keywords: ['scikit-learn'],
    tags: ['jupyter'],
    license: 'MIT OR Apache-2.0',
    package_manager: 'conda',
    packages: { pip: ['optuna'] },
    connection_types: ['ssh', 'web'],
    research_user: true,
    updated_at: '2026-03-01',
    marketplace: {
      downloads: 50,
      rating: 4.5,
      verified: true,
      validation_tests: [{ name: 'boots', status: 'passed' }],
    },
  },
  { name: 'python-ml', version: '1.0.0', title: 'An old unicorn', category: 'unicorns' },
  {
    name: 'rnaseq',
    version: '1.0.0',
    title: 'RNA-seq analysis',
    description: 'Genomes in Python.',
    category: 'genomics',
    domain: 'life',
    complexity: 'advanced',
    license: 'BSD-3-Clause',
    updated_at: '2026-01-01T00:00:00Z',
    marketplace: { downloads: 50, rating: 3, validation_tests: [{ name: 'boots', status: 'failed' }] },
  },
  { name: 'Base', version: '1.0.0', category: 'base', marketplace: { downloads: 7 } },
  { name: 'base', version: '1.0.0', category: 'base', marketplace: { downloads: 7 } },
  { name: ASTRAL, version: '1.0.0', marketplace: { downloads: 7 } },
  { name: PRIVATE_USE, version: '1.0.0', marketplace: { downloads: 7 } },
  { name: 'zeta', version: '1.0.0' },
  { name: 'alpha', version: '1.0.0' },
];

let registry: Registry;
let url = '';

beforeAll(async () => {
  registry = createRegistry({ templates: TEMPLATES, maxLimit: 5 });
  url = await registry.listen();
});
afterAll(() => registry.close());

describe('order', () => {
  test('ties come by lower-cased name and then by name, code point by code point, also beyond U+FFFF', async () => {
    const names = await searchNames(url, 'sort_by=popularity');
    expect(names).toEqual(['python-ml', 'rnaseq', 'Base', 'base', PRIVATE_USE, ASTRAL, 'alpha', 'zeta']);
  });

  test('missing values come last in both orders, and ties keep their direction', async () => {
    const names = await searchNames(url, 'sort_by=popularity&sort_order=asc');
    expect(names).toEqual(['Base', 'base', PRIVATE_USE, ASTRAL, 'python-ml', 'rnaseq', 'alpha', 'zeta']);
    expect((await searchNames(url, 'sort_by=updated&sort_order=asc')).slice(0, 3)).toEqual([
      'rnaseq',
      'python-ml',
      'alpha',
    ]);
    expect((await searchNames(url, 'sort_by=rating')).slice(0, 3)).toEqual(['python-ml', 'rnaseq', 'alpha']);
  });

  test('names descend by their lower case, equal ones stay ascending', async () => {
    const names = await searchNames(url, 'sort_by=name&sort_order=desc');
    expect(names).toEqual([ASTRAL, PRIVATE_USE, 'zeta', 'rnaseq', 'python-ml', 'Base', 'base', 'alpha']);
  });

  test('without a sort everything comes by relevance, which without a query is the order of names', async () => {
    expect(await searchNames(url, '')).toEqual(await searchNames(url, 'sort_by=name'));
  });
});

describe('pages', () => {
  test('pages joined are the whole list, and each links to the next but the last', async () => {
    const joined: string[] = [];
    let next: string | null = '/api/v1/search?sort_by=popularity&limit=3';
    const sizes: number[] = [];
    while (next !== null) {
      const response = await fetch(url + next);
      const body: unknown = await response.json();
      const names = listNames(body);
      sizes.push(names.length);
      joined.push(...names);
      next = /<([^>]+)>; rel="next"/.exec(response.headers.get('link') ?? '')?.[1] ?? null;
    }
    expect(sizes).toEqual([3, 3, 2]);
    expect(joined).toEqual(await searchNames(url, 'sort_by=popularity'));
  });

  test('a limit beyond the cap is taken as the cap', async () => {
    const body = await getJson(`${url}/api/v1/search?limit=1000`);
    expect(listNames(body)).toHaveLength(5);
    expect(body).toMatchObject({ total_count: 8, order: 'total' });
  });

  test('a page behind the end is empty and still counts all', async () => {
    expect(await getJson(`${url}/api/v1/search?offset=50`)).toEqual({ templates: [], total_count: 8, order: 'total' });
  });
});

describe('filters', () => {
  test.each([
    ['category=ML', ['python-ml']],
    ['category=ml&category=genomics', ['python-ml', 'rnaseq']],
    ['category=ml&domain=life', []],
    ['complexity=advanced', ['rnaseq']],
    ['keyword=scikit-learn', ['python-ml']],
    ['keyword=jupyter', ['python-ml']],
    ['min_rating=4', ['python-ml']],
    ['verified=true', ['python-ml']],
    ['verified=false&category=genomics', ['rnaseq']],
    ['validated=true', ['python-ml']],
    ['validated=false&min_rating=0', ['rnaseq']],
    ['research_user=true', ['python-ml']],
    ['connection_type=web', ['python-ml']],
    ['package_manager=pip', ['python-ml']],
    ['license=apache-2.0', ['python-ml']],
    ['updated_since=2026-02-01', ['python-ml']],
    ['name=base&name=rnaseq', ['base', 'rnaseq']],
    ['name=base&category=genomics', []],
  ])('%s finds exactly what holds it', async (filter, names) => {
    expect(await searchNames(url, filter)).toEqual(names);
  });

  test('only the newest version of a name is searched', async () => {
    expect(await searchNames(url, 'q=unicorn')).toEqual([]);
    expect(await searchNames(url, 'category=unicorns')).toEqual([]);
  });
});

describe('words', () => {
  test('all words must be there, in any case, and the last may be a beginning', async () => {
    expect(await searchNames(url, 'q=PYTHON+gen')).toEqual(['rnaseq']);
    expect(await searchNames(url, 'q=gen+python')).toEqual(['python-ml', 'rnaseq']);
  });

  test('where no template has all words, those with any are found', async () => {
    expect(await searchNames(url, 'q=zeta+alpha')).toEqual(['alpha', 'zeta']);
  });

  test('the template with that very name comes first, and a hyphenated word is found written together', async () => {
    expect(await searchNames(url, 'q=rnaseq')).toEqual(['rnaseq']);
    expect((await searchNames(url, 'q=python'))[0]).toBe('python-ml');
  });

  test('words beyond ASCII are words, and what has no word in it finds nothing', async () => {
    expect(await searchNames(url, 'q=%EF%BD%90ython-ml')).toContain('python-ml');
    expect(await searchNames(url, 'q=%2B%2B%2B')).toEqual([]);
  });
});

test('by relevance, too, pages joined are one list without a repeat, in both directions', async () => {
  const templates = Array.from({ length: 60 }, (_, index) => ({
    name: `tool-${index}`,
    version: '1.0.0',
    description: 'climate '.repeat(1 + (index % 3)),
  }));
  await using many = createRegistry({ templates, maxLimit: 7 });
  const manyUrl = await many.listen();
  for (const order of ['desc', 'asc']) {
    const names = await searchNames(manyUrl, `q=climate&sort_by=relevance&sort_order=${order}`);
    expect(new Set(names).size).toBe(60);
    expect(names).toEqual(await searchNames(manyUrl, `q=climate&sort_order=${order}`));
    expect(names.slice(0, 3)).toEqual(
      order === 'desc' ? ['tool-11', 'tool-14', 'tool-17'] : ['tool-0', 'tool-12', 'tool-15'],
    );
  }
});

test('facets count all matches with the first page, and later pages have none', async () => {
  const first = await getJson(`${url}/api/v1/search?sort_by=name&limit=1`);
  expect(first).toMatchObject({
    facets: {
      category: [
        { value: 'base', count: 2 },
        { value: 'genomics', count: 1 },
        { value: 'ml', count: 1 },
      ],
      verified: [
        { value: 'false', count: 7 },
        { value: 'true', count: 1 },
      ],
    },
  });
  expect(isRecord(first) && Object.keys(first.facets ?? {})).toEqual([
    'category',
    'domain',
    'complexity',
    'license',
    'verified',
  ]);
  expect(await getJson(`${url}/api/v1/search?limit=1&offset=1`)).not.toHaveProperty('facets');
});

test.each([
  ['sort_by=downloads', 'sort_by'],
  ['sort_order=up', 'sort_order'],
  ['limit=0', 'limit'],
  ['limit=2.5', 'limit'],
  ['offset=-1', 'offset'],
  ['min_rating=6', 'min_rating'],
  ['verified=yes', 'verified'],
  ['updated_since=yesterday', 'updated_since'],
  ['limit=1&limit=2', 'limit'],
  ['category=', 'category'],
  [`q=${'x'.repeat(2_001)}`, 'q'],
])('the impossible parameter %.40s is refused by name', async (query, parameter) => {
  const response = await fetch(`${url}/api/v1/search?${query}`);
  expect(response.status).toBe(400);
  expect(await response.json()).toMatchObject({ error: { code: 'bad_parameter', parameter } });
});

test('a parameter that the protocol does not know is ignored', async () => {
  expect(await searchNames(url, 'category=ml&colour=blue')).toEqual(['python-ml']);
});

test('what is added or removed while it runs is found, and gone, at once', async () => {
  registry.upsert({ name: 'added', version: '1.0.0', title: 'Xylophone' });
  expect(await searchNames(url, 'q=xylophone')).toEqual(['added']);
  expect(registry.remove('added')).toBe(true);
  expect(await searchNames(url, 'q=xylophone')).toEqual([]);
});

test('arrivals are remembered with path and parameters, up to a bound, and without credentials', async () => {
  await using counted = createRegistry({ templates: [], recordRequests: 2 });
  const countedUrl = await counted.listen();
  for (const q of ['one', 'two', 'three']) {
    await getJson(`${countedUrl}/api/v1/search?q=${q}`, { authorization: 'Bearer hush' });
  }
  expect(counted.requests.map(({ method, path, query }) => [method, path, query.get('q')])).toEqual([
    ['GET', '/api/v1/search', 'two'],
    ['GET', '/api/v1/search', 'three'],
  ]);
  expect(JSON.stringify(counted.requests)).not.toContain('hush');
  counted.clearRequests();
  expect(counted.requests).toEqual([]);
});

test('a template that is none is refused when the registry is made', () => {
  expect(() => createRegistry({ templates: [{ name: 'x', version: 1.1 }] })).toThrow(
    'not a template: "version" must be a text that is not empty, but 1.1 was given: put it in quotes',
  );
});

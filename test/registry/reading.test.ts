import { createHash } from 'node:crypto';
import { request } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createRegistry, type Registry } from '../../registry/registry.ts';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import { getJson } from './ask.ts';

const versions = ['1.9.0', '1.10.0', '2.0.0-rc.1', '2.0.0-rc.10', 'v0.9.0', 'nightly', 'weekly'].map((version) => ({
  name: 'genomics/rnaseq',
  version,
  category: 'genomics',
  updated_at: version === 'weekly' ? '2026-02-01' : '2026-01-01',
}));
const TEMPLATES = [
  ...versions,
  { name: 'genomics/rnaseq', version: '1.11.0', category: 'genomics', withdrawn_at: '2026-03-01', deprecated: true },
  { name: 'gone', version: '1.0.0', category: 'base', withdrawn_at: '2026-03-01' },
  { name: 'versions', version: '1.0.0' },
];

let registry: Registry;
let url = '';

beforeAll(async () => {
  registry = createRegistry({ templates: TEMPLATES });
  url = `${await registry.listen()}/api/v1`;
});
afterAll(() => registry.close());

describe('one template', () => {
  test('without a version it is the newest release that was not withdrawn', async () => {
    expect(await getJson(`${url}/templates/genomics%2Frnaseq`)).toMatchObject({ version: '1.10.0' });
    expect(await getJson(`${url}/templates/genomics%2Frnaseq?version=1.11.0`)).toMatchObject({
      version: '1.11.0',
      withdrawn_at: '2026-03-01',
      deprecated: true,
    });
  });

  test('one whose every version was withdrawn is still served, and says so', async () => {
    expect(await getJson(`${url}/templates/gone`)).toMatchObject({ withdrawn_at: '2026-03-01' });
  });

  test('members of "marketplace" at the top level count as well, and unknown members are left out', async () => {
    await using other = createRegistry({
      templates: [{ name: 'x', version: '1', downloads: 3, verified: true, colour: 'red' }],
    });
    const template = await getJson(`${await other.listen()}/api/v1/templates/x`);
    expect(template).toMatchObject({ name: 'x', version: '1', marketplace: { downloads: 3, verified: true } });
    expect(template).not.toHaveProperty('colour');
  });

  test('a name is told from the members behind it', async () => {
    expect(await getJson(`${url}/templates/versions`)).toMatchObject({ name: 'versions' });
    expect(await getJson(`${url}/templates/versions/versions`)).toHaveProperty('versions');
  });
});

test('versions come newest first: releases, then pre-releases, then others by date', async () => {
  const body = await getJson(`${url}/templates/genomics%2Frnaseq/versions`);
  expect(body).toMatchObject({
    versions: [
      { version: '1.11.0', withdrawn_at: '2026-03-01', deprecated: true },
      { version: '1.10.0', published_at: '2026-01-01', deprecated: false },
      { version: '1.9.0' },
      { version: 'v0.9.0' },
      { version: '2.0.0-rc.10' },
      { version: '2.0.0-rc.1' },
      { version: 'weekly' },
      { version: 'nightly' },
    ],
  });
});

test('a document comes with its digest in both spellings, the same as in the template and the list of versions', async () => {
  const response = await fetch(`${url}/templates/genomics%2Frnaseq/content?version=1.9.0`);
  const bytes = Buffer.from(await response.arrayBuffer());
  const sha256 = createHash('sha256').update(bytes);
  const base64 = sha256.copy().digest('base64');
  const digest = `sha256:${sha256.digest('hex')}`;
  expect(response.headers.get('etag')).toBe(`"${digest}"`);
  expect(response.headers.get('repr-digest')).toBe(`sha-256=:${base64}:`);
  expect(response.headers.get('cache-control')).toContain('immutable');
  expect(await getJson(`${url}/templates/genomics%2Frnaseq?version=1.9.0`)).toMatchObject({ digest });
  expect(JSON.stringify(await getJson(`${url}/templates/genomics%2Frnaseq/versions`))).toContain(digest);
});

test('categories are counted by the newest version of each name', async () => {
  expect(await getJson(`${url}/categories`)).toEqual([
    { name: 'base', count: 1 },
    { name: 'genomics', count: 1 },
  ]);
});

test('health is a word', async () => {
  expect(await getJson(`${url}/health`)).toEqual({ status: 'ok' });
});

const READABLE = [
  'search?limit=2',
  'templates/gone',
  'templates/gone/versions',
  'templates/gone/content',
  'categories',
];

describe.each(READABLE)('%s', (path) => {
  test('is not sent again to who has it, until something changes', async () => {
    const first = await request(`${url}/${path}`);
    await first.body.dump();
    const etag = String(first.headers.etag);
    for (const validator of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const again = await request(`${url}/${path}`, { headers: { 'if-none-match': validator } });
      expect([again.statusCode, await again.body.text(), again.headers.etag]).toEqual([304, '', etag]);
    }
    registry.upsert({ name: 'gone', version: '1.0.0', category: 'base', withdrawn_at: '2026-03-01', title: path });
    const changed = await request(`${url}/${path}`, { headers: { 'if-none-match': etag } });
    await changed.body.dump();
    expect(changed.statusCode).toBe(200);
  });

  test('answers HEAD with what GET has, but for the body', async () => {
    const get = await fetch(`${url}/${path}`);
    const head = await fetch(`${url}/${path}`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
    expect(head.headers.get('content-length')).toBe(String((await get.arrayBuffer()).byteLength));
    expect(head.headers.get('etag')).toBe(get.headers.get('etag'));
  });

  test('may be cached for a minute, or by the client that asks for a fixed version for good', async () => {
    const response = await fetch(`${url}/${path}`);
    expect(response.headers.get('cache-control')).toBe(path.endsWith('content') ? 'no-cache' : 'public, max-age=60');
    await response.body?.cancel();
  });

  test('refuses other methods and says which it serves', async () => {
    const response = await fetch(`${url}/${path}`, { method: 'DELETE' });
    expect([response.status, response.headers.get('allow')]).toEqual([405, 'GET, HEAD']);
    expect(await response.json()).toMatchObject({ error: { code: 'method_not_allowed' } });
  });
});

test.each([
  ['templates/nothing', 404, 'not_found'],
  ['templates/gone?version=9', 404, 'not_found'],
  ['templates/gone/content?version=9', 404, 'not_found'],
  ['templates/nothing/versions', 404, 'not_found'],
  ['templates/genomics/rnaseq', 404, 'not_found'],
  ['templates/gone/versions/1', 404, 'not_found'],
  ['templates/__proto__', 404, 'not_found'],
  ['search/x', 404, 'not_found'],
  ['nothing', 404, 'not_found'],
  ['templates/%ff', 400, 'bad_request'],
  ['templates/gone?version=1&version=2', 400, 'bad_parameter'],
])('%s is answered %i %s', async (path, status, code) => {
  const response = await request(`${url}/${path}`);
  expect([response.statusCode, await response.body.json()]).toMatchObject([status, { error: { code } }]);
});

test('the place for publishing serves POST alone', async () => {
  const response = await fetch(`${url}/templates`);
  expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST']);
  await response.body?.cancel();
});

test('a registry that knows its public address gives the address of each document', async () => {
  await using named = createRegistry({ templates: TEMPLATES, publicUrl: 'https://templates.example' });
  const base = await named.listen();
  const contentUrl = 'https://templates.example/api/v1/templates/gone/content?version=1.0.0';
  expect(await getJson(`${base}/api/v1/templates/gone`)).toMatchObject({ content_url: contentUrl });
  expect(await getJson(`${base}/api/v1/search?name=gone`)).toMatchObject({ templates: [{ content_url: contentUrl }] });
});

test('closing ends idle connections at once, and a second time does nothing', CLOCK_BOUND, async () => {
  const closing = createRegistry({ templates: TEMPLATES });
  await getJson(`${await closing.listen()}/api/v1/health`);
  const started = performance.now();
  await closing.close();
  await closing.close();
  expect(performance.now() - started).toBeLessThan(1_000);
});

test('a registry of 30,000 templates answers any page within a second of its first search', CLOCK_BOUND, async () => {
  const templates = Array.from({ length: 30_000 }, (_, index) => ({
    name: `group-${index % 97}/tool-${index}`,
    version: '1.0.0',
    description: `Number ${index} of many tools for research.`,
    marketplace: { downloads: index % 1_000 },
  }));
  await using large = createRegistry({ templates, maxLimit: 50 });
  const search = `${await large.listen()}/api/v1/search?q=tools&sort_by=popularity&limit=50`;
  await getJson(search);
  const started = performance.now();
  for (const offset of [0, 10_000, 29_950]) {
    expect(await getJson(`${search}&offset=${offset}`)).toMatchObject({ total_count: 30_000 });
  }
  expect(performance.now() - started).toBeLessThan(1_000);
});

import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseConfigObject } from '../../src/config/load.ts';
import { serveRegistries, wireTemplates } from './serve-registries.ts';

const folder = mkdtempSync(join(tmpdir(), 'marketplace-manifest-'));
afterAll(() => rmSync(folder, { recursive: true }));

const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const LISTED = 'query Names($query: String) { search(query: $query, first: 2) { nodes { name } } }';
const OTHER = '{ search(first: 3) { nodes { name version } } }';

function writeManifest(name: string, content: unknown): string {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
}

const apollo = writeManifest('apollo.json', {
  format: 'apollo-persisted-query-manifest',
  version: 1,
  operations: [{ id: sha256(LISTED), name: 'Names', type: 'query', body: LISTED }],
});
const plain = writeManifest('plain.json', { [`sha256:${sha256(LISTED)}`]: LISTED });

const serve = (persistedDocuments: Record<string, unknown>) =>
  serveRegistries({
    catalogs: { official: wireTemplates('template', 3) },
    server: { persistedDocuments },
  });

async function post(origin: string, body: unknown) {
  const response = await fetch(`${origin}/graphql`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });
  const { data = null, errors = [] } = JSON.parse(await response.text());
  return { status: response.status, data, code: errors[0]?.extensions.code };
}

describe('a list of documents', () => {
  it.each([apollo, plain])('lets in what is on it, by its hash or its text, and nothing else: %s', async (manifest) => {
    await using served = await serve({ manifest });
    const variables = { query: 'template' };
    const found = { search: { nodes: [{ name: 'template-00' }, { name: 'template-01' }] } };
    const hash = { version: 1, sha256Hash: sha256(LISTED) };
    expect((await post(served.origin, { documentId: `sha256:${sha256(LISTED)}`, variables })).data).toEqual(found);
    expect((await post(served.origin, { extensions: { persistedQuery: hash }, variables })).data).toEqual(found);
    expect((await post(served.origin, { query: LISTED, variables })).data).toEqual(found);
    served.forgetArrivals();
    const refused = [
      { query: OTHER },
      { query: `${LISTED} ` },
      { query: '{ __schema { types { name } } }' },
      { query: OTHER, extensions: { persistedQuery: hash } },
      { query: OTHER, extensions: { persistedQuery: { version: 1, sha256Hash: sha256(OTHER) } } },
      { documentId: `sha256:${sha256(OTHER)}` },
    ];
    for (const body of [...refused, ...refused]) expect((await post(served.origin, body)).code).toBe('FORBIDDEN');
    expect(served.countArrivals()).toBe(0);
  });

  it('that is not required only spares clients the sending', async () => {
    await using served = await serve({ manifest: apollo, required: false });
    expect((await post(served.origin, { documentId: `sha256:${sha256(LISTED)}` })).code).toBeUndefined();
    expect((await post(served.origin, { query: OTHER })).code).toBeUndefined();
  });

  it.each([
    ['a hash of something else', { [sha256(OTHER)]: LISTED }],
    [
      'an id that is no hash',
      { format: 'apollo-persisted-query-manifest', version: 1, operations: [{ id: 'a', body: LISTED }] },
    ],
    ['another version of the format', { format: 'apollo-persisted-query-manifest', version: 2, operations: [] }],
    ['no document', {}],
    ['no JSON', '{'],
  ])('with %s stops the start', (_, content) => {
    const manifest = writeManifest('wrong.json', content);
    expect(() =>
      parseConfigObject({
        server: { secret: 'for tests alone: 0123456789abcdef', persistedDocuments: { manifest } },
        registries: [{ name: 'official', type: 'official', url: 'https://registry.example' }],
      }),
    ).toThrow(/persistedDocuments\.manifest must be the path of/);
  });
});

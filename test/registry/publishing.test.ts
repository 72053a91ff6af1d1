import { hash } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { request } from 'undici';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createRegistry, type Registry } from '../../registry/registry.ts';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import { getJson, publish, searchNames } from './ask.ts';

const TOKEN = { authorization: 'Bearer open-sesame' };
const DOCUMENT = `# kept byte for byte
name: group/new-one
version: "1.0.0"
title: Novelty
marketplace:
  verified: true
  downloads: 999999
  dependencies: [{ name: base, version: ^1.0 }]
`;

let folder = '';
let registry: Registry;
let url = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-'));
  registry = createRegistry({ folder, publishTokens: ['open-sesame'] });
  url = await registry.listen();
});
afterEach(async () => {
  await registry.close();
  await rm(folder, { recursive: true });
});

test('a published template is found at once, and its document comes back byte for byte', async () => {
  const response = await publish(url, DOCUMENT, TOKEN);
  expect(response.status).toBe(201);
  expect(response.headers.get('location')).toBe('/api/v1/templates/group%2Fnew-one?version=1.0.0');
  const digest = `sha256:${hash('sha256', DOCUMENT)}`;
  expect(await response.json()).toMatchObject({ name: 'group/new-one', version: '1.0.0', digest });
  expect(await searchNames(url, 'q=novelty')).toEqual(['group/new-one']);
  const content = await fetch(`${url}/api/v1/templates/group%2Fnew-one/content`);
  expect(await content.text()).toBe(DOCUMENT);
  expect(content.headers.get('content-type')).toBe('application/yaml');
});

test('what a document claims of its own standing is not believed, not even after a restart', async () => {
  await publish(url, DOCUMENT, TOKEN);
  const before = await getJson(`${url}/api/v1/templates/group%2Fnew-one`);
  expect(before).toMatchObject({ marketplace: { dependencies: [{ name: 'base', version: '^1.0' }] } });
  expect(before).not.toHaveProperty('marketplace.downloads');
  expect(before).not.toHaveProperty('marketplace.verified');
  await using restarted = createRegistry({ folder });
  expect(await getJson(`${await restarted.listen()}/api/v1/templates/group%2Fnew-one`)).toEqual(before);
});

test('a version that exists is a conflict that tells the digest of what is there', async () => {
  await publish(url, DOCUMENT, TOKEN);
  const again = await publish(url, `${DOCUMENT}license: MIT\n`, TOKEN);
  const digest = `sha256:${hash('sha256', DOCUMENT)}`;
  expect(again.status).toBe(409);
  expect(again.headers.get('etag')).toBe(`"${digest}"`);
  expect(await again.json()).toMatchObject({ error: { code: 'version_exists', digest } });
});

test('of two publications of one version at once exactly one succeeds', async () => {
  const answers = await Promise.all([1, 2, 3, 4].map((n) => publish(url, `${DOCUMENT}author: person ${n}\n`, TOKEN)));
  expect(answers.map((answer) => answer.status).sort()).toEqual([201, 409, 409, 409]);
  await Promise.all(answers.map((answer) => answer.body?.cancel()));
});

test('JSON documents are taken as well', async () => {
  const document = JSON.stringify({ name: 'from-json', version: '0.1.0' });
  const response = await publish(url, document, { ...TOKEN, 'content-type': 'application/json' });
  expect(response.status).toBe(201);
  expect(await searchNames(url, 'name=from-json')).toEqual(['from-json']);
  expect(await readdir(join(folder, 'published'))).toEqual(['from-json@0.1.0.json']);
});

test.each(['../../etc/passwd', 'a/../../b', '/etc/passwd', 'a//b', '.', 'c:\\\\windows', 'a\\u0000b'])(
  'the name "%s" is refused, and nothing is written',
  async (name) => {
    const response = await publish(url, `{"name":"${name}","version":"1.0.0"}`, TOKEN);
    expect(response.status).toBe(422);
    expect(await response.json()).toMatchObject({ error: { code: 'invalid_template' } });
    expect(await readdir(folder)).toEqual([]);
  },
);

test('a name with a leading dot, a slash or astral characters survives a restart', async () => {
  for (const name of ['.hidden', 'deep/er/name', '\u{1f9ec}/x', `${'n'.repeat(190)}/\u{1f9ec}`]) {
    expect((await publish(url, JSON.stringify({ name, version: '1.0.0' }), TOKEN)).status).toBe(201);
  }
  const files = await readdir(folder, { recursive: true });
  expect(files.filter((file) => file.split('/').length > 2 || file.endsWith('.partial'))).toEqual([]);
  await using restarted = createRegistry({ folder });
  await restarted.listen();
  expect([restarted.size, restarted.faults]).toEqual([4, []]);
});

test('a published document with a list of versions stays one version', async () => {
  const document = `${DOCUMENT}versions: [{ version: "9.9.9" }]\n`;
  expect((await publish(url, document, TOKEN)).status).toBe(201);
  await using restarted = createRegistry({ folder });
  const answer = await fetch(`${await restarted.listen()}/api/v1/templates/group%2Fnew-one?version=9.9.9`);
  expect(answer.status).toBe(404);
});

test.each([
  ['without a digest', 400, 'bad_digest', DOCUMENT, { 'repr-digest': 'sha-1=:AAAA:' }],
  [
    'with the digest of another document',
    400,
    'bad_digest',
    DOCUMENT,
    { 'repr-digest': `sha-256=:${hash('sha256', 'x', 'base64')}:` },
  ],
  ['that is not YAML', 400, 'bad_document', 'name: [unclosed', {}],
  ['with the same key twice', 400, 'bad_document', 'name: a\nname: b\nversion: "1"', {}],
  ['with the same key twice further in', 400, 'bad_document', 'name: a\nversion: "1"\nx: [{ y: 1, y: 2 }]', {}],
  ['that is two', 400, 'bad_document', 'name: a\nversion: "1"\n---\nname: b\nversion: "1"', {}],
  ['that is no template', 422, 'invalid_template', 'just a text', {}],
  ['without a version', 422, 'invalid_template', 'name: x', {}],
  ['with a version that YAML takes for a number', 422, 'invalid_template', 'name: x\nversion: 1.10', {}],
  ['of a media type that is none', 415, 'unsupported_media_type', DOCUMENT, { 'content-type': 'text/plain' }],
  ['that is compressed', 415, 'unsupported_media_type', DOCUMENT, { 'content-encoding': 'gzip' }],
])('a document %s is refused', async (_what, status, code, document, headers) => {
  const response = await publish(url, document, { ...TOKEN, ...headers });
  expect([response.status, await response.json()]).toMatchObject([status, { error: { code } }]);
  expect(registry.size).toBe(0);
});

test('a document of more than a megabyte is refused, and one of exactly that is taken', async () => {
  const head = 'name: big\nversion: "1.0.0"\ndescription: ';
  const exact = head + 'x'.repeat(1_048_576 - head.length);
  expect((await publish(url, `${exact}x`, TOKEN)).status).toBe(413);
  expect((await publish(url, exact, TOKEN)).status).toBe(201);
});

test('a body that never says how long it is, is refused as soon as it is too long', async () => {
  let sent = 0;
  const endless = new ReadableStream<Uint8Array>({
    pull(controller) {
      sent += 65_536;
      controller.enqueue(new Uint8Array(65_536).fill(0x61));
    },
  });
  const { statusCode, body } = await request(`${url}/api/v1/templates`, {
    method: 'POST',
    body: Readable.fromWeb(endless),
    headers: { ...TOKEN, 'content-type': 'application/yaml', 'repr-digest': 'sha-256=:AAAA:' },
  });
  await body.dump();
  expect(statusCode).toBe(413);
  expect(sent).toBeLessThan(64 * 1_048_576);
});

test('odd keys in a document are no reason for a warning in the log', async () => {
  const warnings: Error[] = [];
  const listen = (warning: Error) => warnings.push(warning);
  process.on('warning', listen);
  try {
    expect((await publish(url, 'name: odd\nversion: "1.0.0"\n? [a, b]\n: c\n', TOKEN)).status).toBe(201);
  } finally {
    process.off('warning', listen);
  }
  expect(warnings).toEqual([]);
});

test('tens of thousands of members are read in a moment', CLOCK_BOUND, async () => {
  const members = Array.from({ length: 50_000 }, (_, index) => `k${index}: 1`).join('\n');
  const started = performance.now();
  expect((await publish(url, `name: wide\nversion: "1.0.0"\n${members}\n`, TOKEN)).status).toBe(201);
  expect(performance.now() - started).toBeLessThan(5_000);
});

test('a bomb of aliases is refused in a moment', CLOCK_BOUND, async () => {
  const levels = Array.from({ length: 12 }, (_, n) => `l${n}: &l${n} [${Array(9).fill(n === 0 ? 'x' : `*l${n - 1}`)}]`);
  const started = performance.now();
  const response = await publish(url, `name: bomb\nversion: "1.0.0"\n${levels.join('\n')}\n`, TOKEN);
  expect(response.status).toBe(400);
  expect(performance.now() - started).toBeLessThan(2_000);
});

test('a registry in memory takes documents too, and writes nothing', async () => {
  await using memory = createRegistry({ publishTokens: ['open-sesame'] });
  const memoryUrl = await memory.listen();
  expect((await publish(memoryUrl, DOCUMENT, TOKEN)).status).toBe(201);
  expect(await searchNames(memoryUrl, '')).toEqual(['group/new-one']);
});

test('a read-only registry refuses everyone, with or without a token', async () => {
  await using readOnly = createRegistry({ publishTokens: ['open-sesame'], readOnly: true });
  const readOnlyUrl = await readOnly.listen();
  for (const headers of [{}, TOKEN]) {
    const response = await publish(readOnlyUrl, DOCUMENT, headers);
    expect([response.status, await response.json()]).toMatchObject([403, { error: { code: 'read_only' } }]);
  }
});

test('what is written to the folder is the document alone', async () => {
  await publish(url, DOCUMENT, TOKEN);
  const files = await readdir(join(folder, 'published'));
  expect(files).toEqual(['group%2Fnew-one@1.0.0.yaml']);
  expect(await readFile(join(folder, 'published', files[0] ?? ''), 'utf8')).toBe(DOCUMENT);
});

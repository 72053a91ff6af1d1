import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import semver from 'semver';
import { Agent, fetch } from 'undici';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startDemoRegistries } from '../../registry/demo.ts';
import { runRegistry } from '../../registry/serve.ts';
import { createTestAuthority } from '../helpers/faulty-registry-certificates.ts';
import { getJson, listNames, publish } from './ask.ts';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'registry-'));
  await writeFile(join(folder, 'one.yaml'), 'name: one\nversion: "1.0.0"\n');
  await writeFile(join(folder, 'bad.yaml'), 'name: [');
});
afterAll(() => rm(folder, { recursive: true }));

test('the program prints one line with its URL, names bad files, and ends with 0 on SIGTERM', async () => {
  const program = fileURLToPath(new URL('../../registry/main.ts', import.meta.url));
  const child = spawn(process.execPath, [program, folder, '--read-only'], { stdio: ['ignore', 'pipe', 'pipe'] });
  try {
    const lines: string[] = [];
    const errors: Buffer[] = [];
    child.stderr.on('data', (chunk: Buffer) => errors.push(chunk));
    const output = createInterface(child.stdout).on('line', (line) => lines.push(line));
    await once(output, 'line');
    const url = /^Registry with 1 templates at (http:\S+)$/.exec(lines[0] ?? '')?.[1] ?? '';
    expect(listNames(await getJson(`${url}/api/v1/search`))).toEqual(['one']);
    expect((await publish(url, 'name: x\nversion: "1"')).status).toBe(403);
    child.kill('SIGTERM');
    expect(await once(child, 'close')).toEqual([0, null]);
    expect(lines).toHaveLength(1);
    expect(Buffer.concat(errors).toString()).toMatch(/^bad\.yaml: line 1 is not YAML/);
  } finally {
    child.kill('SIGKILL');
  }
});

test('a token may come by the environment', async () => {
  const registry = await runRegistry([folder], { REGISTRY_TOKEN: 'writer' });
  try {
    const headers = { authorization: 'Bearer writer' };
    expect((await publish(registry.url, 'name: x', headers)).status).toBe(422);
    expect((await publish(registry.url, 'name: x', { authorization: 'Bearer other' })).status).toBe(401);
  } finally {
    await registry.close();
  }
});

test.each([
  [[], 'Name one folder of templates.'],
  [['a', 'b'], 'Name one folder of templates.'],
  [['/nowhere/at/all'], '"/nowhere/at/all" must be a folder of templates.'],
  [['FOLDER', '--port', '99999'], '--port must be a whole number from 0 to 65535, but "99999" was given.'],
  [['FOLDER', '--prot', '1'], "Unknown option '--prot'"],
  [['FOLDER', '--tls-key', 'x'], '--tls-cert and --tls-key must be given together.'],
  [['FOLDER', '--public-url', 'ftp://x'], '--public-url must be an http or https address'],
])('the arguments %j are refused with what is wrong', async (list, message) => {
  const given = list.map((argument) => (argument === 'FOLDER' ? folder : argument));
  await expect(runRegistry(given)).rejects.toThrow(message);
});

test('over TLS only clients with a certificate of the authority are served, where one is set', async () => {
  const authority = createTestAuthority();
  const server = authority.issue({ commonName: 'localhost', ipAddresses: ['127.0.0.1'] });
  const client = authority.issue({ commonName: 'gateway' });
  const files = { cert: server.cert, key: server.key, ca: authority.ca };
  await Promise.all(Object.entries(files).map(([name, pem]) => writeFile(join(folder, `${name}.pem`), pem)));
  const path = (name: string) => join(folder, `${name}.pem`);
  const registry = await runRegistry([
    folder,
    '--tls-cert',
    path('cert'),
    '--tls-key',
    path('key'),
    '--tls-client-ca',
    path('ca'),
  ]);
  const known = new Agent({ connect: { ca: authority.ca, cert: client.cert, key: client.key } });
  const unknown = new Agent({ connect: { ca: authority.ca } });
  try {
    expect(registry.url).toMatch(/^https:/);
    const response = await fetch(`${registry.url}/api/v1/health`, { dispatcher: known });
    expect(await response.json()).toEqual({ status: 'ok' });
    await expect(fetch(`${registry.url}/api/v1/health`, { dispatcher: unknown })).rejects.toThrow();
  } finally {
    await Promise.all([known.close(), unknown.destroy()]);
    await registry.close();
  }
});

test('the demo brings three registries of at least 25 templates, and a dozen names that several carry', async () => {
  const registries = await startDemoRegistries();
  try {
    expect(registries.map(({ name, type }) => [name, type])).toEqual([
      ['official', 'official'],
      ['community', 'community'],
      ['institutional', 'institutional'],
    ]);
    const lists = await Promise.all(
      registries.map(async ({ url }) => listNames(await getJson(`${url}/api/v1/search?limit=100`))),
    );
    for (const names of lists) expect(names.length).toBeGreaterThanOrEqual(25);
    const all = lists.flat();
    const shared = new Set(all.filter((name, index) => all.indexOf(name) !== index));
    expect(shared.size).toBeGreaterThanOrEqual(12);
  } finally {
    await Promise.all(registries.map((registry) => registry.close()));
  }
});

test('what the demo data build on is in the same registry, in a version that fits', async () => {
  const registries = await startDemoRegistries();
  try {
    for (const { url } of registries) {
      const body = await getJson(`${url}/api/v1/search?limit=100`);
      const names = new Set(listNames(body));
      const text = JSON.stringify(body);
      const parents = [...text.matchAll(/"parent":"([^"]+)"/g)].map(([, parent]) => parent ?? '');
      expect(parents.filter((parent) => !names.has(parent))).toEqual([]);
      const wanted = [...text.matchAll(/\{"name":"([^"]+)","version":"([^"]+)"[^{}]*"type":"template"\}/g)];
      expect(wanted.length).toBeGreaterThanOrEqual(5);
      for (const [, name = '', range = ''] of wanted) {
        const answer = await getJson(`${url}/api/v1/templates/${encodeURIComponent(name)}/versions`);
        const versions = [...JSON.stringify(answer).matchAll(/"version":"([^"]+)"/g)].map(
          ([, version]) => version ?? '',
        );
        expect(semver.maxSatisfying(versions, range), `${name} ${range}`).not.toBeNull();
      }
    }
  } finally {
    await Promise.all(registries.map((registry) => registry.close()));
  }
});

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { z } from 'zod';
import { findFreePort } from '../helpers/free-port.ts';

const PROJECT = fileURLToPath(new URL('../../', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'marketplace-image-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const dockerfile = readFileSync(join(PROJECT, 'deploy/Dockerfile'), 'utf8').replaceAll('\\\n', ' ');

/** The last instruction of a name whose argument is a list of words. */
function wordsOf(instruction: RegExp): readonly string[] {
  const found = [...dockerfile.matchAll(instruction)].at(-1)?.[1] ?? 'null';
  return z.array(z.string()).parse(JSON.parse(found));
}

describe('the image', () => {
  it('has all that the gateway needs to start, answers its own health check, and stops when told', async () => {
    const files = readFileSync(join(PROJECT, '.dockerignore'), 'utf8')
      .split('\n')
      .filter((line) => line.startsWith('!'));
    expect(files.length).toBeGreaterThan(5);
    const app = join(folder, 'app');
    mkdirSync(app);
    for (const file of files) cpSync(join(PROJECT, file.slice(1)), join(app, file.slice(1)), { recursive: true });
    symlinkSync(join(PROJECT, 'node_modules'), join(app, 'node_modules'));

    const [program, ...given] = wordsOf(/^CMD (\[.*\])/gm);
    expect(program).toBe('node');
    const port = String(await findFreePort());
    const env = {
      ...{ PATH: process.env.PATH ?? '', NODE_ENV: 'production', HOST: '127.0.0.1', PORT: port },
      MARKETPLACE_DATA: join(folder, 'data'),
    };
    const child = spawn(process.execPath, given, { cwd: app, env, stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(child, 'close');
    try {
      await once(createInterface({ input: child.stdout }), 'line');
      const check = wordsOf(/^HEALTHCHECK .*CMD (\[.*\])/gm);
      const [status] = await once(spawn(process.execPath, check.slice(1), { env, stdio: 'ignore' }), 'close');
      expect(status).toBe(0);
      child.kill('SIGTERM');
      expect((await exit)[0]).toBe(0);
      const [dead] = await once(spawn(process.execPath, check.slice(1), { env, stdio: 'ignore' }), 'close');
      expect(dead).toBe(1);
    } finally {
      child.kill('SIGKILL');
    }
  });

  it('runs as a user of its own and writes to its data directory alone', () => {
    expect(dockerfile).toMatch(/^USER node$/m);
    expect(dockerfile).toMatch(/^VOLUME \/data$/m);
  });
});

describe('the compose file', () => {
  const service = z.looseObject({
    image: z.string(),
    volumes: z.array(z.string()).default([]),
    depends_on: z.union([z.array(z.string()), z.record(z.string(), z.unknown())]).optional(),
    environment: z.record(z.string(), z.string()).default({}),
  });
  const compose = z
    .object({ name: z.string(), services: z.record(z.string(), service), volumes: z.record(z.string(), z.unknown()) })
    .parse(parse(readFileSync(join(PROJECT, 'deploy/compose.yaml'), 'utf8')));

  it('mounts what is there, and waits for services that are there', () => {
    for (const { volumes, depends_on: needed = [] } of Object.values(compose.services)) {
      for (const volume of volumes) {
        const [from = ''] = volume.split(':');
        if (from.startsWith('.')) expect([from, existsSync(join(PROJECT, 'deploy', from))]).toEqual([from, true]);
        else expect(Object.keys(compose.volumes)).toContain(from);
      }
      const names = Array.isArray(needed) ? needed : Object.keys(needed);
      for (const name of names) expect(Object.keys(compose.services)).toContain(name);
    }
  });

  it('asks for every secret, each of which the example names', () => {
    const example = readFileSync(join(PROJECT, 'deploy/compose/example.env'), 'utf8');
    const asked = new Set(
      Object.values(compose.services)
        .flatMap(({ environment }) => Object.values(environment))
        .flatMap((value) => [...value.matchAll(/\$\{(\w+):\?/g)].map(([, name = '']) => name)),
    );
    expect([...asked].sort()).toEqual(['GRAFANA_PASSWORD', 'MARKETPLACE_SECRET', 'POSTGRES_PASSWORD']);
    for (const name of asked) expect(example).toMatch(new RegExp(`^${name}=$`, 'm'));
  });
});

import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { type OpenRegistries, openRegistries, RegistryPool } from '../../datasources/registries.ts';
import { AnswerCache } from '../../src/cache/answer-cache.ts';
import { REGISTRY_KINDS } from '../../src/config/config.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { configureRegistry } from '../helpers/faulty-registry-config.ts';

const FOLDER = new URL('../../datasources/', import.meta.url);

describe('the kinds of registry', () => {
  it('are the folders of datasources, each with the same files', () => {
    const folders = readdirSync(FOLDER, { withFileTypes: true })
      .filter((entry) => entry.isDirectory() && !['http', 'health'].includes(entry.name))
      .map((entry) => entry.name);
    expect(folders.toSorted()).toEqual([...REGISTRY_KINDS].toSorted());
    for (const folder of folders) {
      expect(readdirSync(new URL(`${folder}/`, FOLDER)).toSorted()).toEqual([
        'README.md',
        'index.ts',
        'template.ts',
        'wire.ts',
      ]);
    }
  });

  it('keep the order of the configuration', async () => {
    const configs = ['b', 'a'].map((name) => configureRegistry('http://127.0.0.1:9', { name }));
    const opened = openRegistries(configs);
    expect(opened.sources.map(({ info }) => [info.name, info.writable])).toEqual([
      ['b', true],
      ['a', true],
    ]);
    await opened.whenTriedOnce();
    await opened.close();
  });
});

describe('a registry whose settings change', () => {
  it('keeps what its checks have found, and since when', async () => {
    await using registry = await startFaultyRegistry({ mode: { status: 500 } });
    const config = configureRegistry(registry.url, { health: { interval: 20 } });
    const statuses: unknown[] = [];
    const note = (detail: object) => {
      if ('status' in detail) statuses.push(detail.status);
    };
    const cache = new AnswerCache({ memoryBytes: 1_000_000, disk: null, log: { warn: () => undefined } });
    const pool = new RegistryPool({ cache, logger: { info: note, warn: note } });
    const first = pool.open([config]);
    const read = ({ sources }: OpenRegistries) => sources[0]?.readHealth();
    await first.whenTriedOnce();
    await registry.setMode('ok');
    await expect.poll(() => read(first)).toMatchObject({ status: 'UP' });
    const before = read(first);

    const second = pool.open([{ ...config, timeouts: { ...config.timeouts, search: 1234 } }]);
    expect(read(second)).toMatchObject({ status: 'UP', sinceMs: before?.sinceMs, message: null });
    await second.whenTriedOnce();
    await first.close();
    expect(read(second)).toMatchObject({ status: 'UP', sinceMs: before?.sinceMs });
    expect(read(second)?.uptime).toBeLessThan(1);
    await registry.setMode('refused');
    await expect.poll(() => read(second)).toMatchObject({ status: 'DOWN' });
    expect(read(second)?.sinceMs).toBeGreaterThan(before?.sinceMs ?? 0);
    expect(statuses).toEqual(['DOWN', 'UP', 'DOWN']);
    await second.close();
    await cache.close();
  });

  it('tells the log why a check failed, which clients are not told', async () => {
    const lines: object[] = [];
    const logger = { info: () => undefined, warn: (detail: object) => void lines.push(detail) };
    // Nobody listens at the discard port.
    const opened = openRegistries([configureRegistry('http://127.0.0.1:9')], { logger });
    await opened.whenTriedOnce();
    expect(lines).toEqual([
      expect.objectContaining({ registry: 'faulty', status: 'DOWN', detail: expect.stringContaining('ECONNREFUSED') }),
    ]);
    expect(JSON.stringify(opened.sources[0]?.readHealth())).not.toContain('ECONNREFUSED');
    await opened.close();
  });
});

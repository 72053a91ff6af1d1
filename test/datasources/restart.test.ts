/** The cache's file between two runs of the gateway, over real registries. */
import { describe, expect, it, vi } from 'vitest';
import { openRegistries } from '../../datasources/registries.ts';
import type { RegistryConfig } from '../../src/config/config.ts';
import type { RegistrySource } from '../../src/domain/registry.ts';
import { CacheFolder } from '../cache/answers.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { configureRegistry } from '../helpers/faulty-registry-config.ts';
import { makeRows } from '../helpers/faulty-registry-source.ts';
import { BROWSE } from '../helpers/row-request.ts';

const FOREVER = { deadlineMs: Number.POSITIVE_INFINITY };

/** One run: opens, works, and stops in order. */
async function run<T>(
  folder: CacheFolder,
  config: RegistryConfig,
  work: (source: RegistrySource) => Promise<T>,
): Promise<T> {
  const cache = folder.open();
  const opened = openRegistries([config], { cache });
  const [source] = opened.sources;
  if (source === undefined) throw new Error('one registry must have been opened');
  const result = await work(source);
  await opened.close();
  await cache.close();
  return result;
}

const search = (source: RegistrySource) => source.searchRows(BROWSE, FOREVER);

describe('a restart', () => {
  it('begins with what was asked for before it', async () => {
    using folder = new CacheFolder();
    await using registry = await startFaultyRegistry({ rows: makeRows(30), headers: { etag: '"1"' } });
    const config = configureRegistry(registry.url);
    const before = await run(folder, config, async (source) => ({
      rows: await search(source),
      template: await source.fetchTemplate('template-00001', null, FOREVER),
      none: await source.fetchTemplate('none', null, FOREVER),
      content: await source.fetchContent('template-00001', '1', FOREVER),
      categories: await source.fetchCategories(FOREVER),
    }));
    registry.forgetArrivals();
    await run(folder, config, async (source) => {
      const rows = await search(source);
      expect(rows).toMatchObject({ cache: 'HIT', fetchedAtMs: before.rows.fetchedAtMs });
      expect(rows.value.rows.map((row) => row?.template)).toEqual(before.rows.value.rows.map((row) => row?.template));
      expect((await source.fetchTemplate('template-00001', null, FOREVER)).value).toEqual(before.template.value);
      expect(await source.fetchTemplate('none', null, FOREVER)).toMatchObject({ value: null, cache: 'HIT' });
      const content = await source.fetchContent('template-00001', '1', FOREVER);
      expect(Buffer.from(content.value?.bytes ?? [])).toEqual(Buffer.from(before.content.value?.bytes ?? []));
      expect((await source.fetchCategories(FOREVER)).value).toEqual(before.categories.value);
      // The second use comes from memory.
      expect((await search(source)).value).toBe(rows.value);
    });
    expect(registry.arrivals.filter(({ path }) => !path.endsWith('/health'))).toHaveLength(0);
  });

  it('asks conditionally for what has passed its lifetime meanwhile', async () => {
    using folder = new CacheFolder();
    await using registry = await startFaultyRegistry({ rows: makeRows(30), etags: true });
    const config = configureRegistry(registry.url);
    const before = await run(folder, config, search);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    const after = await run(folder, config, search);
    vi.useRealTimers();
    expect(after.cache).toBe('MISS');
    expect(after.value.rows.map((row) => row?.template)).toEqual(before.value.rows.map((row) => row?.template));
    expect(registry.arrivalsAt().at(-1)?.headers['if-none-match']).toBe('"g0"');
  });

  it('finds an old answer for a registry that is down', async () => {
    using folder = new CacheFolder();
    await using registry = await startFaultyRegistry({ rows: makeRows(3) });
    const config = configureRegistry(registry.url);
    await run(folder, config, search);
    await registry.setMode('refused');
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3_600_000 });
    const answer = await run(folder, config, search);
    vi.useRealTimers();
    expect([answer.cache, answer.staleBecause?.type]).toEqual(['STALE', 'CONNECTION']);
  });

  it.each<[string, (config: RegistryConfig) => RegistryConfig]>([
    ['other credentials', (config) => ({ ...config, credentials: { type: 'token', token: 'another' } })],
    ['none', (config) => ({ ...config, credentials: null })],
    ['another name', (config) => ({ ...config, name: 'another' })],
  ])('gives nothing of what was kept to a registry with %s', async (_promise, change) => {
    using folder = new CacheFolder();
    await using registry = await startFaultyRegistry({ rows: makeRows(3) });
    const config = configureRegistry(registry.url, { credentials: { type: 'token', token: 'one' } });
    await run(folder, config, search);
    expect((await run(folder, change(config), search)).cache).toBe('MISS');
    expect((await run(folder, config, search)).cache).toBe('HIT');
  });
});

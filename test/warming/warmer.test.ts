/** What is kept warm, over registries on loopback that count what arrives. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openRegistries } from '../../datasources/registries.ts';
import { createFederation } from '../../src/federation/federation.ts';
import { Usage } from '../../src/federation/usage.ts';
import { Warmer } from '../../src/warming/warmer.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { configureRegistry, type RegistryConfigOverrides } from '../helpers/faulty-registry-config.ts';
import { makeRows } from '../helpers/faulty-registry-source.ts';
import { ANYONE, requestOf } from '../helpers/walks.ts';

const MINUTE_MS = 60_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

async function openWarm(registries: readonly FaultyRegistry[], overrides: RegistryConfigOverrides = {}) {
  const configs = registries.map(({ url }, index) => configureRegistry(url, { name: `r${index}`, ...overrides }));
  const opened = openRegistries(configs);
  const usage = new Usage();
  const federation = createFederation({
    sources: opened.sources,
    search: { timeout: 2_000, maxPageSize: 100, window: 50, scan: 2_000, drain: { rows: 10_000, requests: 40 } },
    secrets: ['a secret of the tests over HTTP'],
    usage,
  });
  await opened.whenTriedOnce();
  const defects: unknown[] = [];
  const warmer = new Warmer({
    warming: federation.warming,
    usage,
    most: 100,
    saveUsage: async () => undefined,
    onDefect: (error) => defects.push(error),
  });
  const search = (query: string) =>
    federation
      .viewFor(ANYONE)
      .search(
        requestOf({ query, field: 'POPULARITY', collapse: true }, { direction: 'FORWARD', count: 20, cursor: null }),
      );
  return {
    federation,
    warmer,
    search,
    async [Symbol.asyncDispose]() {
      await warmer.close();
      await opened.close();
      await federation.close();
      expect(defects).toEqual([]);
    },
  };
}

function startRegistry(count = 30): Promise<FaultyRegistry> {
  return startFaultyRegistry({ rows: makeRows(count), behaviour: { claimsTotalOrder: true } });
}

describe('a search that is used more than once', () => {
  it('is asked for again once before it expires, and is a hit for whoever comes then', async () => {
    await using registry = await startRegistry();
    await using gateway = await openWarm([registry]);
    await gateway.search('template');
    await gateway.search('template');
    await gateway.warmer.runRound();
    expect(registry.arrivalsAt()).toHaveLength(1);
    vi.setSystemTime(Date.now() + 14.5 * MINUTE_MS);
    await gateway.warmer.runRound();
    await gateway.warmer.runRound();
    expect(registry.arrivalsAt()).toHaveLength(2);
    vi.setSystemTime(Date.now() + 14 * MINUTE_MS);
    expect((await gateway.search('template')).reports[0]?.cache).toBe('HIT');
    expect(registry.arrivalsAt()).toHaveLength(2);
  });

  it('is left alone while the registry has no budget to spare', async () => {
    await using registry = await startRegistry();
    const rateLimit = { requestsPerSecond: 0.001, burst: 1, concurrent: 20, maxQueue: 200 };
    await using gateway = await openWarm([registry], { rateLimit });
    await gateway.search('template');
    await gateway.search('template');
    vi.setSystemTime(Date.now() + 14.5 * MINUTE_MS);
    await gateway.warmer.runRound();
    expect(registry.arrivalsAt()).toHaveLength(1);
  });

  it('of a registry that fails is not asked for again at once', async () => {
    await using registry = await startRegistry();
    await using gateway = await openWarm([registry]);
    await gateway.search('template');
    await gateway.search('template');
    vi.setSystemTime(Date.now() + 20 * MINUTE_MS);
    await registry.setMode({ status: 500 });
    await gateway.warmer.runRound();
    await gateway.warmer.runRound();
    expect(registry.arrivalsAt()).toHaveLength(2);
  });
});

describe('what is used once', () => {
  it('is not worth a call', async () => {
    await using registry = await startRegistry();
    await using gateway = await openWarm([registry]);
    await gateway.search('template');
    vi.setSystemTime(Date.now() + 14.5 * MINUTE_MS);
    await gateway.warmer.runRound();
    expect(registry.arrivalsAt()).toHaveLength(1);
  });
});

describe('a template that is looked up more than once', () => {
  it('is asked for again before it expires', async () => {
    await using registry = await startRegistry();
    await using gateway = await openWarm([registry]);
    const lookUp = () => gateway.federation.viewFor(ANYONE).lookUpTemplate('template-00001', null, null);
    await lookUp();
    await lookUp();
    vi.setSystemTime(Date.now() + 59.5 * MINUTE_MS);
    await gateway.warmer.runRound();
    expect(registry.arrivalsAt('template-00001')).toHaveLength(2);
  });
});

describe('names', () => {
  it('are listed early where registries share a namespace, so that collapse asks about none that only one has', async () => {
    const other = makeRows(30).map((row) => ({ ...row, name: `other-${row.name}` }));
    await using first = await startRegistry();
    await using second = await startFaultyRegistry({ rows: other, behaviour: { claimsTotalOrder: true } });
    await using gateway = await openWarm([first, second]);
    await gateway.warmer.runRound();
    expect(first.arrivalsAt().map(({ query }) => query.get('limit'))).toEqual(['250']);
    await gateway.search('template');
    const asked = [...first.arrivalsAt(), ...second.arrivalsAt()].filter(({ query }) => query.has('name'));
    expect(asked).toEqual([]);
    await gateway.warmer.runRound();
    expect(first.arrivalsAt().filter(({ query }) => query.get('limit') === '250')).toHaveLength(1);
  });

  it('are not listed of a registry that is alone in its namespace', async () => {
    await using registry = await startRegistry();
    await using gateway = await openWarm([registry]);
    await gateway.warmer.runRound();
    expect(registry.arrivalsAt()).toEqual([]);
  });

  it('of a registry that carries too many cost one question', async () => {
    await using first = await startFaultyRegistry({ rows: makeRows(300), behaviour: { miscountsBy: 60_000 } });
    await using second = await startRegistry();
    await using gateway = await openWarm([first, second]);
    await gateway.warmer.runRound();
    expect(first.arrivalsAt()).toHaveLength(1);
  });
});

import { describe, expect, it } from 'vitest';
import type { OrderField } from '../../src/domain/search.ts';
import { type FaultyRegistry, startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { openFederation } from '../helpers/open-federation.ts';
import { generateRows, namesOf, requestOf } from '../helpers/walks.ts';

async function startRegistries(count: number): Promise<FaultyRegistry[]> {
  return await Promise.all(
    Array.from({ length: count }, (_, index) =>
      startFaultyRegistry({ rows: generateRows(index, 400), behaviour: { claimsTotalOrder: true } }),
    ),
  );
}

/** What reached a registry, as it was asked. */
const urlsOf = (registry: FaultyRegistry) => registry.arrivalsAt().map(({ path, query }) => `${path}?${query}`);
const repeatedIn = (urls: readonly string[]) => urls.filter((url, index) => urls.indexOf(url) !== index);
const firstPage = (count: number) => ({ direction: 'FORWARD', count, cursor: null }) as const;

describe('500 equal searches at once', () => {
  it.each<OrderField>(['POPULARITY', 'NAME', 'RELEVANCE'])('ask each registry each thing once: %s', async (field) => {
    const registries = await startRegistries(3);
    const named = Object.fromEntries(registries.map((registry, index) => [`r${index}`, registry]));
    await using gateway = await openFederation(named, { timeout: 10_000 });
    const request = requestOf({ field, query: field === 'RELEVANCE' ? 'environment' : '' }, firstPage(20));
    const results = await Promise.all(Array.from({ length: 500 }, () => gateway.view().search(request)));
    const [first] = results.map(namesOf);
    expect(first).toHaveLength(20);
    for (const result of results) expect(namesOf(result)).toEqual(first);
    for (const registry of registries) {
      expect(repeatedIn(urlsOf(registry))).toEqual([]);
      expect(registry.arrivalsAt().length).toBeLessThanOrEqual(2);
    }
    expect(new Set(results.map((result) => result.endCursor())).size).toBe(1);
    await Promise.all(registries.map((registry) => registry.close()));
  });

  it('are all answered when the registry fails, and it was asked once', async () => {
    await using registry = await startFaultyRegistry({ rows: [], mode: { status: 500 } });
    await using gateway = await openFederation({ one: registry }, { timeout: 10_000 });
    const request = requestOf({ field: 'NAME' }, firstPage(20));
    const results = await Promise.all(Array.from({ length: 500 }, () => gateway.view().search(request)));
    expect(results.every(({ partial }) => partial)).toBe(true);
    expect(registry.arrivalsAt()).toHaveLength(1);
  });
});

describe('searches that overlap', () => {
  it('share the windows that they have in common: pages of any size, collapsed or not, for whomever', async () => {
    const registries = await startRegistries(2);
    const named = Object.fromEntries(registries.map((registry, index) => [`r${index}`, registry]));
    await using gateway = await openFederation(named, { timeout: 10_000 });
    const sizes = [1, 5, 20, 50, 100];
    const requests = Array.from({ length: 100 }, (_, index) =>
      requestOf({ field: 'POPULARITY' }, firstPage(sizes[index % sizes.length] ?? 20)),
    );
    await Promise.all(requests.map((request) => gateway.view().search(request)));
    for (const registry of registries) expect(repeatedIn(urlsOf(registry))).toEqual([]);
    const narrowed = requests.map((request) => ({ ...request, filter: { ...request.filter, registries: ['r0'] } }));
    const [before = 0, ...others] = registries.map((registry) => registry.arrivalsAt().length);
    await Promise.all(narrowed.slice(0, 2).map((request) => gateway.view().search(request)));
    // Of one registry alone more rows make a page: its first window is another one.
    expect(registries.map((registry) => registry.arrivalsAt().length)).toEqual([before + 1, ...others]);
    await Promise.all(registries.map((registry) => registry.close()));
  });

  it('share them over all pages of many walks at once', async () => {
    const registries = await startRegistries(2);
    const named = Object.fromEntries(registries.map((registry, index) => [`r${index}`, registry]));
    await using gateway = await openFederation(named, { timeout: 10_000 });
    const walkThrough = async (count: number) => {
      const names: string[] = [];
      let cursor: string | null = null;
      for (let goesOn = true; goesOn; ) {
        const page = { direction: 'FORWARD', count, cursor } as const;
        const result = await gateway.view().search(requestOf({ field: 'NAME' }, page));
        names.push(...namesOf(result));
        cursor = result.endCursor();
        goesOn = result.hasNextPage;
      }
      return names;
    };
    const walks = await Promise.all([20, 33, 50, 100, 20, 7].map(walkThrough));
    for (const names of walks) expect(names).toEqual(walks[0]);
    for (const registry of registries) {
      expect(repeatedIn(urlsOf(registry))).toEqual([]);
      expect(registry.arrivalsAt().length).toBeLessThanOrEqual(400 / 50 + 1);
    }
    await Promise.all(registries.map((registry) => registry.close()));
  });

  it('with filters that say the same in other words are equal', async () => {
    const registries = await startRegistries(1);
    const [registry] = registries;
    if (registry === undefined) throw new Error('one registry must have been started');
    await using gateway = await openFederation({ one: registry }, { timeout: 10_000 });
    const filters = [
      ['ml', 'bio'],
      ['bio', 'ml'],
      ['bio', 'bio', 'ml'],
    ];
    const results = await Promise.all(
      filters.map((categories) => gateway.view().search(requestOf({ filter: { categories } }, firstPage(5)))),
    );
    expect(new Set(results.map((result) => result.endCursor())).size).toBe(1);
    expect(registry.arrivalsAt()).toHaveLength(1);
    await registry.close();
  });
});

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { OrderField, SearchRequest } from '../../src/domain/search.ts';
import type { FederationView, SearchProgress, SearchResult } from '../../src/federation/answers.ts';
import { ODD_GIVERS, ODD_SORTERS } from '../helpers/behaviours.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { openFederation } from '../helpers/open-federation.ts';
import { ANYONE, federate, generateRows, requestOf } from '../helpers/walks.ts';

const WELL_BEHAVED = { claimsTotalOrder: true };
const BEHAVIOURS = [WELL_BEHAVED, ...Object.values(ODD_SORTERS), ...Object.values(ODD_GIVERS)];

async function watch(view: FederationView, request: SearchRequest): Promise<SearchProgress[]> {
  const events: SearchProgress[] = [];
  for await (const event of view.searchProgressively(request)) events.push(event);
  return events;
}

/** All of an answer that a client could ask for, apart from the times that it took. */
function tell(result: SearchResult | null | undefined) {
  return {
    edges: result?.edges.map(({ template, score, cursor }) => [template.registryName, template.name, score, cursor()]),
    page: [result?.hasNextPage, result?.hasPreviousPage, result?.startCursor(), result?.endCursor()],
    counts: [result?.totalCount, result?.totalCountAccuracy, result?.partial],
    facets: result?.facets(),
    reports: result?.reports.map(({ registry, tookMs: _, ...report }) => [registry.source.info.name, report]),
  };
}

const anySearch = fc.record({
  seed: fc.nat(1_000_000),
  behaviours: fc.array(fc.constantFrom(...BEHAVIOURS), { minLength: 1, maxLength: 4 }),
  lost: fc.constantFrom(-1, -1, 0, 1),
  window: fc.constantFrom(7, 50),
  count: fc.constantFrom(1, 5, 20, 100),
  field: fc.constantFrom<OrderField>('POPULARITY', 'RATING', 'UPDATED', 'NAME', 'RELEVANCE'),
  collapse: fc.boolean(),
  verified: fc.constantFrom(null, null, true),
});

describe('a search that is watched', () => {
  it('ends with the very answer of the plain search, whatever the registries are like', async () => {
    await fc.assert(
      fc.asyncProperty(anySearch, async ({ seed, behaviours, lost, window, count, field, collapse, verified }) => {
        const sources = behaviours.map(
          (behaviour, rank) =>
            new CatalogSource({ name: `r${rank}`, rank, rows: generateRows(seed * 10 + rank, 130), behaviour }),
        );
        sources[lost]?.lose();
        const federation = federate(sources, { window });
        const query = field === 'RELEVANCE' ? 'environment' : '';
        const page = { direction: 'FORWARD', count, cursor: null } as const;
        const request = requestOf({ query, field, collapse, filter: { verified } }, page);
        // What the first search learns of its registries the second one would know before.
        for (let round = 0; round < 3; round += 1) await federation.viewFor(ANYONE).search(request);
        const plain = await federation.viewFor(ANYONE).search(request);
        const events = await watch(federation.viewFor(ANYONE), request);
        expect(tell(events.at(-1)?.result)).toEqual(tell(plain));
        expectProgress(events, plain, count);
      }),
      { seed: 20_268, numRuns: 150 },
    );
  });

  it('tells of a registry while others have not answered', async () => {
    await using quick = await startFaultyRegistry({ rows: generateRows(1, 30), behaviour: WELL_BEHAVED });
    await using slow = await startFaultyRegistry({ rows: generateRows(2, 30), behaviour: WELL_BEHAVED, mode: 'hang' });
    await using gateway = await openFederation({ slow, quick }, { timeout: 10_000 });
    const events = gateway.view().searchProgressively(requestOf({}, { direction: 'FORWARD', count: 5, cursor: null }));
    const first = await events.next();
    expect(first.value).toMatchObject({
      answered: 1,
      expected: 2,
      result: null,
      report: { outcome: 'OK', returned: 5 },
    });
    expect(first.value?.nodes).toHaveLength(5);
    await slow.setMode('ok');
    await events.return?.();
  });

  it('fetches nothing that the plain search does not, and shares what it fetches with it', async () => {
    await using registry = await startFaultyRegistry({ rows: generateRows(1, 300), behaviour: WELL_BEHAVED });
    await using gateway = await openFederation({ registry }, { timeout: 10_000 });
    const request = requestOf({}, { direction: 'FORWARD', count: 60, cursor: null });
    const [, plain] = await Promise.all([
      Promise.all(Array.from({ length: 20 }, () => watch(gateway.view(), request))),
      gateway.view().search(request),
    ]);
    expect(plain.edges).toHaveLength(60);
    expect(registry.arrivalsAt()).toHaveLength(2);
  });

  it('begins nothing more when it was left', async () => {
    await using registry = await startFaultyRegistry({ rows: generateRows(1, 300), behaviour: WELL_BEHAVED });
    await using gateway = await openFederation({ registry }, { timeout: 10_000 });
    const request = requestOf({}, { direction: 'FORWARD', count: 60, cursor: null });
    const events = gateway.view().searchProgressively(request);
    const read = events.next();
    await events.return?.();
    expect(await read).toEqual({ done: true, value: undefined });
    await registry.whenArrived(1);
    // The first window is in the cache now; the second one nobody asked for.
    const plain = await gateway.view().search({ ...request, page: { ...request.page, count: 10 } });
    expect(plain.edges).toHaveLength(10);
    expect(registry.arrivalsAt()).toHaveLength(1);
  });

  it('refuses an unknown registry at once, and a required one that the filter leaves out with its last read', async () => {
    const sources = ['r0', 'r1'].map((name, rank) => new CatalogSource({ name, rank, rows: generateRows(rank, 10) }));
    const view = federate(sources).viewFor(ANYONE);
    const request = requestOf({}, { direction: 'FORWARD', count: 5, cursor: null });
    const unknown = { ...request, require: ['r3'] };
    expect(() => view.searchProgressively(unknown)).toThrow('"r3" is none of them. Did you mean "r0"');
    const left = { ...request, require: ['r1'], filter: { ...request.filter, registries: ['r0'] } };
    await expect(watch(view, left)).rejects.toThrow('"r1" is left out by its filter');
  });

  it('fails with its last read where a required registry does', async () => {
    const sources = ['r0', 'r1'].map((name, rank) => new CatalogSource({ name, rank, rows: generateRows(rank, 10) }));
    sources[1]?.lose();
    const view = federate(sources).viewFor(ANYONE);
    const events = view.searchProgressively({
      ...requestOf({}, { direction: 'FORWARD', count: 5, cursor: null }),
      require: ['r1'],
    });
    const told = [await events.next(), await events.next()].map(({ value }) => value?.report?.outcome);
    expect(told.toSorted()).toEqual(['FAILED', 'OK']);
    await expect(events.next()).rejects.toThrow('The registry "r1" could not be reached.');
    expect((await events.next()).done).toBe(true);
  });
});

/** One event for each registry, with rows in order of which the answer takes the first ones, and then the last. */
function expectProgress(events: readonly SearchProgress[], plain: SearchResult, count: number): void {
  const parts = events.slice(0, -1);
  expect(parts.map(({ answered }) => answered)).toEqual(plain.reports.map((__, index) => index + 1));
  expect(new Set(parts.map(({ report }) => report?.registry.source.info.name)).size).toBe(plain.reports.length);
  expect(events.at(-1)).toMatchObject({ report: null, nodes: [], answered: parts.length, expected: parts.length });
  for (const { report, nodes, expected, result } of parts) {
    expect([expected, result]).toEqual([plain.reports.length, null]);
    expect(nodes.length).toBeLessThanOrEqual(count);
    expect(report?.returned).toBe(nodes.length);
    const names = nodes.map(({ name }) => name);
    const shown = plain.edges.map(({ template }) => template);
    const own = shown.filter(({ registryName }) => registryName === report?.registry.source.info.name);
    // Collapse leaves some out; the rest keeps its order.
    const places = own.map(({ name }) => names.indexOf(name)).filter((place) => place >= 0);
    expect(places).toEqual(places.toSorted((left, right) => left - right));
  }
}

import { describe, expect, it } from 'vitest';
import { CLOCK_BOUND } from '../helpers/clock-bound.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { generateRows } from '../helpers/walks.ts';
import { collect, createSseClient, createWsClient, type LiveResult } from './live-clients.ts';
import { serveRegistries, wireTemplates } from './serve-registries.ts';

const RESULT = `edges { cursor score node { name version registry { name } } }
  totalCount totalCountAccuracy partial pageInfo { startCursor endCursor hasNextPage hasPreviousPage }
  registries { registry { name } outcome totalCount returned lateRows scanned reachable truncated order error { type } }`;
const ARGUMENTS = '($query: String, $filter: TemplateFilter, $first: Int, $require: [String!], $timeoutMs: Int)';
const GIVEN = '(query: $query, filter: $filter, first: $first, require: $require, timeoutMs: $timeoutMs)';
const SEARCH = `query Plain${ARGUMENTS} { search${GIVEN} { ${RESULT} } }`;
const PROGRESS = `subscription Progress${ARGUMENTS} {
  searchProgress${GIVEN} {
    report { registry { name } outcome returned error { type guidance } }
    nodes { name registry { name } }
    answered
    expected
    result { ${RESULT} }
  }
}`;

interface Progress {
  readonly report: { registry: { name: string }; outcome: string; error: { type: string } | null } | null;
  readonly nodes: readonly { name: string }[];
  readonly answered: number;
  readonly expected: number;
  readonly result: unknown;
}

function progressOf({ data, errors }: LiveResult): Progress {
  expect(errors).toBeUndefined();
  return (data as { searchProgress: Progress }).searchProgress;
}

describe.each([
  ['graphql-sse', createSseClient],
  ['graphql-ws', createWsClient],
] as const)('searchProgress over %s', (_, createClient) => {
  it('tells of each registry, then gives the answer of the search', async () => {
    await using served = await serveRegistries({
      catalogs: { alpha: wireTemplates('alpha', 60), beta: wireTemplates('beta', 3) },
    });
    using client = createClient(served.origin);
    for (const variables of [{ first: 4 }, { query: 'template alpha', first: 100 }, { filter: { verified: true } }]) {
      await served.ask(SEARCH, variables);
      const plain = await served.ask(SEARCH, variables);
      const events = (await collect(client.iterate(PROGRESS, variables))).map(progressOf);
      expect({ search: events.at(-1)?.result }).toEqual(plain.data);
      const parts = events.slice(0, -1);
      expect(parts.map(({ report }) => report?.registry.name).toSorted()).toEqual(['alpha', 'beta']);
      expect(parts.map(({ answered, expected, result }) => [answered, expected, result])).toEqual([
        [1, 2, null],
        [2, 2, null],
      ]);
    }
  });

  it(
    'gives the first rows within 20 ms of the quickest registry, however slow the others are',
    CLOCK_BOUND,
    async () => {
      await using quick = await startFaultyRegistry({
        rows: generateRows(1, 60),
        behaviour: { claimsTotalOrder: true },
      });
      await using slow = await startFaultyRegistry({ rows: generateRows(2, 60), mode: { slowMs: 400 } });
      const more = [quick, slow].map(({ url }, index) => ({
        ...{ name: ['quick', 'slow'][index], type: 'official', url },
        cache: { search: 0, staleWhileRevalidate: 0, staleIfError: 0 },
      }));
      await using served = await serveRegistries({ catalogs: {}, more });
      using client = createClient(served.origin);
      // The connection, the document and the code are warm from the second time on.
      const delaysMs: number[] = [];
      for (let round = 0; round < 6; round += 1) {
        quick.forgetArrivals();
        const events = client.iterate(PROGRESS, { first: 10 });
        const { report, nodes } = progressOf((await events.next()).value);
        delaysMs.push(performance.now() - (quick.arrivalsAt()[0]?.atMs ?? 0));
        expect([report?.registry.name, nodes.length]).toEqual(['quick', 10]);
        // To its end: the next round would join a call to the slow registry that is under way.
        await collect(events);
      }
      // From the request's arrival there: its answer is a part of it.
      expect(Math.min(...delaysMs.slice(1))).toBeLessThan(20);
    },
  );

  it('tells of a registry that fails and of one that is late, and the result is partial as ever', async () => {
    await using broken = await startFaultyRegistry({ mode: { status: 500 } });
    await using late = await startFaultyRegistry({ mode: 'hang' });
    await using served = await serveRegistries({
      catalogs: { good: wireTemplates('good', 3) },
      more: [
        { name: 'broken', type: 'official', url: broken.url, retry: { attempts: 0 } },
        { name: 'late', type: 'official', url: late.url, retry: { attempts: 0 } },
      ],
    });
    using client = createClient(served.origin);
    const events = (await collect(client.iterate(PROGRESS, { timeoutMs: 300 }))).map(progressOf);
    const outcomes = events.map(({ report }) => report && `${report.registry.name} ${report.outcome}`);
    expect(outcomes.slice(0, 2).toSorted()).toEqual(['broken FAILED', 'good OK']);
    expect(outcomes.slice(2)).toEqual(['late TIMEOUT', null]);
    expect(events.at(-1)?.result).toMatchObject({ partial: true, totalCountAccuracy: 'AT_LEAST' });
    await late.setMode('ok');
  });

  it('ends with REGISTRY_ERROR where a required registry is silent', async () => {
    await using broken = await startFaultyRegistry({ mode: { status: 500 } });
    await using served = await serveRegistries({
      catalogs: { good: wireTemplates('good', 3) },
      more: [{ name: 'broken', type: 'official', url: broken.url, retry: { attempts: 0 } }],
    });
    using client = createClient(served.origin);
    const events = await collect(client.iterate(PROGRESS, { require: ['broken'] }));
    expect(events.slice(0, -1).map((event) => progressOf(event).answered)).toEqual([1, 2]);
    const [error] = events.at(-1)?.errors ?? [];
    expect(error?.extensions).toMatchObject({ code: 'REGISTRY_ERROR', registries: [{ registryName: 'broken' }] });
  });

  it.each([
    ['an unknown registry', { filter: { registries: ['alhpa'] } }, 'filter.registries', 'Did you mean "alpha"?'],
    ['a page that is too large', { first: 101 }, 'first', 'from 1 to 100'],
    ['an empty list', { filter: { categories: [] } }, 'filter.categories', 'at least one value'],
  ])('refuses %s as the search does, before a registry is asked', async (__, variables, field, message) => {
    await using served = await serveRegistries({ catalogs: { alpha: wireTemplates('alpha', 3) } });
    using client = createClient(served.origin);
    served.forgetArrivals();
    const events = await collect(client.iterate(PROGRESS, variables));
    expect(events).toHaveLength(1);
    expect(events[0]?.data ?? null).toBeNull();
    expect(events[0]?.errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field });
    expect(events[0]?.errors?.[0]?.message).toContain(message);
    const asked = served.registries.flatMap(({ requests }) => requests.map(({ path }) => path));
    expect(asked.filter((path) => path.includes('search'))).toEqual([]);
  });

  it('counts as a search and an operation', async () => {
    await using served = await serveRegistries({ catalogs: { alpha: wireTemplates('alpha', 3) } });
    using client = createClient(served.origin);
    await collect(client.iterate(PROGRESS));
    await collect(client.iterate(PROGRESS, { first: 0 }));
    const { data } = await served.ask('{ gateway { metrics { searches errors { name count } } } }');
    expect(data).toEqual({ gateway: { metrics: { searches: 1, errors: [{ name: 'BAD_USER_INPUT', count: 1 }] } } });
  });
});

/** A search that was asked before, against a server that writes the same bytes. */
import { generateQuery } from '../catalog.ts';
import { openClient, requireWhole, searchBody, waitUntilReady } from '../client.ts';
import { measureRounds, type RoundOptions } from '../measure.ts';
import { startBareProcess } from '../processes/bare.ts';
import { startGatewayProcess } from '../processes/gateway.ts';
import { startRegistries } from '../processes/registries.ts';
import { round, type Table } from '../report.ts';

const PAGE_SIZE = 20;

export interface HotOptions extends RoundOptions {
  readonly registries: number;
  readonly templatesEach: number;
}

export async function measureHot({ registries: count, templatesEach, ...rounds }: HotOptions): Promise<Table> {
  const { remote: registries, urls } = await startRegistries({ count, templatesEach });
  await using _registries = registries;
  await using gateway = startGatewayProcess();
  await using bare = startBareProcess();
  const origin = await gateway.call('start', { registryUrls: urls });
  await waitUntilReady(origin);
  await using gatewayClient = openClient(origin);
  await using bareClient = openClient(await bare.call('start', { registryUrls: [] }));
  const byPopularity = searchBody({ query: generateQuery(0), order: 'POPULARITY' });
  const byRelevance = searchBody({ query: generateQuery(0), order: 'RELEVANCE' });
  const text = await gatewayClient.post('/graphql', byPopularity);
  await bare.call('keepBytes', { text });
  const check = (answer: string) => requireWhole(answer, PAGE_SIZE);
  const measured = await measureRounds(
    [
      {
        name: 'bare node:http, the same bytes',
        process: bare,
        ask: () => bareClient.post('/hot', byPopularity),
        check,
      },
      {
        name: 'gateway, by popularity',
        process: gateway,
        ask: () => gatewayClient.post('/graphql', byPopularity),
        check,
      },
      {
        name: 'gateway, by relevance',
        process: gateway,
        ask: () => gatewayClient.post('/graphql', byRelevance),
        check,
      },
    ],
    rounds,
  );
  const limit = measured[0];
  return {
    name: 'hot',
    title: `Hot search: the same query again, ${count} registries, an answer of ${round(text.length / 1000, 1)} kB`,
    rows: measured.map((each) => ({
      '': each.name,
      'p50 ms': round(each.p50Ms, 2),
      'CPU µs': Math.round(each.cpuUs),
      'requests/s': Math.round(each.requestsPerSecond),
      'CPU, times the bare': round(each.cpuUs / (limit?.cpuUs ?? Number.NaN), 2),
    })),
    notes: [
      'This version keeps windows of rows, not finished answers: every request is parsed, merged and executed anew. The ' +
        'gap to the bare row is what a cache of answers would save.',
    ],
  };
}

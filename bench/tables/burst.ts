/** Many identical searches at the same moment: each registry is to be asked once. */
import { generateQuery } from '../catalog.ts';
import { openClient, readSearch, searchBody, waitUntilReady } from '../client.ts';
import { median, percentile, runClients } from '../measure.ts';
import { type BareSearch, startBareProcess } from '../processes/bare.ts';
import { startGatewayProcess } from '../processes/gateway.ts';
import { startRegistries } from '../processes/registries.ts';
import { formatVerdict, round, type Table } from '../report.ts';

const PAGE_SIZE = 20;

export interface BurstOptions {
  readonly registries: number;
  readonly templatesEach: number;
  readonly searches: number;
  readonly repeats: number;
}

export async function measureBurst({ registries: count, templatesEach, ...burst }: BurstOptions): Promise<Table> {
  const { remote: registries, urls } = await startRegistries({ count, templatesEach });
  await using _registries = registries;
  await using gateway = startGatewayProcess();
  await using bare = startBareProcess();
  const origin = await gateway.call('start', { registryUrls: urls });
  await waitUntilReady(origin);
  await using gatewayClient = openClient(origin, burst.searches);
  await using bareClient = openClient(await bare.call('start', { registryUrls: urls }), burst.searches);

  const measure = async (name: string, send: (number: number) => Promise<string>) => {
    const lasts: number[] = [];
    const middles: number[] = [];
    let mostRequests = 0;
    let mostQuestions = 0;
    let incomplete = 0;
    // The first opens the connections, and is not counted.
    for (let repeat = 0; repeat <= burst.repeats; repeat += 1) {
      await registries.call('forgetArrivals', null as never);
      const startedMs = performance.now();
      const latencies = await runClients(
        async () => {
          const { nodes, registries: reports } = readSearch(await send(repeat));
          if (nodes.length !== PAGE_SIZE || reports.some(({ outcome }) => outcome !== 'OK')) incomplete += 1;
        },
        burst.searches,
        burst.searches,
      );
      if (repeat === 0) continue;
      lasts.push(performance.now() - startedMs);
      middles.push(percentile(latencies, 0.5));
      const arrivals = await registries.call('readArrivals', null as never);
      mostRequests = Math.max(mostRequests, ...arrivals.map(({ requests }) => requests));
      mostQuestions = Math.max(mostQuestions, ...arrivals.map(({ questions }) => questions));
    }
    return {
      '': name,
      'requests, most of a registry': mostRequests,
      'questions about names': mostQuestions,
      'answers without some registry': incomplete,
      'half answered, ms': round(median(middles), 1),
      'all answered, ms': round(median(lasts), 1),
    };
  };
  const bareRow = await measure('bare, one fan-out for all who ask at once', (number) => {
    return bareClient.post('/shared', {
      query: generateQuery(number),
      order: 'popularity',
      rows: 50,
    } satisfies BareSearch);
  });
  // Other queries than the bare side's: the registries must not have searched them already.
  const gatewayRow = await measure('gateway', (number) => {
    const query = generateQuery(number + burst.repeats + 1);
    return gatewayClient.post('/graphql', searchBody({ query, order: 'POPULARITY' }));
  });
  return {
    name: 'burst',
    title: `${burst.searches} identical searches at once, ${count} registries`,
    rows: [bareRow, gatewayRow],
    notes: [
      'All searches of a burst leave one client in the same turn; a burst has a query that was never asked before. ' +
        'The bare side keeps nothing, and asks again for those whose request is read after the first were answered.',
      formatVerdict(
        'each registry is asked once, and every answer has the rows of all',
        gatewayRow['requests, most of a registry'] === 1 &&
          gatewayRow['questions about names'] <= 1 &&
          gatewayRow['answers without some registry'] === 0,
      ),
    ],
  };
}

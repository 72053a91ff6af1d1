/** Memory over very many searches, every one different. */
import { generateLongQuery } from '../catalog.ts';
import { type Client, openClient, readSearch, searchBody, waitUntilReady } from '../client.ts';
import { runClients } from '../measure.ts';
import { type BareSearch, startBareProcess } from '../processes/bare.ts';
import { startGatewayProcess } from '../processes/gateway.ts';
import { startRegistries } from '../processes/registries.ts';
import type { Measurable, Usage } from '../processes/remote.ts';
import { formatBytes, formatVerdict, round, type Table } from '../report.ts';

const PARTS = 4;
/** The heap breathes with the cache, of which it is unforeseen what is in it when it is looked at. */
const MOST_GROWTH = 0.1;

export interface SoakOptions {
  readonly registries: number;
  readonly templatesEach: number;
  readonly searches: number;
  readonly clients: number;
}

export async function measureSoak({ registries: count, templatesEach, ...soak }: SoakOptions): Promise<Table> {
  const { remote: registries, urls } = await startRegistries({ count, templatesEach });
  await using _registries = registries;
  await using gateway = startGatewayProcess();
  await using bare = startBareProcess();
  const origin = await gateway.call('start', { registryUrls: urls });
  await waitUntilReady(origin);
  await using gatewayClient = openClient(origin);
  await using bareClient = openClient(await bare.call('start', { registryUrls: urls }));
  const askBare = (client: Client, number: number) =>
    client.post('/', { query: generateLongQuery(number), order: 'popularity', rows: 50 } satisfies BareSearch);
  const askGateway = async (client: Client, number: number) =>
    readSearch(await client.post('/graphql', searchBody({ query: generateLongQuery(number), order: 'POPULARITY' })));

  const perPart = Math.ceil(soak.searches / PARTS);
  let next = 0;
  await runClients(() => askBare(bareClient, next++), perPart, soak.clients);
  const bareUsage = await bare.readUsage(true);
  const usages = [await gateway.readUsage(true)];
  next = 0;
  for (let part = 0; part < PARTS; part += 1) {
    await runClients(() => askGateway(gatewayClient, next++), perPart, soak.clients);
    usages.push(await settle(gateway));
  }
  const [, first, ...later] = usages;
  const last = later.at(-1);
  const growth = (last?.heapBytes ?? Number.NaN) / (first?.heapBytes ?? Number.NaN) - 1;
  return {
    name: 'soak',
    title: `Memory over ${perPart * PARTS} searches, every one different, ${count} registries`,
    rows: [
      describeRow(`bare, after ${perPart}`, bareUsage),
      ...usages.map((usage, part) => describeRow(`gateway, after ${part * perPart}`, usage)),
    ],
    notes: [
      'The heap is read after a collection of garbage. Up to 64 MB of answers (as the cache weighs them) are kept by design.',
      formatVerdict(
        `the heap does not grow by more than ${MOST_GROWTH * 100} % after the first quarter; ${round(growth * 100, 1)} %`,
        growth <= MOST_GROWTH,
      ),
    ],
  };
}

/** Twice: what finalizers let go in the first collection is freed by the second. */
async function settle(process: Measurable): Promise<Usage> {
  await process.readUsage(true);
  return process.readUsage(true);
}

function describeRow(name: string, { heapBytes, rssBytes }: Usage) {
  return { '': name, heap: formatBytes(heapBytes), 'resident memory': formatBytes(rssBytes) };
}

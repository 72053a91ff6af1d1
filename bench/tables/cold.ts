/** Searches that nobody asked before, against a bare fan-out over the same registries. */
import { generateQuery } from '../catalog.ts';
import { openClient, readSearch, requireWhole, searchBody, waitUntilReady } from '../client.ts';
import { type Contender, type Measurement, measureRounds, type RoundOptions } from '../measure.ts';
import { type BareSearch, startBareProcess } from '../processes/bare.ts';
import { startGatewayProcess } from '../processes/gateway.ts';
import { startRegistries } from '../processes/registries.ts';
import { formatVerdict, round, type Table } from '../report.ts';

const PAGE_SIZE = 20;
/** The rows that the gateway asks of a registry at once, unless configured otherwise. */
const WINDOW = 50;
/** The contract's goal for a cold search. */
const MOST_TIMES_BARE = 1.3;
/**
 * Contenders start at different places of one round of queries, farther apart than the registries remember results (200),
 * so that none finds what another one had searched.
 */
const QUERIES_APART = 701;

export interface ColdOptions extends RoundOptions {
  readonly registries: number;
  readonly templatesEach: number;
}

export async function measureCold({ registries: count, templatesEach, ...rounds }: ColdOptions): Promise<Table> {
  const { remote: registries, urls } = await startRegistries({ count, templatesEach });
  await using _registries = registries;
  await using gateway = startGatewayProcess();
  await using bare = startBareProcess();
  const origin = await gateway.call('start', { registryUrls: urls });
  await waitUntilReady(origin);
  await using gatewayClient = openClient(origin);
  await using bareClient = openClient(await bare.call('start', { registryUrls: urls }));

  const bareContender = (name: string, order: BareSearch['order'], rows: number) => ({
    name,
    process: bare,
    ask: (number: number) => bareClient.post('/', { query: generateQuery(number), order, rows } satisfies BareSearch),
    check: (answer: string) => requireWhole(answer, PAGE_SIZE),
  });
  const gatewayContender = (name: string, order: 'POPULARITY' | 'RELEVANCE') => ({
    name,
    process: gateway,
    ask: (number: number) => gatewayClient.post('/graphql', searchBody({ query: generateQuery(number), order })),
    check: (answer: string) => {
      requireWhole(answer, PAGE_SIZE);
      if (readSearch(answer).registries.length !== count) throw new Error(`${count} registries must have answered`);
    },
  });
  const contenders: readonly Contender[] = [
    bareContender('bare, 20 rows each, by popularity', 'popularity', PAGE_SIZE),
    bareContender('bare, 50 rows each, by popularity', 'popularity', WINDOW),
    gatewayContender('gateway, by popularity', 'POPULARITY'),
    bareContender('bare, 50 rows each, by relevance', 'relevance', WINDOW),
    gatewayContender('gateway, by relevance', 'RELEVANCE'),
  ];
  const measured = await measureRounds(
    contenders.map((contender, index) => startApart(contender, index)),
    rounds,
  );
  const [narrow, byPopularity, gatewayPopularity, byRelevance, gatewayRelevance] = measured;
  const limits = [narrow, byPopularity, byPopularity, byRelevance, byRelevance];
  return {
    name: `cold-${count}`,
    title: `Cold search: every query different, ${count} registries`,
    rows: measured.map((each, index) => describeRow(each, limits[index])),
    notes: [
      `The gateway asks each registry for its window of ${WINDOW} rows, so the bare fan-out of ${WINDOW} rows is the one ` +
        'it is compared with; by relevance both score every row alike.',
      judge('by popularity', gatewayPopularity, byPopularity),
      judge('by relevance', gatewayRelevance, byRelevance),
    ],
  };
}

function startApart(contender: Contender, index: number): Contender {
  return { ...contender, ask: (number) => contender.ask(number + index * QUERIES_APART) };
}

function describeRow(each: Measurement, limit: Measurement | undefined) {
  return {
    '': each.name,
    'p50 ms': round(each.p50Ms, 2),
    'CPU µs, 1 client': Math.round(each.cpuAloneUs),
    'CPU µs, several': Math.round(each.cpuUs),
    'p50, times the bare': round(each.p50Ms / (limit?.p50Ms ?? Number.NaN), 2),
    'CPU of 1 client, times the bare': round(each.cpuAloneUs / (limit?.cpuAloneUs ?? Number.NaN), 2),
    'CPU of several, times the bare': round(each.cpuUs / (limit?.cpuUs ?? Number.NaN), 2),
  };
}

function judge(order: string, gateway: Measurement | undefined, bare: Measurement | undefined): string {
  const ratio = (pick: (each: Measurement) => number) =>
    gateway === undefined || bare === undefined ? Number.NaN : pick(gateway) / pick(bare);
  const ratios = [ratio((each) => each.p50Ms), ratio((each) => each.cpuAloneUs), ratio((each) => each.cpuUs)];
  const [latency, alone, several] = ratios.map((each) => round(each, 2));
  const times = `${latency} in latency, ${alone} in CPU with one client, ${several} with several`;
  const target = `at most ${MOST_TIMES_BARE} times the bare fan-out, ${order}: ${times}`;
  return formatVerdict(target, Math.max(...ratios) <= MOST_TIMES_BARE);
}

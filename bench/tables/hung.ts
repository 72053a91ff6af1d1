/** One registry takes every request and answers none: what it costs those who search over all. */
import { generateQuery } from '../catalog.ts';
import { openClient, readSearch, searchBody, waitUntilReady } from '../client.ts';
import { percentile, runClients } from '../measure.ts';
import { type BareSearch, startBareProcess } from '../processes/bare.ts';
import { startGatewayProcess } from '../processes/gateway.ts';
import { startRegistries } from '../processes/registries.ts';
import { formatVerdict, round, type Table } from '../report.ts';

/** What a page may take beyond the search's timeout (the contract's failure rule). */
const GRACE_MS = 50;
const PAGE_SIZE = 20;
const SEARCHES_BEFORE = 10;

export interface HungOptions {
  /** Those that answer, and one more. */
  readonly registries: number;
  readonly templatesEach: number;
  readonly searches: number;
  readonly clients: number;
  readonly timeoutMs: number;
}

export async function measureHung(options: HungOptions): Promise<Table> {
  const { registries: count, templatesEach, searches, clients, timeoutMs } = options;
  const { remote: registries, urls } = await startRegistries({ count, templatesEach, withHung: true });
  await using _registries = registries;
  await using gateway = startGatewayProcess();
  await using bare = startBareProcess();
  await using bareClient = openClient(await bare.call('start', { registryUrls: urls }));

  const latenciesOf = async (ask: (number: number) => Promise<void>): Promise<number[]> => {
    let next = 0;
    return runClients(() => ask(next++), searches, clients);
  };
  const measureGateway = async (settings: Record<string, unknown>, outcome: string) => {
    const origin = await gateway.call('start', { registryUrls: urls, settings });
    await waitUntilReady(origin);
    await using client = openClient(origin);
    // So that the circuit has seen enough to open.
    for (let number = 0; number < SEARCHES_BEFORE; number += 1) {
      const query = generateQuery(searches + number);
      await client.post('/graphql', searchBody({ query, order: 'POPULARITY', timeoutMs }));
    }
    let other = 0;
    const latencies = await latenciesOf(async (number) => {
      const body = searchBody({ query: generateQuery(number), order: 'POPULARITY', timeoutMs });
      const answer = readSearch(await client.post('/graphql', body));
      const silent = answer.registries.filter((each) => each.outcome !== 'OK');
      if (answer.nodes.length !== PAGE_SIZE || silent.length !== 1 || silent[0]?.outcome !== outcome) other += 1;
    });
    return { latencies, other };
  };
  const bareLatencies = await latenciesOf(async (number) => {
    const body = { query: generateQuery(number), order: 'popularity', rows: 50, timeoutMs } satisfies BareSearch;
    await bareClient.post('/', body);
  });
  // A circuit that never opens: every search really waits.
  const waiting = await measureGateway({ circuit: { volumeThreshold: 1_000_000 } }, 'TIMEOUT');
  const open = await measureGateway({ circuit: { resetTimeout: '10m' } }, 'SKIPPED');
  const slowestMs = percentile(waiting.latencies, 0.99);
  return {
    name: 'hung',
    title: `One registry of ${count + 1} hangs, timeout of the search ${timeoutMs} ms, ${clients} clients`,
    rows: [
      describeRow('bare fan-out, the same timeout', bareLatencies),
      describeRow('gateway, circuit kept closed', waiting.latencies),
      describeRow('gateway, circuit as configured by default', open.latencies),
    ],
    notes: [
      formatVerdict(
        `a full page of the others, and exactly the one registry reported (TIMEOUT while the circuit is closed, SKIPPED once ` +
          `it is open); of ${searches} searches each, ${waiting.other} and ${open.other} were otherwise`,
        waiting.other + open.other === 0,
      ),
      formatVerdict(
        `99 of 100 pages within the timeout plus ${GRACE_MS} ms; ${round(slowestMs - timeoutMs, 1)} ms beyond it`,
        slowestMs <= timeoutMs + GRACE_MS,
      ),
    ],
  };
}

function describeRow(name: string, latencies: readonly number[]) {
  return {
    '': name,
    'p50 ms': round(percentile(latencies, 0.5), 1),
    'p99 ms': round(percentile(latencies, 0.99), 1),
    'max ms': round(Math.max(...latencies), 1),
  };
}

/** One registry takes every request and answers none: what it costs those who search over all. */
import { generateQuery } from '../catalog.ts';
import { PAGE_SIZE, readJob } from '../job.ts';
import { runClients, times } from '../measure.ts';
import { startRegistries } from '../processes/registries.ts';
import type { Table } from '../report.ts';
import { startBareSide, startGatewaySide } from '../sides.ts';
import { percentile, round } from '../statistics.ts';

/** What a page may take beyond the search's timeout (the contract's failure rule). */
const GRACE_MS = 50;
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
  const { registries: count, templatesEach, timeoutMs } = options;
  await using registries = await startRegistries({ count, templatesEach, withHung: true });
  await using bare = await startBareSide(registries.urls);
  const bareLatencies = await measureLatencies(options, async (number) => {
    const search = { query: generateQuery(number), order: 'popularity', rows: PAGE_SIZE, timeoutMs } as const;
    await bare.client.send(bare.write(search));
  });
  // A circuit that never opens: every search really waits.
  const waiting = await measureGateway(
    options,
    registries.urls,
    { circuit: { volumeThreshold: 1_000_000 } },
    'TIMEOUT',
  );
  const open = await measureGateway(options, registries.urls, { circuit: { resetTimeout: '10m' } }, 'SKIPPED');
  const beyondMs = percentile(waiting.latencies, 0.99) - timeoutMs;
  return {
    name: 'hung',
    title: `One registry of ${count + 1} hangs, timeout of the search ${timeoutMs} ms, ${options.clients} clients`,
    rows: [
      describeRow('limit: bare fan-out, the same timeout', bareLatencies),
      describeRow('gateway, circuit kept closed', waiting.latencies),
      describeRow('gateway, circuit as configured by default', open.latencies),
    ],
    verdicts: [
      {
        target:
          'a hung registry costs its own rows alone, and is reported: TIMEOUT while the circuit is closed, SKIPPED once it is open',
        measured: `${waiting.other} and ${open.other} of ${options.searches} searches each were otherwise`,
        met: waiting.other + open.other === 0,
      },
      {
        target: `99 of 100 pages come within the timeout plus ${GRACE_MS} ms`,
        measured: `${round(beyondMs, 1)} ms beyond it`,
        met: beyondMs <= GRACE_MS,
      },
    ],
    notes: [],
  };
}

async function measureGateway(
  options: HungOptions,
  registryUrls: readonly string[],
  settings: Record<string, unknown>,
  outcome: string,
) {
  const { searches, timeoutMs } = options;
  await using gateway = await startGatewaySide({ registryUrls, settings });
  const ask = async (number: number) => {
    const request = gateway.write({ query: generateQuery(number), order: 'POPULARITY', timeoutMs });
    return readJob((await gateway.client.send(request)).toString());
  };
  // So that the circuit has seen enough to open.
  for (let number = 0; number < SEARCHES_BEFORE; number += 1) await ask(searches + number);
  let other = 0;
  const latencies = await measureLatencies(options, async (number) => {
    const answer = await ask(number);
    const silent = answer.registries.filter((each) => each.outcome !== 'OK');
    if (answer.nodes.length !== PAGE_SIZE || silent.length !== 1 || silent[0]?.outcome !== outcome) other += 1;
  });
  return { latencies, other };
}

function measureLatencies({ searches, clients }: HungOptions, ask: (number: number) => Promise<void>) {
  let next = 0;
  return runClients(() => ask(next++), times(searches), clients);
}

function describeRow(name: string, latencies: readonly number[]) {
  return {
    '': name,
    'p50 ms': round(percentile(latencies, 0.5), 1),
    'p99 ms': round(percentile(latencies, 0.99), 1),
    'max ms': round(Math.max(...latencies), 1),
  };
}

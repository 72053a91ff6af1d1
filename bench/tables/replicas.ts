/** Gateways that share a Redis server: what one more adds, and how often registries are asked. */
import { generateQuery } from '../catalog.ts';
import { requireWhole } from '../job.ts';
import { runClients, times } from '../measure.ts';
import { startRedis } from '../processes/redis.ts';
import { type RegistriesProcess, startRegistries } from '../processes/registries.ts';
import type { Table } from '../report.ts';
import { type GatewaySide, startGatewaySide } from '../sides.ts';
import { median, round } from '../statistics.ts';

/** Each measurement asks from this far apart in the row of queries, so that none comes to one that another had. */
const QUERIES_APART = 1_000_000;
/** Windows that one more replica may cost, of a hundred: a lease may end under a load that starves the machine. */
const MOST_CALLS = 1.05;

export interface ReplicasOptions {
  readonly registries: number;
  readonly templatesEach: number;
  readonly replicas: readonly number[];
  /** All different, by each replica. */
  readonly searchesEach: number;
  /** Each by all replicas at once. */
  readonly sameSearches: number;
  readonly clientsEach: number;
  readonly rounds: number;
}

export async function measureReplicas(options: ReplicasOptions): Promise<Table> {
  const { registries: count, templatesEach } = options;
  const name = 'replicas';
  const title = `Gateways that share a Redis server, ${count} registries, distinct cold searches`;
  await using redis = await startRedis();
  if (redis === null) {
    const reason = 'Left out: redis-server is not installed on this machine.';
    return { name, title, rows: [{ '': reason }], verdicts: [], notes: [reason] };
  }
  await using registries = await startRegistries({ count, templatesEach });
  const rows: Awaited<ReturnType<typeof measureRow>>[] = [];
  rows.push(await measureRow(registries, null, 1, 0, options));
  for (const [index, replicas] of options.replicas.entries()) {
    rows.push(await measureRow(registries, redis.url, replicas, index + 1, options));
  }
  const [, one] = rows;
  const last = rows.at(-1);
  if (one === undefined || last === undefined) throw new Error('one replica and more must have been measured');
  const raise = last['requests/s'] / one['requests/s'];
  const most = Math.max(...rows.map((row) => row[CALLS]));
  return {
    name,
    title,
    rows,
    verdicts: [
      {
        target: `calls of a registry for a window that all replicas want at once: at most ${MOST_CALLS}`,
        measured: `${most}`,
        met: most <= MOST_CALLS,
      },
      {
        target: `distinct cold searches a second, ${last['']} over one replica: more than 1`,
        measured: `${round(raise, 2)}`,
        met: raise > 1,
      },
    ],
    notes: [
      `Each replica has ${options.clientsEach} clients; shown is the middle of ${options.rounds} rounds. CPU is that of all gateways, Redis and ` +
        'registries not counted. Where the processors are fewer than the processes, throughput says how they are shared out, and CPU ' +
        'per search what a replica could do on a machine of its own.',
    ],
  };
}

const CALLS = 'calls per registry and window';

async function measureRow(
  registries: RegistriesProcess,
  redisUrl: string | null,
  replicas: number,
  number: number,
  options: ReplicasOptions,
) {
  const { searchesEach, sameSearches, clientsEach, rounds } = options;
  await using stack = new AsyncDisposableStack();
  const sides: GatewaySide[] = [];
  for (let index = 0; index < replicas; index += 1) {
    const settings = { registryUrls: registries.urls, ...(redisUrl !== null && { redisUrl }) };
    sides.push(stack.use(await startGatewaySide(settings)));
  }
  let next = number * QUERIES_APART;
  const search = async (side: GatewaySide, query: number) => {
    const answer = await side.client.send(side.write({ query: generateQuery(query), order: 'POPULARITY' }));
    requireWhole(answer.toString(), registries.urls.length);
  };
  const askDistinct = (side: GatewaySide) =>
    runClients(
      () => {
        next += 1;
        return search(side, next);
      },
      times(searchesEach),
      clientsEach,
    );
  const readCpuUs = async () => {
    const usages = await Promise.all(sides.map(({ process }) => process.readUsage()));
    return usages.reduce((sum, { cpuUs }) => sum + cpuUs, 0);
  };
  const perSecond: number[] = [];
  const cpuUs: number[] = [];
  // The first is not counted: a program that has not run yet is slow.
  for (let each = 0; each <= rounds; each += 1) {
    const before = await readCpuUs();
    const startedMs = performance.now();
    await Promise.all(sides.map(askDistinct));
    const tookMs = performance.now() - startedMs;
    if (each === 0) continue;
    perSecond.push((searchesEach * replicas * 1_000) / tookMs);
    cpuUs.push((await readCpuUs()) / (searchesEach * replicas) - before / (searchesEach * replicas));
  }
  await registries.forgetArrivals();
  for (let each = 0; each < sameSearches; each += 1) {
    next += 1;
    const query = next;
    await Promise.all(sides.map((side) => search(side, query)));
  }
  const arrivals = await registries.readArrivals();
  const windows = arrivals.reduce((sum, each) => sum + each.windows, 0);
  return {
    '': redisUrl === null ? '1 gateway, no Redis' : `${replicas} with Redis`,
    'requests/s': Math.round(median(perSecond)),
    'CPU µs': Math.round(median(cpuUs)),
    [CALLS]: round(windows / (sameSearches * registries.urls.length), 3),
  };
}

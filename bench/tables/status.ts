/** What dashboards ask: how all registries do, and what was counted of them. */
import { RegistryMeter } from '../../src/telemetry/registry-metrics.ts';
import { generateQuery } from '../catalog.ts';
import { writeGet, writePost } from '../client.ts';
import { type Contender, measureRounds, runClients, times } from '../measure.ts';
import { startRegistries } from '../processes/registries.ts';
import type { Table } from '../report.ts';
import { type GatewaySide, startGatewaySide } from '../sides.ts';
import { percentile, round } from '../statistics.ts';

const MOST_MS = 5;
/** As metrics count: a part of time, and the longest window. */
const PART_MS = 5_000;
const HOUR_MS = 3_600_000;
const HEALTH = `health { status since checkedAt latencyMs message circuit uptime
  circuits { operation state since nextAttemptAt } certificate { subject issuer validFrom validTo daysRemaining } }`;
const METRICS = `requests successRate responseTime { mean p50 p95 p99 max } cacheHitRate cacheHits cacheMisses authFailures
  rateLimitHits timeouts retries circuitOpens inFlight queued`;
const GATEWAY = `gateway { health { status registriesUp registriesTotal message } metrics {
  searches responseTime { mean p50 p95 p99 max } errorRate cacheHitRate errors { name count }
  popularTemplates { name registryName views } } }`;

export interface StatusOptions {
  readonly registries: number;
  readonly templatesEach: number;
  /** So that there is something to tell. */
  readonly searches: number;
  readonly rounds: number;
  readonly aloneMs: number;
  readonly warmUpMs: number;
  readonly settleMs: number;
}

export async function measureStatus(options: StatusOptions): Promise<Table> {
  await using registries = await startRegistries({ count: options.registries, templatesEach: options.templatesEach });
  await using gateway = await startGatewaySide({ registryUrls: registries.urls });
  let searched = 0;
  const search = () => gateway.client.send(gateway.write({ query: generateQuery(searched++), order: 'POPULARITY' }));
  await runClients(search, times(options.searches), 2);
  await registries.forgetArrivals();
  const contenders = [
    contendQuery(gateway, 'health', `{ registries { name ${HEALTH} } }`),
    contendQuery(gateway, 'metrics, five minutes', `{ registries { name metrics { ${METRICS} } } }`),
    contendQuery(gateway, 'metrics, an hour', `{ registries { name metrics(window: ONE_HOUR) { ${METRICS} } } }`),
    contendQuery(
      gateway,
      'both, and the gateway',
      `{ registries { name ${HEALTH} metrics { ${METRICS} } } ${GATEWAY} }`,
    ),
    contendScrape(gateway),
  ];
  const { measurements, note } = await measureRounds(contenders, {
    ...options,
    togetherMs: options.aloneMs,
    connections: 1,
  });
  const calls = (await registries.readArrivals()).reduce((sum, each) => sum + each.calls, 0);
  const full = measureFullWindows(options.registries);
  const slowest = Math.max(...measurements.slice(0, -1).map(({ p50Ms }) => p50Ms));
  return {
    name: `status-${options.registries}`,
    title: `How ${options.registries} registries do, and what was counted of them, one client`,
    rows: measurements.map(({ name, p50Ms, p99Ms, cpuUs }) => ({
      '': name,
      'p50 ms': round(p50Ms, 2),
      'p99 ms': round(p99Ms, 2),
      'CPU µs': round(cpuUs, 0),
    })),
    verdicts: [
      {
        target: `health and metrics of ${options.registries} registries: under ${MOST_MS} ms`,
        measured: `${round(slowest, 2)} ms (p50 of the slowest query)`,
        met: slowest < MOST_MS,
      },
      { target: 'no registry is called for it', measured: `${calls} calls`, met: calls === 0 },
    ],
    notes: [
      `Every field there is, after ${options.searches} searches. A gateway that has run for long has more parts of time to add up: the ` +
        `metrics of ${options.registries} registries with a full hour behind them are read in ${round(full.again, 2)} ms, and the first ` +
        `time within five seconds in ${round(full.first, 2)} ms (in this process, the median of 50 readings).`,
      note,
    ],
  };
}

function contendQuery({ process, client }: GatewaySide, name: string, query: string): Contender {
  const request = writePost(client.host, '/graphql', JSON.stringify({ query }));
  return {
    ...{ name, process, client },
    request: () => request,
    check: (answer) => {
      if (!answer.startsWith('{"data":') || answer.includes('"errors":[{"message"'))
        throw new Error(`${name} must be answered`);
    },
  };
}

function contendScrape({ process, client }: GatewaySide): Contender {
  const request = writeGet(client.host, '/metrics');
  return {
    ...{ name: '/metrics', process, client },
    request: () => request,
    check: (answer) => {
      if (!answer.includes('marketplace_registry_health')) throw new Error('/metrics must tell of registries');
    },
  };
}

/** Milliseconds in which the hour's metrics of so many registries are read, where every part of it has counted. */
function measureFullWindows(count: number): { readonly again: number; readonly first: number } {
  let nowMs = 0;
  const meters = Array.from({ length: count }, () => new RegistryMeter(() => nowMs));
  const turn = () => {
    nowMs += PART_MS;
    for (const meter of meters) {
      for (let call = 0; call < 10; call += 1) {
        meter.onAttemptStart();
        meter.onAttemptEnd(2 ** (call + Math.random()), null);
      }
    }
  };
  while (nowMs < HOUR_MS + PART_MS) turn();
  const read = () => {
    const startedMs = performance.now();
    for (const meter of meters) {
      const { responseTime, successRate, cacheHits, cacheMisses, timeouts, retries } = meter.read(HOUR_MS, 0);
      if (responseTime.p99 === null || successRate === null || cacheHits + cacheMisses + timeouts + retries > 0) {
        throw new Error('the meters must have counted calls that went well, and nothing else');
      }
    }
    return performance.now() - startedMs;
  };
  const readings = Array.from({ length: 50 }, () => {
    turn();
    return { first: read(), again: read() };
  });
  return {
    first: percentile(
      readings.map(({ first }) => first),
      0.5,
    ),
    again: percentile(
      readings.map(({ again }) => again),
      0.5,
    ),
  };
}

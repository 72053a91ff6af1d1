/** Searches that nobody asked before, against a bare fan-out over the same registries. */
import { generateQuery } from '../catalog.ts';
import { type JobSearch, PAGE_SIZE } from '../job.ts';
import {
  type Contender,
  formatSpread,
  type Measurement,
  measureRounds,
  type RoundOptions,
  ratioOfLimit,
} from '../measure.ts';
import { startPeers } from '../peers/start.ts';
import { writePath } from '../processes/fan-out.ts';
import { startRegistries } from '../processes/registries.ts';
import type { Table, Verdict } from '../report.ts';
import { type BareSide, type GatewaySide, startBareSide, startGatewaySide } from '../sides.ts';
import { round } from '../statistics.ts';

/** The least share of the limit's cost that a cold search over three registries must reach. */
const LEAST_OF_LIMIT = 0.75;
/** Contenders begin this far apart in the row of queries, so that none comes to one that another had. */
const QUERIES_APART = 10_000_000;

export interface ColdOptions extends RoundOptions {
  readonly registries: number;
  readonly templatesEach: number;
  /** Whether there are rows for the peers, collapse and cursors, and whether the target, one for three registries, is judged. */
  readonly isWhole: boolean;
}

/** A contender, and the contender that is its limit. */
interface Row {
  readonly contender: Contender;
  readonly limit: number;
}

/** Positions in `makeRows` of what is judged. */
const LIMIT_POPULARITY = 0;
const LIMIT_RELEVANCE = 1;
const OURS_POPULARITY = 2;
const OURS_RELEVANCE = 3;

export async function measureCold(options: ColdOptions): Promise<Table> {
  const { registries: count, templatesEach, isWhole, ...rounds } = options;
  await using registries = await startRegistries({ count, templatesEach });
  await using gateway = await startGatewaySide({ registryUrls: registries.urls });
  await using bare = await startBareSide(registries.urls);
  await using peers = await startPeers(isWhole ? registries.urls : null);
  const rows: readonly Row[] = [
    ...makeRows(gateway, bare),
    ...(isWhole ? makeMoreRows(gateway) : []),
    ...peers.map((peer) => ({
      contender: peer.contend((number) => ({ query: generateQuery(number), order: 'POPULARITY' })),
      limit: LIMIT_POPULARITY,
    })),
  ];
  const { measurements, note } = await measureRounds(
    rows.map(({ contender }, index) => startApart(contender, index)),
    rounds,
  );
  const sizes = await measureSizes(registries.urls[0] ?? '', gateway);
  return {
    name: `cold-${count}`,
    title: `Cold search: every query different, ${count} registries without latency, ${rounds.connections} connections`,
    rows: measurements.map((each, index) => describeRow(each, measurements[rows[index]?.limit ?? 0] ?? each)),
    verdicts: isWhole
      ? [
          judge('by popularity', measurements[LIMIT_POPULARITY], measurements[OURS_POPULARITY]),
          judge('by relevance', measurements[LIMIT_RELEVANCE], measurements[OURS_RELEVANCE]),
        ]
      : [],
    notes: [
      `"Of limit" is the limit's CPU per request over the row's. The limit asks each registry for ${PAGE_SIZE} rows, and by ` +
        "relevance scores them with the gateway's formula; its answer is the same in form and length. Collapse is off unless a " +
        `row says so; no name is carried twice here. A registry's ${PAGE_SIZE} rows are ${sizes.registry} kB, the answer ${sizes.answer} kB.`,
      note,
    ],
  };
}

/** The limits first. */
function makeRows(gateway: GatewaySide, bare: BareSide): readonly Row[] {
  const bareRow = (name: string, order: 'popularity' | 'relevance') =>
    bare.contend(name, (number) => ({ query: generateQuery(number), order, rows: PAGE_SIZE }));
  return [
    { contender: bareRow('limit: bare fan-out, by popularity', 'popularity'), limit: LIMIT_POPULARITY },
    { contender: bareRow('limit: bare fan-out, by relevance', 'relevance'), limit: LIMIT_RELEVANCE },
    { contender: contendGateway(gateway, 'gateway, by popularity', 'POPULARITY'), limit: LIMIT_POPULARITY },
    { contender: contendGateway(gateway, 'gateway, by relevance', 'RELEVANCE'), limit: LIMIT_RELEVANCE },
  ];
}

/** What the gateway can do besides the job. */
function makeMoreRows(gateway: GatewaySide): readonly Row[] {
  const collapse = true;
  const cursor = true;
  return [
    {
      contender: contendGateway(gateway, 'gateway, by popularity, collapse', 'POPULARITY', { collapse }),
      limit: LIMIT_POPULARITY,
    },
    {
      contender: contendGateway(gateway, 'gateway, by relevance, collapse', 'RELEVANCE', { collapse }),
      limit: LIMIT_RELEVANCE,
    },
    {
      contender: contendGateway(gateway, 'gateway, by popularity, with a cursor', 'POPULARITY', { cursor }),
      limit: LIMIT_POPULARITY,
    },
  ];
}

function contendGateway(
  gateway: GatewaySide,
  name: string,
  order: JobSearch['order'],
  { collapse = false, cursor = false } = {},
): Contender {
  return gateway.contend(name, (number) => ({ query: generateQuery(number), order, collapse }), { cursor });
}

function startApart(contender: Contender, index: number): Contender {
  return { ...contender, request: (number) => contender.request(number + index * QUERIES_APART) };
}

/** In kilobytes: of the job's page of one registry, and of the gateway's whole answer. */
async function measureSizes(registryUrl: string, gateway: GatewaySide) {
  const path = writePath({ query: generateQuery(0), order: 'popularity', rows: PAGE_SIZE });
  const page = await (await fetch(registryUrl + path)).arrayBuffer();
  const answer = await gateway.client.send(gateway.write({ query: generateQuery(0), order: 'POPULARITY' }));
  return { registry: round(page.byteLength / 1000, 1), answer: round(answer.length / 1000, 1) };
}

function describeRow(each: Measurement, limit: Measurement) {
  const ratio = ratioOfLimit(limit, each);
  return {
    '': each.name,
    'CPU µs': Math.round(each.cpuUs),
    'of limit': round(ratio.value, 2),
    'least–most': formatSpread(ratio),
    'requests/s': Math.round(each.requestsPerSecond),
    'p50 ms, 1 client': round(each.p50Ms, 2),
  };
}

function judge(order: string, limit: Measurement | undefined, ours: Measurement | undefined): Verdict {
  if (limit === undefined || ours === undefined) throw new Error('the limit and the gateway must have been measured');
  const ratio = ratioOfLimit(limit, ours);
  return {
    target: `cold search ${order}, CPU of the limit over ours: at least ${LEAST_OF_LIMIT}`,
    measured: `${round(ratio.value, 2)} (${formatSpread(ratio)})`,
    met: ratio.value >= LEAST_OF_LIMIT,
  };
}

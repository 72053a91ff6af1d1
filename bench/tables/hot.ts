/** A search that was asked before, against a server that reads the request and writes the same bytes. */
import { generateQuery } from '../catalog.ts';
import { type JobSearch, writeJob } from '../job.ts';
import { formatSpread, type Measurement, measureRounds, type RoundOptions, ratioOfLimit } from '../measure.ts';
import { startPeers } from '../peers/start.ts';
import type { HotAnswer } from '../processes/bare.ts';
import { startRegistries } from '../processes/registries.ts';
import type { Table } from '../report.ts';
import { startBareSide, startGatewaySide } from '../sides.ts';
import { round } from '../statistics.ts';

/** The least share of the limit's cost that a hot search must reach. */
const LEAST_OF_LIMIT = 0.85;
const BARE = 'limit: node:http, the same bytes';
const GATEWAY = 'gateway';
const KNOWN = 'gateway, caller by API key, limits counted';
/** The most that knowing and counting callers may add to it. */
const MOST_FOR_CALLERS = 1.1;

export interface HotOptions extends RoundOptions {
  readonly registries: number;
  readonly templatesEach: number;
}

export async function measureHot({ registries: count, templatesEach, ...rounds }: HotOptions): Promise<Table> {
  await using registries = await startRegistries({ count, templatesEach });
  await using gateway = await startGatewaySide({ registryUrls: registries.urls });
  await using known = await startGatewaySide({
    registryUrls: registries.urls,
    apiKey: 'key-for-the-benchmark-alone',
  });
  await using bare = await startBareSide([]);
  await using peers = await startPeers(registries.urls);
  const byPopularity: JobSearch = { query: generateQuery(0), order: 'POPULARITY' };
  const byRelevance: JobSearch = { query: generateQuery(0), order: 'RELEVANCE' };
  const answer = await readAnswer(gateway.process.origin, writeJob(byPopularity));
  const { measurements, note } = await measureRounds(
    [
      await bare.contendHot(BARE, answer, writeJob(byPopularity)),
      gateway.contend(GATEWAY, () => byPopularity),
      known.contend(KNOWN, () => byPopularity),
      gateway.contend('gateway, by relevance', () => byRelevance),
      gateway.contend('gateway, with a live field (tookMs)', () => byPopularity, { timings: true }),
      ...peers.map((peer) => peer.contend(() => byPopularity)),
    ].map(prepareOnce),
    rounds,
  );
  const [limit, hot, counted] = measurements;
  if (limit === undefined || hot === undefined || counted === undefined)
    throw new Error('the limit and the gateway must have been measured');
  const ratio = ratioOfLimit(limit, hot);
  const callers = ratioOfLimit(counted, hot);
  return {
    name: 'hot',
    title: `Hot search: the same request again and again, ${rounds.connections} connections, an answer of ${round(answer.text.length / 1000, 1)} kB`,
    rows: measurements.map((each) => describeRow(each, limit)),
    verdicts: [
      {
        target: `hot search, CPU of the limit over ours: at least ${LEAST_OF_LIMIT}`,
        measured: `${round(ratio.value, 2)} (${formatSpread(ratio)})`,
        met: ratio.value >= LEAST_OF_LIMIT,
      },
      {
        target: `hot search, CPU with a caller by API key whose requests and cost are counted over ours without: at most ${MOST_FOR_CALLERS}`,
        measured: `${round(callers.value, 2)} (${formatSpread(callers)})`,
        met: callers.value <= MOST_FOR_CALLERS,
      },
    ],
    notes: [
      '"Of limit" is the limit\'s CPU per request over the row\'s, the median over the rounds: 1 is as cheap as the limit. The ' +
        "limit reads the whole request and writes the gateway's answer, headers and all. A live field is answered anew each time, so that no finished answer can be kept.",
      note,
    ],
  };
}

/** Set by whoever sends an answer, for the connection that it is sent on. */
const HEADERS_OF_CONNECTION = ['connection', 'date', 'keep-alive', 'transfer-encoding'];

/** The gateway's answer with its headers, to be sent by somebody else. */
async function readAnswer(origin: string, body: string): Promise<HotAnswer> {
  const headers = { 'content-type': 'application/json', accept: 'application/json', 'accept-encoding': 'identity' };
  const response = await fetch(`${origin}/graphql`, { method: 'POST', headers, body });
  const sent = [...response.headers].filter(([name]) => !HEADERS_OF_CONNECTION.includes(name));
  return { text: await response.text(), headers: Object.fromEntries(sent) };
}

/** The client writes a request once, and sends it as often as it is asked to. */
function prepareOnce<C extends { request(number: number): Buffer }>(contender: C): C {
  const request = contender.request(0);
  return { ...contender, request: () => request };
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

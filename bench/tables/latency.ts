/** One client over registries that each take a while: how much longer than one of them an answer over all takes. */
import { generateQuery } from '../catalog.ts';
import { type Client, openClient, writeGet } from '../client.ts';
import { type JobSearch, PAGE_SIZE } from '../job.ts';
import {
  type Contender,
  formatSpread,
  type Measured,
  type Measurement,
  measureRounds,
  ratioOfLimit,
  times as repeatedly,
  runClients,
} from '../measure.ts';
import { startPeers } from '../peers/start.ts';
import { writePath } from '../processes/fan-out.ts';
import { type RegistriesProcess, startRegistries } from '../processes/registries.ts';
import type { Table, Verdict } from '../report.ts';
import { type GatewaySide, startBareSide, startGatewaySide } from '../sides.ts';
import { median, round } from '../statistics.ts';
import { awaitNames } from './await-names.ts';

/** An answer may take this many times what the slowest registry takes, without and with names that registries share. */
const MOST_TIMES_SLOWEST = 1.2;
const MOST_TIMES_WITH_SHARED = 1.3;
/** Of ten names of a registry one is carried by another one too. */
const SHARED_EVERY = 10;
/** Contenders begin this far apart in the row of queries, so that none comes to one that another had. */
const QUERIES_APART = 10_000_000;
const FIRST_TO_LEARN_BY = 900_000_000;
const FIRST_BY_ROUNDS = 800_000_000;
const SEARCHES_BY_ROUNDS = 200;
/** Whoever took longer than so many times a registry's delay has waited for two rounds of calls. */
const SECOND_ROUND = 1.75;
/** In front of the measuring: hundreds of searches, where one client would come to some fifty. */
const WARM_UP_CLIENTS = 8;
/** Positions among the contenders. */
const ALONE = 0;
const SLOWEST = 1;

export interface LatencyOptions {
  readonly registries: number;
  readonly templatesEach: number;
  readonly delayMs: number;
  readonly rounds: number;
  readonly aloneMs: number;
  readonly warmUpMs: number;
  readonly settleMs: number;
}

/** No name is carried twice, and collapse is off; the peers beside it. */
export async function measureLatency(options: LatencyOptions): Promise<Table> {
  await using sides = await startSides(options);
  await using peers = await startPeers(sides.registries.urls);
  const { gateway } = sides;
  const ours = contendGateway(gateway, 'gateway, by popularity', 'POPULARITY', false);
  const { measurements, note } = await measureAlone(
    [
      ...sides.limits,
      ours,
      contendGateway(gateway, 'gateway, by relevance', 'RELEVANCE', false),
      ...peers.map((peer) => peer.contend((number) => ({ query: generateQuery(number), order: 'POPULARITY' }))),
    ],
    options,
  );
  return {
    name: `latency-${options.registries}`,
    title: `Cold search with latency: ${describeRegistries(options)}, one client`,
    rows: describeRows(measurements),
    verdicts: [judge('p50 of a cold search over the slowest registry', measurements, ours, MOST_TIMES_SLOWEST)],
    notes: [HOW_MEASURED, note],
  };
}

/** A tenth of each registry's names is carried by another one too, collapse is on, and the gateway knows who carries what. */
export async function measureOverlap(options: LatencyOptions): Promise<Table> {
  await using sides = await startSides(options, SHARED_EVERY);
  const { gateway, registries } = sides;
  const learned = await awaitNames(gateway, registries, FIRST_TO_LEARN_BY);
  await registries.forgetArrivals();
  const ours = contendGateway(gateway, 'gateway, by popularity, collapse', 'POPULARITY', true);
  const { measurements, note } = await measureAlone(
    [
      ...sides.limits,
      contendGateway(gateway, 'gateway, by popularity, no collapse', 'POPULARITY', false),
      ours,
      contendGateway(gateway, 'gateway, by relevance, collapse', 'RELEVANCE', true),
    ],
    options,
  );
  const numbers = { first: FIRST_BY_ROUNDS, searches: SEARCHES_BY_ROUNDS };
  const rounds = await timeByRounds(ours, registries, { ...numbers, secondRoundMs: options.delayMs * SECOND_ROUND });
  const target = 'p50 of a cold search with collapse over the slowest registry';
  return {
    name: `overlap-${options.registries}`,
    title: `Cold search with names that registries share: ${describeRegistries(options)}, one client`,
    rows: describeRows(measurements),
    verdicts: [judge(target, measurements, ours, MOST_TIMES_WITH_SHARED)],
    notes: [
      `Of ${SHARED_EVERY} names of each registry one is carried by another registry too. Before anything was measured the gateway was ` +
        `asked ${learned.searches} searches, until it had listed the names of ${learned.listed} registries and listed no more.`,
      `Who carries a name is known, and not whether what it carries is among the matches: ${SEARCHES_BY_ROUNDS} more searches by ` +
        `popularity asked ${rounds.questions} questions for that. What many pages of late had to ask goes out with the windows; ` +
        `${rounds.second.length} of the searches came to a second round (p50 ${formatP50(rounds.second)} ms), the others had a p50 of ` +
        `${formatP50(rounds.first)} ms.`,
      HOW_MEASURED,
      note,
    ],
  };
}

interface RoundTimes {
  /** Of searches that were answered in one round of calls, and of those that needed a second one. */
  readonly first: number[];
  readonly second: number[];
  /** How often registries were asked about names, by all of them. */
  questions: number;
}

/** Searches one after the other, apart by whether they took longer than one round of calls. Times are in milliseconds. */
async function timeByRounds(
  { client, request }: Contender,
  registries: RegistriesProcess,
  {
    first,
    searches,
    secondRoundMs,
  }: { readonly first: number; readonly searches: number; readonly secondRoundMs: number },
): Promise<RoundTimes> {
  const times: RoundTimes = { first: [], second: [], questions: 0 };
  for (let number = first; number < first + searches; number += 1) {
    await registries.forgetArrivals();
    const [tookMs = Number.NaN] = await runClients(() => client.send(request(number)), repeatedly(1), 1);
    for (const { questions } of await registries.readArrivals()) times.questions += questions;
    times[tookMs > secondRoundMs ? 'second' : 'first'].push(tookMs);
  }
  return times;
}

function formatP50(times: readonly number[]): string {
  return times.length === 0 ? '–' : String(round(median(times), 1));
}

const HOW_MEASURED =
  'The first two rows are the registries themselves: the client asks one of them, another one each time, or all at once, and reads ' +
  'the bytes of the answers alone. The slowest of all is what the others are measured by: what a registry takes when it is ' +
  'asked alone does not hold where all are asked at once, on a machine that all of them share.';

async function startSides({ registries: count, templatesEach, delayMs }: LatencyOptions, sharedEvery?: number) {
  const stack = new AsyncDisposableStack();
  const registries = stack.use(
    await startRegistries({ count, templatesEach, delayMs, ...(sharedEvery === undefined ? {} : { sharedEvery }) }),
  );
  const gateway = stack.use(await startGatewaySide({ registryUrls: registries.urls }));
  const bare = stack.use(await startBareSide(registries.urls));
  const limits = [
    contendRegistries('one registry, asked alone', stack.use(openRegistries(registries.urls, false)), registries),
    contendRegistries(
      'the slowest of all, asked at once',
      stack.use(openRegistries(registries.urls, true)),
      registries,
    ),
    bare.contend('limit: bare fan-out', (number) => ({
      query: generateQuery(number),
      order: 'popularity',
      rows: PAGE_SIZE,
    })),
  ];
  return { registries, gateway, limits, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Sends a request to one registry, the next one each time, or to all at once, and waits for all. */
function openRegistries(urls: readonly string[], atOnce: boolean): Client {
  const clients = urls.map(openClient);
  let next = 0;
  return {
    host: clients[0]?.host ?? '',
    async send(request) {
      const asked = atOnce ? clients : clients.slice(next++ % clients.length).slice(0, 1);
      const [answer] = await Promise.all(asked.map((client) => client.send(request)));
      if (answer === undefined) throw new Error('there must be a registry to be asked');
      return answer;
    },
    async [Symbol.asyncDispose]() {
      for (const client of clients) await client[Symbol.asyncDispose]();
    },
  };
}

function contendRegistries(name: string, client: Client, process: RegistriesProcess): Contender {
  return {
    ...{ name, process, client },
    request: (number) =>
      writeGet(client.host, writePath({ query: generateQuery(number), order: 'popularity', rows: PAGE_SIZE })),
    check: (answer) => {
      const { templates }: { templates: readonly unknown[] } = JSON.parse(answer);
      if (templates.length !== PAGE_SIZE) throw new Error(`a registry must give ${PAGE_SIZE} rows`);
    },
  };
}

function contendGateway(side: GatewaySide, name: string, order: JobSearch['order'], collapse: boolean): Contender {
  return side.contend(name, (number) => ({ query: generateQuery(number), order, collapse }));
}

function measureAlone(
  contenders: readonly Contender[],
  { rounds, aloneMs, warmUpMs, settleMs }: LatencyOptions,
): Promise<Measured> {
  const apart = contenders.map((contender, index) => ({
    ...contender,
    request: (number: number) => contender.request(number + index * QUERIES_APART),
  }));
  const asked = { connections: 1, warmUpConnections: WARM_UP_CLIENTS };
  return measureRounds(apart, { ...asked, rounds, aloneMs, togetherMs: 0, warmUpMs, settleMs });
}

function describeRegistries({ registries, delayMs }: LatencyOptions): string {
  return `${registries} registries that answer after ${delayMs} ms`;
}

function describeRows(measurements: readonly Measurement[]) {
  return measurements.map((each) => {
    const ratio = timesOf(measurements, SLOWEST, each);
    return {
      '': each.name,
      'p50 ms': round(each.p50Ms, 1),
      'p99 ms': round(each.p99Ms, 1),
      'times the slowest': round(ratio.value, 2),
      'least–most': formatSpread(ratio),
      'times one alone': round(timesOf(measurements, ALONE, each).value, 2),
    };
  });
}

/** How many times the p50 of the registries themselves. */
function timesOf(measurements: readonly Measurement[], registries: typeof ALONE | typeof SLOWEST, each: Measurement) {
  const limit = measurements[registries];
  if (limit === undefined) throw new Error('the registries must have been measured');
  return ratioOfLimit(each, limit, 'p50Ms');
}

function judge(target: string, measurements: readonly Measurement[], { name }: Contender, most: number): Verdict {
  const ours = measurements.find((each) => each.name === name);
  if (ours === undefined) throw new Error('the gateway must have been measured');
  const ratio = timesOf(measurements, SLOWEST, ours);
  return {
    target: `${target}: at most ${most}`,
    measured: `${round(ratio.value, 2)} (${formatSpread(ratio)})`,
    met: ratio.value <= most,
  };
}

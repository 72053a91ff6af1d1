/** Many identical searches at the same moment, which nobody asked before: how often each registry is asked. */
import { generateQuery } from '../catalog.ts';
import type { Client } from '../client.ts';
import { PAGE_SIZE, readJob } from '../job.ts';
import { runClients, times } from '../measure.ts';
import { startPeers } from '../peers/start.ts';
import { type RegistriesProcess, startRegistries } from '../processes/registries.ts';
import type { Table } from '../report.ts';
import { startBareSide, startGatewaySide } from '../sides.ts';
import { median, percentile, round } from '../statistics.ts';

/** Sides ask from this far apart in the row of queries, so that none comes to one that another had. */
const QUERIES_APART = 1_000;

export interface BurstOptions {
  readonly registries: number;
  readonly templatesEach: number;
  readonly searches: number;
  readonly repeats: number;
}

interface Side {
  readonly name: string;
  readonly client: Client;
  /** The search of a burst, as a request. */
  write(query: string): Buffer;
}

const WINDOWS = 'searches, most of a registry';
const QUESTIONS = 'questions about names';
const CALLS = 'all calls, all registries';
const INCOMPLETE = 'answers not whole';

export async function measureBurst({ registries: count, templatesEach, ...burst }: BurstOptions): Promise<Table> {
  await using registries = await startRegistries({ count, templatesEach });
  await using gateway = await startGatewaySide({ registryUrls: registries.urls });
  await using bare = await startBareSide(registries.urls);
  await using peers = await startPeers(registries.urls);
  const ours: Side = {
    name: 'gateway',
    client: gateway.client,
    write: (query) => gateway.write({ query, order: 'POPULARITY' }),
  };
  const sides: readonly Side[] = [
    {
      name: 'limit: bare, one fan-out for all who ask at once',
      client: bare.client,
      write: (query) => bare.write({ query, order: 'popularity', rows: PAGE_SIZE }, '/shared'),
    },
    ours,
    {
      name: 'gateway, collapse',
      client: gateway.client,
      write: (query) => gateway.write({ query, order: 'POPULARITY', collapse: true }),
    },
    ...peers.map(({ name, client, write }) => ({
      ...{ name, client },
      write: (query: string) => write({ query, order: 'POPULARITY' }),
    })),
  ];
  const rows: Awaited<ReturnType<typeof measureSide>>[] = [];
  for (const [index, side] of sides.entries()) {
    rows.push(await measureSide(side, registries, burst, index * QUERIES_APART));
  }
  const judged = rows.slice(1, 3);
  const mostWindows = Math.max(...judged.map((row) => row[WINDOWS]));
  const mostQuestions = Math.max(...judged.map((row) => row[QUESTIONS]));
  const incomplete = judged.reduce((sum, row) => sum + row[INCOMPLETE], 0);
  return {
    name: 'burst',
    title: `${burst.searches} identical cold searches at once, ${count} registries`,
    rows,
    verdicts: [
      {
        target: `${burst.searches} identical cold searches at once: 1 call per registry, every answer whole`,
        measured: `${mostWindows}, with collapse at most ${mostQuestions} more to ask for names; ${incomplete} answers not whole`,
        met: mostWindows === 1 && mostQuestions <= 1 && incomplete === 0,
      },
    ],
    notes: [
      `All searches of a burst leave one client in the same turn; each of ${burst.repeats} bursts has a query that was never asked ` +
        'before. Counts are the most of a burst. The bare side keeps nothing, and asks again for those whose request is read after ' +
        'the first were answered. Questions ask a registry which of some names it carries.',
    ],
  };
}

async function measureSide(
  { name, client, write }: Side,
  registries: RegistriesProcess,
  { searches, repeats }: Pick<BurstOptions, 'searches' | 'repeats'>,
  firstQuery: number,
) {
  const lasts: number[] = [];
  const middles: number[] = [];
  const most = { windows: 0, questions: 0, calls: 0, incomplete: 0 };
  // The first opens the connections, and is not counted.
  for (let repeat = 0; repeat <= repeats; repeat += 1) {
    await registries.forgetArrivals();
    const request = write(generateQuery(firstQuery + repeat));
    const answers: Buffer[] = [];
    const startedMs = performance.now();
    const latencies = await runClients(
      async () => void answers.push(await client.send(request)),
      times(searches),
      searches,
    );
    const tookMs = performance.now() - startedMs;
    if (repeat === 0) continue;
    lasts.push(tookMs);
    middles.push(percentile(latencies, 0.5));
    const arrivals = await registries.readArrivals();
    most.windows = Math.max(most.windows, ...arrivals.map(({ windows }) => windows));
    most.questions = Math.max(most.questions, ...arrivals.map(({ questions }) => questions));
    most.calls = Math.max(
      most.calls,
      arrivals.reduce((sum, { calls }) => sum + calls, 0),
    );
    most.incomplete += answers.filter((answer) => !isWhole(answer, arrivals.length)).length;
  }
  return {
    '': name,
    [WINDOWS]: most.windows,
    [QUESTIONS]: most.questions,
    [CALLS]: most.calls,
    [INCOMPLETE]: most.incomplete,
    'half answered, ms': round(median(middles), 1),
    'all answered, ms': round(median(lasts), 1),
  };
}

function isWhole(answer: Buffer, registryCount: number): boolean {
  const { nodes, registries } = readJob(answer.toString());
  return nodes.length === PAGE_SIZE && registries.filter(({ outcome }) => outcome === 'OK').length === registryCount;
}

/** Memory over very many searches, every one different, and when nobody searches any more. */
import { generateQuery } from '../catalog.ts';
import { PAGE_SIZE, readJob } from '../job.ts';
import { runClients, times } from '../measure.ts';
import { startRegistries } from '../processes/registries.ts';
import { formatBytes, type Table } from '../report.ts';
import { startBareSide, startGatewaySide } from '../sides.ts';
import { round } from '../statistics.ts';

const PARTS = 4;
const MEGABYTE = 2 ** 20;
/** Resident memory that an idle gateway may keep. */
const MOST_IDLE_BYTES = 250 * MEGABYTE;
const LOOK_EVERY_MS = 1_000;
/** One answer in so many is read, to see whether it is whole. */
const READ_EVERY = 100;

export interface SoakOptions {
  readonly name: string;
  readonly registries: number;
  readonly templatesEach: number;
  readonly searches: number;
  readonly clients: number;
  /** How long it is waited at most for the memory to come back. */
  readonly idleMs: number;
}

export async function measureSoak({ registries: count, templatesEach, ...soak }: SoakOptions): Promise<Table> {
  await using registries = await startRegistries({ count, templatesEach });
  await using gateway = await startGatewaySide({ registryUrls: registries.urls });
  await using bare = await startBareSide(registries.urls);
  const perPart = Math.ceil(soak.searches / PARTS);
  const readRss = async () => (await gateway.process.readUsage()).rssBytes;

  let bareNext = 0;
  await runClients(
    () => bare.client.send(bare.write({ query: generateQuery(bareNext++), order: 'popularity', rows: PAGE_SIZE })),
    times(perPart),
    soak.clients,
  );
  const rows = [
    describeRow(`bare, after ${perPart}`, (await bare.process.readUsage()).rssBytes),
    describeRow('gateway, after 0', await readRss()),
  ];
  let next = 0;
  for (let part = 1; part <= PARTS; part += 1) {
    await runClients(
      async () => {
        const number = next++;
        const answer = await gateway.client.send(
          gateway.write({ query: generateQuery(number), order: 'POPULARITY', collapse: true }, { cursor: true }),
        );
        if (number % READ_EVERY === 0) readJob(answer.toString());
      },
      times(perPart),
      soak.clients,
    );
    rows.push(describeRow(`gateway, after ${part * perPart}`, await readRss()));
  }
  const startedMs = performance.now();
  let rssBytes = await readRss();
  while (rssBytes > MOST_IDLE_BYTES && performance.now() - startedMs < soak.idleMs) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    rssBytes = await readRss();
  }
  const idleS = round((performance.now() - startedMs) / 1000, 0);
  rows.push(describeRow(`gateway, idle for ${idleS} s`, rssBytes));
  return {
    name: soak.name,
    title: `Memory over ${perPart * PARTS} searches, every one different, ${count} registries, and then idle`,
    rows,
    verdicts: [
      {
        target: `after ${perPart * PARTS} distinct searches, idle: resident memory under ${formatBytes(MOST_IDLE_BYTES)}`,
        measured: `${formatBytes(rssBytes)} after ${idleS} s`,
        met: rssBytes < MOST_IDLE_BYTES,
      },
    ],
    notes: [
      `It is waited ${round(soak.idleMs / 1000, 0)} s at most. Nothing is told to collect garbage: it is what the system shows of ` +
        'the process that `npm start` starts.',
    ],
  };
}

function describeRow(name: string, rssBytes: number) {
  return { '': name, 'resident memory': formatBytes(rssBytes) };
}

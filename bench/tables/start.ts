/** From the start of the process to the first answer of a search over the demo registries. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openClient, writePost } from '../client.ts';
import { readJob, writeJob } from '../job.ts';
import { readOrigin } from '../processes/gateway.ts';
import type { Table } from '../report.ts';
import { median, round } from '../statistics.ts';

/** The longest that a start may take of a gateway that was started on this machine before. */
const MOST_MS = 1_000;
const WARM = 1;
const BARE_PROGRAM = `
  const server = require('node:http').createServer((request, response) => response.end('{"data":{"search":{}}}'));
  server.listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + server.address().port + '/graphql'));
`;

export interface StartOptions {
  readonly repeats: number;
}

export async function measureStart({ repeats }: StartOptions): Promise<Table> {
  const program = fileURLToPath(new URL('../../bin/marketplace.js', import.meta.url));
  const contenders = [
    { name: 'limit: bare node:http server', argumentsList: ['-e', BARE_PROGRAM], environment: {} },
    { name: 'gateway, started before', argumentsList: [program, 'serve'], environment: {} },
    {
      name: 'gateway, as if never started before',
      argumentsList: [program, 'serve'],
      environment: { NODE_DISABLE_COMPILE_CACHE: '1' },
    },
  ];
  const times = contenders.map((): number[] => []);
  const data = await mkdtemp(join(tmpdir(), 'marketplace-bench-'));
  try {
    // The first round is not counted: it fills the cache of compiled code.
    for (let repeat = 0; repeat <= repeats; repeat += 1) {
      for (const [index, { argumentsList, environment }] of contenders.entries()) {
        const tookMs = await timeStart(argumentsList, { ...environment, MARKETPLACE_DATA: data });
        if (repeat > 0) times[index]?.push(tookMs);
      }
    }
  } finally {
    await rm(data, { recursive: true });
  }
  const slowestMs = Math.max(...(times[WARM] ?? []));
  return {
    name: 'start',
    title: 'Start to first answer, with the three demo registries',
    rows: contenders.map(({ name }, index) => ({
      '': name,
      'p50 ms': round(median(times[index] ?? []), 0),
      'max ms': round(Math.max(...(times[index] ?? [])), 0),
    })),
    verdicts: [
      {
        target: `start to first answer of a gateway that was started before: under ${MOST_MS} ms, each time`,
        measured: `${round(slowestMs, 0)} ms at most`,
        met: slowestMs < MOST_MS,
      },
    ],
    notes: ['Node keeps what it compiled in node_modules/.cache; "as if never started before" is without that.'],
  };
}

async function timeStart(argumentsList: readonly string[], environment: Record<string, string>): Promise<number> {
  const startedMs = performance.now();
  const child = spawn(process.execPath, [...argumentsList], {
    env: { PATH: process.env.PATH, ...environment, PORT: '0', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  try {
    const origin = await readOrigin(child);
    await using client = openClient(origin);
    const request = writePost(
      client.host,
      '/graphql',
      writeJob({ query: 'python', order: 'RELEVANCE', collapse: true }),
    );
    const answer = await client.send(request);
    const tookMs = performance.now() - startedMs;
    readJob(answer.toString());
    return tookMs;
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
}

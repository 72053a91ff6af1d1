/** From the start of the process to the first answer of a search over the demo registries. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { openClient, readSearch, searchBody } from '../client.ts';
import { median } from '../measure.ts';
import { formatVerdict, round, type Table } from '../report.ts';

/** The longest that a start may take (the project's goal). */
const MOST_MS = 1_500;
const BARE_PROGRAM = `
  const server = require('node:http').createServer((request, response) => response.end('{"data":{"search":{}}}'));
  server.listen(0, '127.0.0.1', () => console.log('http://127.0.0.1:' + server.address().port + '/graphql'));
`;

export interface StartOptions {
  readonly repeats: number;
}

export async function measureStart({ repeats }: StartOptions): Promise<Table> {
  const program = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
  const contenders = [
    { name: 'bare node:http server', argumentsList: ['-e', BARE_PROGRAM], environment: {} },
    { name: 'gateway, started before', argumentsList: [program], environment: {} },
    {
      name: 'gateway, as if never started before',
      argumentsList: [program],
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
  const slowestMs = Math.max(...times.slice(1).flat());
  return {
    name: 'start',
    title: 'Start to first answer, with the three demo registries',
    rows: contenders.map(({ name }, index) => ({
      '': name,
      'p50 ms': round(median(times[index] ?? []), 0),
      'max ms': round(Math.max(...(times[index] ?? [])), 0),
    })),
    notes: [
      'Node keeps what it compiled in node_modules/.cache; "as if never started before" is without that.',
      formatVerdict(
        `${MOST_MS} ms at most, in every start; the slowest took ${round(slowestMs, 0)} ms`,
        slowestMs <= MOST_MS,
      ),
    ],
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
    const text = await client.post('/graphql', searchBody({ query: 'python', order: 'RELEVANCE' }));
    const tookMs = performance.now() - startedMs;
    readSearch(text);
    return tookMs;
  } finally {
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await ended;
  }
}

/** Of the one line that a server prints once it listens. */
async function readOrigin(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error('the output of the process must be read');
  for await (const line of createInterface({ input: child.stdout })) {
    const origin = /(http:\/\/\S+)\/graphql/.exec(line)?.[1];
    if (origin !== undefined) return origin;
  }
  throw new Error('the process must print its address before it ends');
}

/** The gateway as `npm start` runs it: its own program, with a configuration file and a data directory for this one run. */
import type { ChildProcess } from 'node:child_process';
import { hash } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { stringify } from 'yaml';
import packageJson from '../../package.json' with { type: 'json' };
import { type Measurable, startModule } from './remote.ts';

const PROGRAM = 'bin/marketplace.js';
/** Every layer is there, and none holds anything back: what is measured is what a request costs, not how many are let through. */
const UNREACHED_LIMIT = { requestsPerSecond: 1_000_000, burst: 1_000_000, concurrent: 100_000, maxQueue: 1_000_000 };
const READY_MS = 10_000;

export interface GatewayOptions {
  readonly registryUrls: readonly string[];
  /** Members of each registry's configuration. */
  readonly settings?: Readonly<Record<string, unknown>>;
  /** Shares with other gateways by this Redis server. */
  readonly redisUrl?: string;
  /** Of the caller, whose requests and cost are counted then; null: it is nobody, and nothing is. */
  readonly apiKey?: string | null;
  /** Flags of Node, besides those of `npm start`. */
  readonly flags?: readonly string[];
}

export interface GatewayProcess extends Measurable, AsyncDisposable {
  readonly origin: string;
}

/** Starts a gateway with an empty cache, and waits until it has tried each registry once. */
export async function startGateway({
  registryUrls,
  settings,
  redisUrl,
  apiKey = null,
  flags = [],
}: GatewayOptions): Promise<GatewayProcess> {
  const folder = await mkdtemp(join(tmpdir(), 'marketplace-bench-'));
  const config = join(folder, 'marketplace.yaml');
  const registries = registryUrls.map((url, index) => ({
    ...{ name: `registry-${String(index).padStart(3, '0')}`, type: 'official', url, rateLimit: UNREACHED_LIMIT },
    ...settings,
  }));
  // What is asked for ahead of its use is no part of what a request costs, and would be counted with it.
  // All of the load comes from one address.
  const most = apiKey === null ? 'off' : 1_000_000_000;
  const limits = { requestsPerMinute: most, costPerMinute: most, concurrent: most };
  const apiKeys =
    apiKey === null ? [] : [{ id: 'bench', sha256: hash('sha256', apiKey, 'hex'), roles: ['researcher'] }];
  const server = { cache: { warm: 'off' }, limits, secret: 'of the benchmarks: 0123456789abcdef' };
  await writeFile(config, stringify({ server, registries, auth: { apiKeys } }, { aliasDuplicateObjects: false }));
  const { child, readUsage, collectGarbage, ...started } = startModule(new URL(`../../${PROGRAM}`, import.meta.url), {
    given: ['serve'],
    flags: ['--import', new URL('measured.ts', import.meta.url).href, ...flagsOfStart(), ...flags],
    environment: {
      // What measures it is loaded first and has types: without this the gateway would carry the compiler of them as well.
      NODE_COMPILE_CACHE: fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url)),
      ...{ MARKETPLACE_CONFIG: config, MARKETPLACE_DATA: folder, PORT: '0', LOG_LEVEL: 'error' },
      ...(redisUrl !== undefined && { REDIS_URL: redisUrl }),
    },
  });
  const dispose = async () => {
    await started[Symbol.asyncDispose]();
    await rm(folder, { recursive: true, force: true });
  };
  try {
    const origin = await readOrigin(child);
    await waitUntilReady(origin);
    return { origin, readUsage, collectGarbage, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}

/** What stands between "node" and the program in the script that starts the gateway. */
function flagsOfStart(): readonly string[] {
  const words = packageJson.scripts.start.split(' ');
  return words.slice(words.indexOf('node') + 1, words.indexOf(PROGRAM));
}

/** Of the one line that the gateway prints once it listens. */
export async function readOrigin({ stdout }: ChildProcess): Promise<string> {
  if (stdout === null) throw new Error('the output of the process must be read');
  for await (const line of createInterface({ input: stdout })) {
    const origin = /(http:\/\/\S+)\/graphql/.exec(line)?.[1];
    if (origin !== undefined) return origin;
  }
  throw new Error('the process must print its address before it ends');
}

/** Until every registry was tried once. */
async function waitUntilReady(origin: string): Promise<void> {
  for (const endMs = performance.now() + READY_MS; performance.now() < endMs; ) {
    const response = await fetch(`${origin}/readyz`);
    await response.arrayBuffer();
    if (response.status === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  throw new Error(`the gateway must be ready within ${READY_MS} ms`);
}

/** Three gateways as processes, two registries, one Redis server and one PostgreSQL, under load, while things are killed and cut. */
import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type FaultyRegistry, startFaultyRegistry, type WireTemplate } from '../helpers/faulty-registry.ts';
import { startPostgres, type TestPostgres } from '../helpers/postgres.ts';
import { RedisServer, redisIsMissing, waitUntil } from '../helpers/redis.ts';
import { TcpProxy } from '../helpers/tcp-proxy.ts';
import { type Asked, GatewayProcess } from './gateway-process.ts';

if (redisIsMissing !== null) console.warn(redisIsMissing);

const ADMIN_KEY = 'the-key-of-an-administrator-for-tests-alone';
/** A page's deadline, and what the machine may need beside it. */
const DEADLINE_MS = 1_000;
const SLACK_MS = 2_500;
/** Of the registry that has a low one. */
const LIMIT = { requestsPerSecond: 10, burst: 10 };

const SEARCH = `query ($query: String!, $after: String, $registries: [String!] = ["r0", "r1"]) {
  search(query: $query, filter: { registries: $registries }, first: 7, after: $after, orderBy: { field: NAME, direction: ASC }, collapse: false) {
    partial nodes { name } pageInfo { hasNextPage endCursor } registries { outcome }
  }
}`;

const folder = mkdtempSync(join(tmpdir(), 'marketplace-cluster-'));
const open: AsyncDisposable[] = [];
let redis: RedisServer;
/** null: this machine has none, and the gateways keep their files. */
let postgres: TestPostgres | null = null;
let database: Record<string, string> = {};
let registries: FaultyRegistry[];
/** Asked where it is named alone. */
let limited: FaultyRegistry;
let proxies: TcpProxy[];
let gateways: GatewayProcess[];

function makeTemplates(prefix: string): WireTemplate[] {
  return Array.from({ length: 60 }, (_, index) => ({
    name: `${prefix}-${String(index).padStart(2, '0')}`,
    version: '1',
    title: `word${index % 10} of ${prefix}`,
    category: 'ml',
    marketplace: { downloads: index },
  }));
}

function writeConfig(): string {
  const path = join(folder, 'marketplace.yaml');
  const lowLimit = `{ requestsPerSecond: ${LIMIT.requestsPerSecond}, burst: ${LIMIT.burst}, concurrent: 30, maxQueue: 400 }`;
  const entries = registries.map(
    ({ url }, index) => `  - { name: r${index}, type: official, url: "${url}", retry: { attempts: 0 } }`,
  );
  const sha256 = createHash('sha256').update(ADMIN_KEY).digest('hex');
  writeFileSync(
    path,
    [
      'server:',
      '  secret: "for tests alone: 0123456789abcdef0123456789abcdef"',
      `  search: { timeout: ${DEADLINE_MS}ms }`,
      '  cache: { disk: off, warm: off }',
      // All of the load comes from one address.
      '  limits: { requestsPerMinute: off, costPerMinute: off, concurrent: off }',
      `auth: { apiKeys: [{ id: admin, sha256: ${sha256}, roles: [admin] }] }`,
      'registries:',
      ...entries,
      `  - { name: limited, type: official, url: "${limited.url}", rateLimit: ${lowLimit}, retry: { attempts: 0 } }`,
      '',
    ].join('\n'),
  );
  return path;
}

function startGateway(index: number): Promise<GatewayProcess> {
  const port = proxies[index]?.port ?? redis.port;
  return GatewayProcess.start(folder, `data-${index}`, {
    MARKETPLACE_CONFIG: join(folder, 'marketplace.yaml'),
    REDIS_URL: `redis://127.0.0.1:${port}/0`,
    LOG_LEVEL: 'warn',
    ...database,
  });
}

const gatewayAt = (index: number): GatewayProcess => {
  const gateway = gateways[index % gateways.length];
  if (gateway === undefined) throw new Error('there must be a gateway');
  return gateway;
};

const whenAllAre = (state: string, which = gateways) =>
  waitUntil(async () =>
    (await Promise.all(which.map((gateway) => gateway.readSharing()))).every((it) => it.state === state),
  );

const searchesOf = (registry: FaultyRegistry) => registry.arrivalsAt().length;
const countSearches = () => registries.reduce((sum, registry) => sum + searchesOf(registry), 0);
function forgetArrivals(): void {
  for (const registry of registries) registry.arrivals.length = 0;
}

function pageOf({ data }: Asked) {
  const { search } = JSON.parse(JSON.stringify(data));
  return search as {
    readonly partial: boolean;
    readonly nodes: readonly { readonly name: string }[];
    readonly pageInfo: { readonly hasNextPage: boolean; readonly endCursor: string };
  };
}

const namesOf = (asked: Asked) => pageOf(asked).nodes.map(({ name }) => name);

beforeAll(async () => {
  if (redisIsMissing !== null) return;
  redis = await RedisServer.start();
  registries = await Promise.all(
    ['alpha', 'beta'].map((prefix) => startFaultyRegistry({ rows: makeTemplates(prefix), mode: { slowMs: 15 } })),
  );
  proxies = await Promise.all([0, 1, 2].map(() => TcpProxy.start(redis.port)));
  limited = await startFaultyRegistry({ rows: makeTemplates('gamma') });
  open.push(redis, ...registries, limited, ...proxies);
  postgres = await startPostgres();
  if (postgres !== null) {
    open.push(postgres);
    database = { DATABASE_URL: await postgres.createDatabase() };
  }
  writeConfig();
  gateways = await Promise.all([0, 1, 2].map(startGateway));
  await whenAllAre('UP');
});

afterAll(async () => {
  await Promise.all((gateways ?? []).map((gateway) => gateway.kill()));
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** Asks all gateways in turn, searches that nobody has made and some that all make, until it is stopped. */
function startLoad(which: readonly GatewayProcess[], everyMs: number, names: readonly string[] = ['r0', 'r1']) {
  const asked: Asked[] = [];
  const failures: unknown[] = [];
  const running: Promise<unknown>[] = [];
  let count = 0;
  const timer = setInterval(() => {
    const gateway = which[count % which.length];
    const query = count % 3 === 0 ? 'alpha' : `word${count % 10} ${crypto.randomUUID().slice(0, 4)}`;
    count += 1;
    running.push(
      gateway?.ask(SEARCH, { query, registries: names }).then(
        (one) => asked.push(one),
        (error: unknown) => failures.push(error),
      ) ?? Promise.resolve(),
    );
  }, everyMs);
  return {
    asked,
    /** Ends it. Gives all that was answered; throws when something was not. */
    async stop(): Promise<readonly Asked[]> {
      clearInterval(timer);
      await Promise.all(running);
      expect(failures).toEqual([]);
      return asked;
    },
  };
}

function expectAllInTime(asked: readonly Asked[]): void {
  expect(asked.length).toBeGreaterThan(10);
  expect(asked.flatMap(({ errors }) => errors ?? [])).toEqual([]);
  expect(Math.max(...asked.map(({ tookMs }) => tookMs))).toBeLessThan(DEADLINE_MS + SLACK_MS);
}

const settle = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

describe.skipIf(redisIsMissing !== null)('three gateways as one', () => {
  it('know of each other', async () => {
    await waitUntil(async () => (await gatewayAt(0).readSharing()).replicas === 3);
  });

  it('ask registries for the same cold searches as often as one of them would', async () => {
    const search = (gateway: GatewayProcess, query: string) => gateway.ask(SEARCH, { query });
    // A program that has not run yet is slow.
    for (let round = 0; round < 20; round += 1) {
      await Promise.all(gateways.map((gateway) => search(gateway, `word1 ${crypto.randomUUID().slice(0, 4)}`)));
    }
    await whenAllAre('UP');
    forgetArrivals();
    for (let word = 0; word < 10; word += 1) await search(gatewayAt(0), `word${word} alpha`);
    const byOne = countSearches();
    forgetArrivals();
    for (let word = 0; word < 10; word += 1) {
      const answers = await Promise.all(gateways.map((gateway) => search(gateway, `word${word} beta`)));
      expect(new Set(answers.map((answer) => JSON.stringify(namesOf(answer)))).size).toBe(1);
    }
    expect(byOne).toBeGreaterThanOrEqual(20);
    expect(countSearches()).toBeLessThanOrEqual(byOne * 1.1);
  });

  it("keep a registry's rate limit with the sum of their calls", async () => {
    limited.arrivals.length = 0;
    const load = startLoad(gateways, 10, ['limited']);
    await settle(3_000);
    expect((await load.stop()).flatMap(({ errors }) => errors ?? [])).toEqual([]);
    const arrivals = limited.arrivalsAt();
    const inOneSecond = arrivals.map(
      ({ atMs }) => arrivals.filter((other) => other.atMs >= atMs && other.atMs < atMs + 1_000).length,
    );
    expect(arrivals.length).toBeGreaterThan(LIMIT.burst + LIMIT.requestsPerSecond);
    // One more than the account allows, for what the network and this machine bring closer together.
    expect(Math.max(...inOneSecond)).toBeLessThanOrEqual(LIMIT.burst + LIMIT.requestsPerSecond + 1);
  });

  it('all see an invalidation that one of them made, also one that was cut off meanwhile, when it is back', async () => {
    const first = (gateway: GatewayProcess) => gateway.ask(SEARCH, { query: '' }).then((answer) => namesOf(answer)[0]);
    const invalidate = () =>
      gatewayAt(0).ask('mutation { invalidateCache(input: { registry: "r0" }) { removed } }', {}, ADMIN_KEY);
    const insert = (name: string) => registries[0]?.catalog.insert({ name, version: '1', category: 'ml' });
    await settle(1_000);
    for (const gateway of gateways) expect(await first(gateway)).toBe('alpha-00');

    insert('aa-first');
    expect((await invalidate()).errors).toBeNull();
    for (const gateway of gateways) await waitUntil(async () => (await first(gateway)) === 'aa-first');

    proxies[2]?.cut();
    await whenAllAre('DOWN', [gatewayAt(2)]);
    insert('a-second');
    await invalidate();
    for (const gateway of gateways.slice(0, 2)) await waitUntil(async () => (await first(gateway)) === 'a-second');
    expect(await first(gatewayAt(2))).toBe('aa-first');
    proxies[2]?.mend();
    await waitUntil(async () => (await first(gatewayAt(2))) === 'a-second');
    await whenAllAre('UP');
  });

  it('take a walk up from each other, and give each entry exactly once, though one of them is killed', async () => {
    const seen: string[] = [];
    let after: string | null = null;
    for (let page = 0; ; page += 1) {
      if (page === 5) await gatewayAt(2).kill();
      const gateway = page < 5 ? gatewayAt(page) : gatewayAt(page % 2);
      const answer = pageOf(await gateway.ask(SEARCH, { query: '', after }));
      expect(answer.partial).toBe(false);
      seen.push(...answer.nodes.map(({ name }) => name));
      if (!answer.pageInfo.hasNextPage) break;
      after = answer.pageInfo.endCursor;
    }
    const all = registries.flatMap(({ catalog }) => catalog.rows.map(({ name }) => String(name)));
    expect(seen).toEqual(all.toSorted());
    gateways[2] = await startGateway(2);
    await whenAllAre('UP');
  });

  it('answer every request within its deadline while one of them is killed', async () => {
    await settle(1_000);
    const load = startLoad(gateways.slice(0, 2), 40);
    await settle(500);
    await gatewayAt(2).kill();
    await settle(2_500);
    expectAllInTime(await load.stop());
    gateways[2] = await startGateway(2);
    await whenAllAre('UP');
  });

  it.each([
    ['is frozen and goes on', () => redis.freeze(), async () => redis.thaw()],
    ['is killed and comes back empty', () => redis.kill(), () => redis.start()],
    [
      'gets slow and fast again',
      () => proxies.forEach((proxy) => void proxy.delay(150)),
      async () => proxies.forEach((proxy) => void proxy.delay(0)),
    ],
    [
      'is cut off and found again',
      () => proxies.forEach((proxy) => void proxy.cut()),
      async () => proxies.forEach((proxy) => void proxy.mend()),
    ],
  ] as const)('answer every request within its deadline while the Redis server %s', async (_, harm, mend) => {
    await settle(1_000);
    const load = startLoad(gateways, 40);
    await settle(500);
    await harm();
    await settle(1_500);
    for (const gateway of gateways) expect((await gateway.readSharing()).state).not.toBe('UP');
    await mend();
    await whenAllAre('UP');
    await settle(500);
    expectAllInTime(await load.stop());
  });

  it('answer every search within its deadline while their database is gone', async (context) => {
    if (postgres === null) return context.skip('no PostgreSQL');
    await settle(1_000);
    const load = startLoad(gateways, 40);
    await settle(500);
    await postgres.stop();
    await settle(1_500);
    await postgres.start();
    await settle(500);
    expectAllInTime(await load.stop());
  });
});

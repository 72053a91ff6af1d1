import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { describe, expect, it, vi } from 'vitest';
import * as z from 'zod';
import { PATIENT } from '../helpers/clock-bound.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { type RunningGateway, runGateway } from '../helpers/run-gateway.ts';
import { type ReadFamily, readExposition } from '../telemetry/exposition-text.ts';
import { createSseClient, createWsClient } from './live-clients.ts';
import { type ServedRegistries, serveRegistries, wireTemplates } from './serve-registries.ts';

const CATALOGS = { one: wireTemplates('one', 60), two: wireTemplates('two', 60) };
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex');
const withKey = (key: string) => ({ headers: { authorization: `Bearer ${key}` } });
const keyOf = (id: string, roles: readonly string[]) => ({ id, sha256: sha256(id), roles });

async function scrape(origin: string, init: RequestInit = {}) {
  const response = await fetch(`${origin}/metrics`, init);
  const text = await response.text();
  return { status: response.status, contentType: response.headers.get('content-type'), text };
}

const scrapeFamilies = async (origin: string, init: RequestInit = {}) =>
  readExposition((await scrape(origin, init)).text);

/** The sum of the samples that have these labels. */
function sumOf(families: ReadonlyMap<string, ReadFamily>, name: string, labels: Record<string, string> = {}): number {
  const family = families.get(name.replace(/_(?:sum|count|bucket)$/, '')) ?? families.get(name);
  const samples = (family?.samples ?? []).filter(
    (sample) => sample.name === name && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  );
  return samples.reduce((sum, { value }) => sum + value, 0);
}

const FIELDS = `
  registries {
    name
    health { status latencyMs uptime circuits { operation state } }
    metrics(window: ONE_HOUR) {
      requests successRate responseTime { mean p50 p95 p99 max } cacheHitRate cacheHits cacheMisses authFailures
      rateLimitHits timeouts retries circuitOpens inFlight queued
    }
  }
  gateway {
    metrics(window: ONE_HOUR) {
      searches responseTime { mean p50 p95 p99 max } errorRate cacheHitRate errors { name count }
      popularTemplates { name registryName views }
    }
  }`;

interface Latencies {
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

interface AskedFields {
  readonly registries: readonly {
    readonly name: string;
    readonly health: {
      readonly status: string;
      readonly latencyMs: number;
      readonly uptime: number;
      readonly circuits: readonly { readonly operation: string; readonly state: string }[];
    };
    readonly metrics: Readonly<Record<string, number | null>> & { readonly responseTime: Latencies };
  }[];
  readonly gateway: {
    readonly metrics: {
      readonly searches: number;
      readonly responseTime: Latencies;
      readonly errorRate: number;
      readonly cacheHitRate: number;
      readonly errors: readonly { readonly name: string; readonly count: number }[];
      readonly popularTemplates: readonly { readonly registryName: string; readonly views: number }[];
    };
  };
}

/** The mean of a histogram is that of the field, and each percentile lies in a bucket that holds it. */
function expectSameTimes(
  families: ReadonlyMap<string, ReadFamily>,
  name: string,
  labels: Record<string, string>,
  times: Latencies,
) {
  const count = sumOf(families, `${name}_count`, labels);
  if (count === 0) {
    expect(times).toEqual({ mean: null, p50: null, p95: null, p99: null, max: null });
    return;
  }
  expect((sumOf(families, `${name}_sum`, labels) / count) * 1000).toBeCloseTo(times.mean ?? Number.NaN, 6);
  const buckets = (families.get(name)?.samples ?? []).filter(
    (sample) =>
      sample.name.endsWith('_bucket') && Object.entries(labels).every(([label, text]) => sample.labels[label] === text),
  );
  for (const [share, ms] of [
    [0.5, times.p50],
    [0.95, times.p95],
    [0.99, times.p99],
    [1, times.max],
  ] as const) {
    const seconds = (ms ?? Number.NaN) / 1000;
    const holding = buckets.findIndex(({ value }) => value >= Math.ceil(count * share));
    const bound = (index: number) => Number(buckets[index]?.labels.le?.replace('+Inf', 'Infinity') ?? 0);
    expect(seconds).toBeLessThanOrEqual(bound(holding));
    expect(seconds).toBeGreaterThan(holding === 0 ? -1 : bound(holding - 1));
  }
}

/** Something of everything that is counted. */
async function causeWork({ ask, origin }: Pick<ServedRegistries, 'ask' | 'origin'>): Promise<void> {
  for (let round = 0; round < 3; round += 1) await ask('{ search { totalCount } }');
  await ask('{ search(query: "template", first: 7, timeoutMs: 200) { tookMs nodes { name } } }');
  await ask('{ search(require: ["broken"]) { totalCount } }');
  for (const name of ['one-00', 'one-01', 'two-00', 'one-00']) {
    await ask(`{ template(name: "${name}", registry: "${name.slice(0, 3)}") { title downloads } }`);
  }
  await ask('{ template(name: "x", registry: "broken") { title } }');
  await ask('{ search(after: "nonsense") { totalCount } }');
  await ask('{ nothing }');
  await ask('{ categories { name } }');
  await fetch(`${origin}/content/one/one-00/1.0.0`);
  await fetch(`${origin}/nowhere`);
}

async function serveWithBroken(options: Partial<Parameters<typeof serveRegistries>[0]> = {}) {
  const broken = await startFaultyRegistry({ mode: { status: 500 } });
  const entry = {
    name: 'broken',
    type: 'community',
    url: broken.url,
    retry: { attempts: 1, baseDelay: 1, maxDelay: 1 },
  };
  const served = await serveRegistries({ catalogs: CATALOGS, more: [entry], ...options });
  return {
    ...served,
    async [Symbol.asyncDispose]() {
      await served[Symbol.asyncDispose]();
      await broken.close();
    },
  };
}

describe('metrics', () => {
  it('are the same as fields and for Prometheus, for a caller who sees everything', async () => {
    await using served = await serveWithBroken();
    await causeWork(served);
    const fields = (await served.ask(`{ ${FIELDS} }`)).data as AskedFields;
    const families = await scrapeFamilies(served.origin);
    const { metrics } = fields.gateway;
    expect(metrics.searches).toBeGreaterThanOrEqual(4);
    expect(sumOf(families, 'marketplace_search_duration_seconds_count')).toBe(metrics.searches);
    expectSameTimes(families, 'marketplace_search_duration_seconds', {}, metrics.responseTime);
    expect(metrics.errors.map(({ name }) => name).toSorted()).toEqual([
      'BAD_CURSOR',
      'BAD_USER_INPUT',
      'REGISTRY_ERROR',
    ]);
    for (const { name, count } of metrics.errors) {
      expect(sumOf(families, 'marketplace_graphql_errors_total', { code: name })).toBe(count);
    }
    const failed = sumOf(families, 'marketplace_graphql_operations_total', { outcome: 'error' });
    // The operation that asked for the fields has been counted since.
    const operations = sumOf(families, 'marketplace_graphql_operations_total') - 1;
    expect(failed / operations).toBeCloseTo(metrics.errorRate, 12);
    for (const registry of ['one', 'two']) {
      const views = metrics.popularTemplates.filter(({ registryName }) => registryName === registry);
      expect(sumOf(families, 'marketplace_template_views_total', { registry })).toBe(
        views.reduce((sum, { views: count }) => sum + count, 0),
      );
    }
    expect(fields.registries.map(({ name }) => name).toSorted()).toEqual(['broken', 'one', 'two']);
    for (const { name, health, metrics: counted } of fields.registries) expectSameRegistry(name, health, counted);

    function expectSameRegistry(
      registry: string,
      health: AskedFields['registries'][number]['health'],
      counted: AskedFields['registries'][number]['metrics'],
    ) {
      const total = (family: string, labels: Record<string, string> = {}) =>
        sumOf(families, `marketplace_registry_${family}`, { registry, ...labels });
      const requests = total('requests_total');
      const good = ['ok', 'not_found', 'conflict', 'invalid', 'read_only'];
      const successes = good.reduce((sum, outcome) => sum + total('requests_total', { outcome }), 0);
      const hits = total('cache_lookups_total', { outcome: 'hit' });
      expect(requests).toBeGreaterThan(0);
      expect({
        requests,
        successRate: requests === 0 ? null : successes / requests,
        cacheHits: hits,
        cacheMisses: total('cache_lookups_total') - hits,
        authFailures:
          total('requests_total', { outcome: 'authentication' }) +
          total('requests_total', { outcome: 'authorization' }),
        rateLimitHits: total('requests_total', { outcome: 'rate_limit' }) + total('refusals_total'),
        timeouts: total('requests_total', { outcome: 'timeout' }),
        retries: total('retries_total'),
        circuitOpens: total('circuit_opens_total'),
        inFlight: total('requests_in_flight'),
        queued: total('requests_queued'),
      }).toEqual({ ...counted, responseTime: undefined, cacheHitRate: undefined });
      expectSameTimes(families, 'marketplace_registry_request_duration_seconds', { registry }, counted.responseTime);
      expect(total('health', { status: health.status })).toBe(1);
      expect(total('health')).toBe(1);
      for (const { operation, state } of health.circuits) expect(total('circuit_state', { operation, state })).toBe(1);
      expect(total('circuit_state')).toBe(health.circuits.length);
      expect(total('uptime_ratio')).toBe(health.uptime);
      expect(total('check_duration_seconds') * 1000).toBeCloseTo(health.latencyMs, 6);
    }
  });

  it('count answers over HTTP by endpoint and status', async () => {
    await using served = await serveWithBroken();
    await causeWork(served);
    await fetch(`${served.origin}/healthz`);
    await fetch(`${served.origin}/graphql`, { method: 'PUT' });
    const families = await scrapeFamilies(served.origin);
    const count = (endpoint: string, status: string) =>
      sumOf(families, 'marketplace_http_requests_total', { endpoint, status });
    expect([count('content', '200'), count('other', '404'), count('health', '200'), count('graphql', '405')]).toEqual([
      1, 1, 1, 1,
    ]);
    expect(count('graphql', '200')).toBe(13);
  });

  it('tell what is kept, and what was given from it', async () => {
    await using served = await serveRegistries({ catalogs: CATALOGS });
    // The first sighting of a request leaves a fingerprint, the answer to the second is kept.
    for (let round = 0; round < 5; round += 1)
      await served.ask('{ search(query: "template", first: 10) { totalCount } }');
    const families = await scrapeFamilies(served.origin);
    const count = (name: string, labels: Record<string, string>) => sumOf(families, `marketplace_${name}`, labels);
    expect(count('finished_answers_total', { outcome: 'hit' })).toBe(3);
    expect(count('finished_answers_total', { outcome: 'miss' })).toBe(2);
    expect(count('search_duration_seconds_count', {})).toBe(5);
    expect(count('cache_entries', { cache: 'finished' })).toBe(1);
    expect(count('cache_size_bytes', { cache: 'finished' })).toBeGreaterThan(100);
    expect(count('cache_entries', { cache: 'registries' })).toBeGreaterThan(1);
    expect(count('registry_cache_lookups_total', { registry: 'one', layer: 'search', outcome: 'hit' })).toBe(1);
  });

  it('call no registry, however they are read', async () => {
    await using served = await serveWithBroken();
    await causeWork(served);
    served.forgetArrivals();
    for (let reading = 0; reading < 20; reading += 1) {
      await served.ask(`{ ${FIELDS} }`);
      await scrape(served.origin);
    }
    expect(served.countArrivals()).toBe(0);
  });

  it('have as many lines as before, whatever clients send', async () => {
    await using served = await serveWithBroken();
    await causeWork(served);
    const countLines = async () => (await scrape(served.origin)).text.split('\n').length;
    await countLines();
    const before = await countLines();
    for (let index = 0; index < 60; index += 1) {
      await fetch(`${served.origin}/path-${index}?x=${index}`, { headers: { 'x-request-id': `id-${index}` } });
      await served.ask(`query Name${index} { template(name: "name-${index}") { title } unknown${index} }`);
      await served.ask(`{ template(name: "one-${String(index).padStart(2, '0')}", registry: "one") { title } }`);
      await served.ask(`{ search(query: "word${index}") { totalCount } }`);
    }
    expect(await countLines()).toBe(before);
  });
});

describe('/metrics', () => {
  it('is for everybody while no registry is restricted, in the format that Prometheus reads', async () => {
    await using served = await serveRegistries({ catalogs: CATALOGS });
    const { status, contentType, text } = await scrape(served.origin);
    expect([status, contentType]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(readExposition(text).size).toBeGreaterThan(15);
    expect((await fetch(`${served.origin}/metrics`, { method: 'POST' })).status).toBe(405);
  });

  it('is for the role admin where a registry is restricted, and tells an admin only of registries that they may see', async () => {
    await using served = await serveRegistries({
      catalogs: CATALOGS,
      settings: { two: { access: { roles: ['physicist'] } } },
      auth: {
        apiKeys: [keyOf('viewer', ['viewer']), keyOf('admin', ['admin']), keyOf('both', ['admin', 'physicist'])],
      },
    });
    expect((await scrape(served.origin)).status).toBe(401);
    expect((await scrape(served.origin, withKey('viewer'))).status).toBe(403);
    const admin = await scrape(served.origin, withKey('admin'));
    expect(admin.status).toBe(200);
    expect(admin.text).toContain('registry="one"');
    expect(admin.text).not.toContain('two');
    expect((await scrape(served.origin, withKey('both'))).text).toContain('registry="two"');
    const countKept = async (key: string) =>
      /cache_entries\{cache="registries"\} (\d+)/.exec((await scrape(served.origin, withKey(key))).text)?.[1];
    const before = await countKept('admin');
    await served.ask('{ template(name: "two-01", registry: "two") { title } }', {}, withKey('both').headers);
    expect(await countKept('admin')).toBe(before);
    expect(Number(await countKept('both'))).toBeGreaterThan(Number(before));
  });

  it('wants a key where anonymous callers are denied', async () => {
    await using served = await serveRegistries({
      catalogs: CATALOGS,
      auth: { anonymous: 'deny', apiKeys: [keyOf('viewer', ['viewer'])] },
    });
    expect((await scrape(served.origin)).status).toBe(401);
    expect((await scrape(served.origin, withKey('viewer'))).status).toBe(200);
  });

  it('is on server.admin alone where that is set, with everything for whoever reaches it', async () => {
    await using served = await serveRegistries({
      catalogs: CATALOGS,
      settings: { two: { access: { roles: ['physicist'] } } },
      server: { admin: '[::1]:0' },
      auth: { apiKeys: [keyOf('both', ['admin', 'physicist'])] },
    });
    expect((await scrape(served.origin, withKey('both'))).status).toBe(404);
    const origin = served.adminOrigin ?? '';
    expect(origin).toMatch(/^http:\/\/\[::1\]:\d+$/);
    const { status, text } = await scrape(origin);
    expect(status).toBe(200);
    expect(text).toContain('registry="one"');
    expect(text).toContain('registry="two"');
    const statusOf = async (path: string, init?: RequestInit) => (await fetch(origin + path, init)).status;
    expect([await statusOf('/healthz'), await statusOf('/readyz')]).toEqual([200, 200]);
    expect([await statusOf('/graphql'), await statusOf('/'), await statusOf('/content/one/one-00/1.0.0')]).toEqual([
      404, 404, 404,
    ]);
    expect(await statusOf('/metrics', { method: 'POST' })).toBe(405);
    served.gateway.startDraining();
    expect([await statusOf('/healthz'), await statusOf('/readyz')]).toEqual([200, 503]);
    expect(sumOf(await scrapeFamilies(origin), 'marketplace_ready')).toBe(0);
  });
});

describe('what is open and what is refused', () => {
  it('is counted and told, as a field and as a metric', async () => {
    await using served = await serveRegistries({ catalogs: CATALOGS });
    const read = async () => {
      const families = await scrapeFamilies(served.origin);
      const { data } = await served.ask('{ gateway { metrics { subscriptions } database { state } } }');
      const names = ['open_subscriptions', 'config_last_reload_successful', 'database_up'];
      return { data, metrics: names.map((name) => sumOf(families, `marketplace_${name}`)) };
    };
    const expected = (subscriptions: number) => ({
      gateway: { metrics: { subscriptions }, database: { state: 'UP' } },
    });
    expect(await read()).toEqual({ data: expected(0), metrics: [0, 1, 1] });
    using events = createSseClient(served.origin);
    using socket = createWsClient(served.origin);
    const streams = [events, socket].map((client) => client.iterate('subscription { registryHealth { name } }'));
    await Promise.all(streams.map((stream) => stream.next()));
    served.gateway.noteConfigState({ refusal: { atMs: 0, faults: [], withoutValues: [] }, needsRestart: [] });
    expect(await read()).toEqual({ data: expected(2), metrics: [2, 0, 1] });
    await Promise.all(streams.map((stream) => stream.return?.()));
    served.gateway.noteConfigState({ refusal: null, needsRestart: [] });
    await expect.poll(read).toEqual({ data: expected(0), metrics: [0, 1, 1] });
  });
});

describe('a gateway that goes over to another configuration', () => {
  it('goes on counting a registry that stays, and keeps metrics where they are', async () => {
    await using served = await serveRegistries({ catalogs: CATALOGS });
    await served.ask('{ search(query: "template", first: 10) { totalCount } }');
    await fetch(`${served.origin}/nowhere`);
    await served.reload({ admin: '127.0.0.1:0' });
    await served.ask('{ search(query: "other", first: 10) { totalCount } }');
    const families = await scrapeFamilies(served.origin);
    expect(sumOf(families, 'marketplace_search_duration_seconds_count')).toBe(2);
    expect(sumOf(families, 'marketplace_http_requests_total', { endpoint: 'other', status: '404' })).toBe(1);
    const lookups = { registry: 'one', layer: 'search' };
    expect(sumOf(families, 'marketplace_registry_cache_lookups_total', lookups)).toBe(2);
  });
});

describe('the metrics of a gateway', () => {
  const setting = { two: { access: { roles: ['physicist'] } } };
  const auth = { apiKeys: [keyOf('physicist', ['physicist'])] };
  const METRICS = `{ gateway { health { status registriesUp registriesTotal message } metrics {
    errorRate errors { name count } popularTemplates { name registryName views } } } }`;

  it('are, for a caller with a hidden registry, those of a gateway without that registry', async () => {
    await using without = await serveRegistries({ catalogs: { one: CATALOGS.one } });
    await using served = await serveRegistries({ catalogs: CATALOGS, settings: setting, auth });
    for (const { ask } of [without, served]) {
      await ask('{ search(query: "template") { totalCount } }');
      await ask('{ template(name: "one-00") { title } }');
    }
    const physicist = { authorization: 'Bearer physicist' };
    await served.registries[1]?.close();
    await served.ask('{ template(name: "two-09", registry: "two") { title } }', {}, physicist);
    for (let index = 0; index < 5; index += 1) {
      await served.ask(
        `{ template(name: "one-00", registry: "one") { name version${' '.repeat(index)} } }`,
        {},
        physicist,
      );
      await without.ask(`{ template(name: "one-00", registry: "one") { name version${' '.repeat(index)} } }`);
    }
    const [hidden, reference] = await Promise.all([served.ask(METRICS), without.ask(METRICS)]);
    expect(hidden.data).toEqual(reference.data);
    const { data } = await served.ask('{ gateway { metrics { errors { name } } } }', {}, physicist);
    expect(data).toEqual({ gateway: { metrics: { errors: [{ name: 'REGISTRY_ERROR' }] } } });
  });
});

describe('a gateway that runs', () => {
  /** As the log says it, which may come a little behind the line that the gateway answers. */
  const findAdminOrigin = ({ logLines }: RunningGateway): Promise<string> =>
    vi.waitFor(() => {
      const origins = logLines().map((line) => JSON.parse(line).origin);
      return z.string().parse(origins.find((origin) => origin !== undefined));
    }, PATIENT);

  it('tells of its process, its build and its event loop as well, in a text that promtool finds no fault with', async (context) => {
    await using registry = await startFaultyRegistry();
    await using gateway = await runGateway({
      server: { admin: '127.0.0.1:0', secret: '0123456789abcdef0123456789abcdef' },
      registries: [{ name: 'one', type: 'official', url: registry.url }],
    });
    const { text } = await scrape(await findAdminOrigin(gateway));
    const families = readExposition(text);
    expect(sumOf(families, 'process_resident_memory_bytes')).toBeGreaterThan(20e6);
    expect(sumOf(families, 'process_cpu_seconds_total')).toBeGreaterThan(0.01);
    expect(Math.abs(sumOf(families, 'process_start_time_seconds') - Date.now() / 1000)).toBeLessThan(60);
    expect(sumOf(families, 'nodejs_heap_size_used_bytes')).toBeGreaterThan(1e6);
    expect(sumOf(families, 'nodejs_eventloop_lag_p99_seconds')).toBeLessThan(5);
    expect(families.get('marketplace_build_info')?.samples[0]?.labels.node_version).toBe(process.version);
    const checked = spawnSync('promtool', ['check', 'metrics'], { input: text, encoding: 'utf8' });
    if (checked.error !== undefined) {
      console.log('skipped: promtool, which comes with Prometheus, is not on this machine');
      context.skip();
    }
    expect(checked.stdout + checked.stderr).toBe('');
    expect(checked.status).toBe(0);
  });

  it('says which address it cannot have for its metrics', async () => {
    await using registry = await startFaultyRegistry();
    const config = {
      server: { admin: `127.0.0.1:${registry.port}`, secret: '0123456789abcdef0123456789abcdef' },
      registries: [{ name: 'one', type: 'official', url: registry.url }],
    };
    await expect(runGateway(config)).rejects.toThrow(
      new RegExp(`server\\.admin must be an address that can be listened on .*127\\.0\\.0\\.1:${registry.port}`),
    );
  });
});

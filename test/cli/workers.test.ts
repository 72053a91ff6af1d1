/** Several processes of the gateway that serve at one address. */
import { writeFileSync } from 'node:fs';
import { Agent, request } from 'undici';
import { describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { parseConfigObject } from '../../src/config/load.ts';
import { shareLimits } from '../../src/live/share-limits.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { type RunningGateway, runGateway } from '../helpers/run-gateway.ts';

const KEY = {
  id: 'admin',
  sha256: '2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b',
  roles: ['admin'],
};

const configOf = (url: string, name = 'one') => ({
  server: { secret: '0123456789abcdef', search: { timeout: '20s' } },
  registries: [{ name, type: 'official', url, timeouts: { search: '20s', template: '20s' } }],
  auth: { apiKeys: [KEY] },
});

interface LogLine {
  readonly pid: number;
  readonly msg: string;
}

const linesOf = (gateway: RunningGateway): LogLine[] => gateway.logLines().map((line) => JSON.parse(line));

/** Asks over a connection of its own, so that the workers come in turn. */
async function askAnew(gateway: RunningGateway, query: string, headers: Record<string, string> = {}): Promise<unknown> {
  const agent = new Agent({ connections: 1 });
  try {
    const { body } = await request(`${gateway.origin}/graphql`, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'content-type': 'application/json', ...headers },
      body: JSON.stringify({ query }),
    });
    return await body.json();
  } finally {
    await agent.close();
  }
}

const TITLE = '{ search(first: 1) { nodes { title } } }';

describe('workers', () => {
  it('answer at one address, take changes of the file and invalidations together, and stop with 0', async () => {
    await using registry = await startFaultyRegistry({ rows: [{ name: 'a', version: '1', title: 'before' }] });
    await using gateway = await runGateway(configOf(registry.url), { MARKETPLACE_WORKERS: '3' });
    const askAll = (query: string) => Promise.all(Array.from({ length: 12 }, () => askAnew(gateway, query)));
    const before = { data: { search: { nodes: [{ title: 'before' }] } } };
    for (let round = 0; round < 3; round += 1)
      expect(new Set((await askAll(TITLE)).map((each) => JSON.stringify(each)))).toEqual(
        new Set([JSON.stringify(before)]),
      );
    registry.remove('a');
    registry.insert({ name: 'a', version: '1', title: 'after' });
    expect(await askAll(TITLE)).toEqual(Array.from({ length: 12 }, () => before));
    await askAnew(gateway, 'mutation { invalidateCache(input: {}) { removed } }', { 'x-api-key': 'secret' });
    // From its answer on nobody gives what was before.
    expect(await askAll(TITLE)).toEqual(
      Array.from({ length: 12 }, () => ({ data: { search: { nodes: [{ title: 'after' }] } } })),
    );

    writeFileSync(gateway.configPath, stringify(configOf(registry.url, 'renamed')));
    gateway.signal('SIGHUP');
    const inUse = () => linesOf(gateway).filter(({ msg }) => msg === 'another configuration is in use');
    await expect.poll(() => new Set(inUse().map(({ pid }) => pid)).size, { timeout: 15_000 }).toBe(3);
    const names = await askAll('{ registries { name } }');
    expect(names).toEqual(Array.from({ length: 12 }, () => ({ data: { registries: [{ name: 'renamed' }] } })));
    gateway.signal('SIGTERM');
    expect(await gateway.exitCode).toBe(0);
    expect(
      new Set(
        linesOf(gateway)
          .filter(({ msg }) => msg === 'stopping')
          .map(({ pid }) => pid),
      ).size,
    ).toBe(3);
  }, 60_000);

  it('are scraped as one: whichever is asked gives the numbers of all', async () => {
    await using registry = await startFaultyRegistry({ rows: [{ name: 'a', version: '1', title: 'one' }] });
    await using gateway = await runGateway(configOf(registry.url), { MARKETPLACE_WORKERS: '3' });
    for (let round = 0; round < 12; round += 1) {
      const answer = await askAnew(gateway, '{ search(first: 1) { totalCount } }');
      expect(answer).toEqual({ data: { search: { totalCount: 1 } } });
    }
    for (let round = 0; round < 3; round += 1) {
      const page = await (await fetch(`${gateway.origin}/metrics`, { headers: { connection: 'close' } })).text();
      const counts = [...page.matchAll(/^marketplace_search_duration_seconds_count\{worker="(\d+)"\} (\d+)$/gm)];
      expect(counts.map(([, worker]) => worker).sort()).toEqual(['1', '2', '3']);
      expect(counts.reduce((sum, [, , count]) => sum + Number(count), 0)).toBe(12);
      expect(page.match(/^# TYPE marketplace_search_duration_seconds /gm)).toHaveLength(1);
    }
  }, 60_000);

  it('are replaced when they die, while the others go on', async () => {
    await using registry = await startFaultyRegistry({ rows: [{ name: 'a', version: '1', title: 'one' }] });
    await using gateway = await runGateway(configOf(registry.url), { MARKETPLACE_WORKERS: '2' });
    writeFileSync(gateway.configPath, stringify(configOf(registry.url, 'renamed')));
    const pids = () => [...new Set(linesOf(gateway).map(({ pid }) => pid))].filter((pid) => pid !== gateway.pid);
    await expect.poll(() => pids().length, { timeout: 15_000 }).toBe(2);
    const [victim = 0] = pids();
    process.kill(victim, 'SIGKILL');
    await expect
      .poll(() => linesOf(gateway).map(({ msg }) => msg), { timeout: 15_000 })
      .toContain('a worker has ended; another takes its place');
    for (let round = 0; round < 5; round += 1) {
      expect(await askAnew(gateway, TITLE)).toEqual({ data: { search: { nodes: [{ title: 'one' }] } } });
    }
    gateway.signal('SIGHUP');
    await expect.poll(() => pids().length, { timeout: 15_000 }).toBe(3);
    gateway.signal('SIGTERM');
    expect(await gateway.exitCode).toBe(0);
  }, 60_000);

  it('say once what keeps them from starting', async () => {
    await using registry = await startFaultyRegistry();
    await using first = await runGateway(configOf(registry.url));
    const port = new URL(first.origin).port;
    const second = runGateway(configOf(registry.url), { MARKETPLACE_WORKERS: '3', PORT: port });
    const error = await second.then(
      () => 'it has started',
      (reason: unknown) => String(reason),
    );
    expect(error.match(/another program does/g)).toHaveLength(1);
    expect(error).toContain('ended with 1');
  });

  it('need a number that is one', async () => {
    const error = await runGateway(configOf('http://127.0.0.1:1'), { MARKETPLACE_WORKERS: 'many' }).catch(String);
    expect(error).toContain('ended with 2');
    expect(error).toContain('MARKETPLACE_WORKERS must be a whole number from 1 to 256, but "many" was given');
  });

  it('share the limit of a registry', () => {
    const rateLimit = { requestsPerSecond: 50, burst: 100, concurrent: 3, maxQueue: 200 };
    const config = parseConfigObject({
      server: { secret: '0123456789abcdef' },
      registries: [
        { name: 'one', type: 'official', url: 'http://127.0.0.1:1', rateLimit },
        { name: 'two', type: 'official', url: 'http://127.0.0.1:1', rateLimit: 'off' },
      ],
    });
    expect(shareLimits(config, 4).registries.map((registry) => registry.rateLimit)).toEqual([
      { requestsPerSecond: 12.5, burst: 25, concurrent: 1, maxQueue: 50 },
      null,
    ]);
    expect(shareLimits(config, 1)).toEqual(config);
  });
});

/** `marketplace cache warm`, over registries on loopback and a data directory of its own. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createRegistry, type Registry } from '../../registry/registry.ts';
import type { Host } from '../../src/cli/host.ts';
import { runProgram } from '../../src/cli/program.ts';
import { loadConfig } from '../../src/config/load.ts';
import { createGateway } from '../../src/gateway.ts';
import { listen } from '../../src/server/listen.ts';
import { CacheFolder } from '../cache/answers.ts';
import { createAsk } from '../server/ask.ts';
import { wireTemplates } from '../server/serve-registries.ts';

const SEARCH =
  'query ($query: String) { search(query: $query, first: 10) { nodes { name } registries { outcome cache registry { name } } } }';
const TEMPLATE = '{ template(name: "a-01") { name } }';
/** So that the gateway's own lifetimes count. */
const CACHE_CONTROL = 'public, max-age=604800';
/** Nobody listens there. */
const NOWHERE = 'http://127.0.0.1:1';

afterEach(() => {
  vi.useRealTimers();
});

interface Run {
  readonly code: number;
  readonly lines: string[];
  readonly errors: string[];
}

/** Two registries of one namespace, and a folder with the configuration and the data of a gateway over them. */
async function setUp(
  options: { readonly urlOfSecond?: string; readonly server?: string; readonly auth?: string } = {},
) {
  const stack = new AsyncDisposableStack();
  const folder = stack.use(new CacheFolder());
  const registries: readonly Registry[] = [
    stack.use(createRegistry({ templates: wireTemplates('a', 30), cacheControl: CACHE_CONTROL })),
    stack.use(createRegistry({ templates: wireTemplates('b', 30), cacheControl: CACHE_CONTROL })),
  ];
  const [first, second] = await Promise.all(registries.map((registry) => registry.listen()));
  const config = join(folder.path, 'marketplace.yaml');
  writeFileSync(
    config,
    `server: { secret: "for tests alone: 0123456789abcdef"${options.server ?? ''} }
registries:
  - { name: first, type: official, url: "${first}", retry: { attempts: 0 } }
  - { name: second, type: official, url: "${options.urlOfSecond ?? second}", retry: { attempts: 0 } }
${options.auth ?? ''}
`,
  );
  const environment = { MARKETPLACE_CONFIG: config, MARKETPLACE_DATA: folder.path, LOG_LEVEL: 'silent' };
  return {
    registries,
    environment,
    run: (given: readonly string[], changed: Record<string, string> = {}) =>
      run(['cache', 'warm', ...given], { ...environment, ...changed }),
    async openGateway() {
      const gateway = await createGateway(loadConfig({ path: config, environment }), {
        log: pino({ level: 'silent' }),
      });
      const { origin, close } = await listen({ host: '127.0.0.1', port: 0, handle: gateway.handle });
      return {
        origin,
        ask: createAsk(origin),
        async [Symbol.asyncDispose]() {
          await close(1_000);
          await gateway.close();
        },
      };
    },
    /** Requests but those for health. */
    countArrivals: () =>
      registries.reduce(
        (sum, { requests }) => sum + requests.filter(({ path }) => !path.endsWith('/health')).length,
        0,
      ),
    forgetArrivals: () => {
      for (const registry of registries) registry.clearRequests();
    },
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function run(given: readonly string[], environment: Record<string, string>): Promise<Run> {
  const lines: string[] = [];
  const errors: string[] = [];
  const host: Host = {
    environment,
    printLine: (line) => void lines.push(line),
    printErrorLine: (line) => void errors.push(line),
    onStop: () => undefined,
    onReload: () => undefined,
  };
  return { code: await runProgram(given, host), lines, errors };
}

describe('marketplace cache warm', () => {
  it('fetches names, categories and the given searches, which a gateway that starts then finds', async () => {
    await using setting = await setUp();
    const { code, lines, errors } = await setting.run(['template']);
    expect([code, errors]).toEqual([0, []]);
    expect(lines).toHaveLength(3);
    expect(lines[0]).toMatch(/^first {3}\d+ fetched, 0 already fresh, 0 failed$/);
    expect(lines[2]).toMatch(/^In all \d+ fetched, 0 already fresh, 0 failed, for 1 searches and 0 templates\.$/);
    setting.forgetArrivals();
    await using gateway = await setting.openGateway();
    const { data } = await gateway.ask(SEARCH, { query: 'template' });
    expect(data).toMatchObject({ search: { registries: [{ cache: 'HIT' }, { cache: 'HIT' }] } });
    expect((await gateway.ask('{ categories { name } }')).data).toMatchObject({ categories: [{ name: 'ml' }] });
    expect(setting.countArrivals()).toBe(0);
  });

  it('says what was fresh already, as JSON for scripts', async () => {
    await using setting = await setUp();
    await setting.run(['template']);
    setting.forgetArrivals();
    const { code, lines } = await setting.run(['--format', 'json', 'template']);
    expect(code).toBe(0);
    const [first, second] = ['first', 'second'].map((name) => {
      return { name, fetched: 0, fresh: expect.any(Number), failed: 0, reasons: [] };
    });
    expect(JSON.parse(lines.join('\n'))).toEqual({
      ...{ registries: [first, second], fetched: 0, fresh: expect.any(Number), failed: 0 },
      ...{ searches: 1, templates: 0 },
    });
    expect(setting.countArrivals()).toBe(0);
  });

  it('fetches what clients ask most once it has expired, and the names of two hours ago not again', async () => {
    await using setting = await setUp();
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() });
    await setting.run([]);
    {
      await using gateway = await setting.openGateway();
      for (let time = 0; time < 3; time += 1) {
        vi.setSystemTime(Date.now() + 1_000);
        await gateway.ask(SEARCH, { query: 'template' });
        await gateway.ask(TEMPLATE);
      }
    }
    vi.setSystemTime(Date.now() + 2 * 60 * 60_000);
    setting.forgetArrivals();
    const { code, lines } = await setting.run(['--format', 'json']);
    expect(code).toBe(0);
    expect(JSON.parse(lines.join('\n'))).toMatchObject({ failed: 0, searches: 1, templates: 1 });
    const [first] = setting.registries;
    const arrived = first?.requests ?? [];
    expect(arrived.some(({ path }) => path === '/api/v1/templates/a-01')).toBe(true);
    expect(arrived.filter(({ path }) => path === '/api/v1/search').map(({ query }) => query.get('limit'))).toEqual([
      // The first window of a search; the list of names would ask for 50.
      '16',
    ]);
    first?.clearRequests();
    await using gateway = await setting.openGateway();
    const { data } = await gateway.ask(SEARCH, { query: 'template' });
    expect(data).toMatchObject({ search: { registries: [{ cache: 'HIT' }, { cache: 'HIT' }] } });
    expect((await gateway.ask(TEMPLATE)).data).toEqual({ template: { name: 'a-01' } });
    expect(first?.requests.filter(({ path }) => !path.endsWith('/health'))).toEqual([]);
  });

  it('names the registry that is unavailable and why, warms the others, and ends with 5', async () => {
    await using setting = await setUp({ urlOfSecond: NOWHERE });
    const { code, lines } = await setting.run(['template']);
    expect(code).toBe(5);
    expect(lines[0]).toMatch(/0 failed$/);
    expect(lines[1]).toMatch(/^second {2}0 fetched, 0 already fresh, [1-9]\d* failed \(CONNECTION.*\)$/);
  });

  it('has a gateway that runs fetch them, named by an option or by the environment', async () => {
    await using setting = await setUp({ server: ', cache: { warm: off }' });
    await using gateway = await setting.openGateway();
    const { code, lines } = await setting.run(['--gateway', gateway.origin, 'template']);
    expect([code, lines.length]).toEqual([0, 3]);
    expect(lines[0]).toMatch(/^first {3}1 fetched/);
    setting.forgetArrivals();
    const again = await setting.run(['--format', 'json', 'template'], { MARKETPLACE_GATEWAY: `${gateway.origin}/` });
    expect(JSON.parse(again.lines.join('\n'))).toMatchObject({ fetched: 0, fresh: 2, searches: 1 });
    expect(setting.countArrivals()).toBe(0);
  });

  it('shows a gateway that answers nobody else the key in the environment', async () => {
    const key = 'a-key-for-tests-alone';
    const entry = `{ id: warmer, sha256: ${createHash('sha256').update(key).digest('hex')} }`;
    await using setting = await setUp({
      server: ', cache: { warm: off }',
      auth: `auth: { anonymous: deny, apiKeys: [${entry}] }`,
    });
    await using gateway = await setting.openGateway();
    const warm = (changed: Record<string, string>) => setting.run(['--gateway', gateway.origin, 'template'], changed);
    expect(await warm({})).toMatchObject({ code: 1, errors: [expect.stringContaining('MARKETPLACE_API_KEY')] });
    const refused = await warm({ MARKETPLACE_API_KEY: 'another-key' });
    expect(refused).toMatchObject({ code: 1, errors: [expect.stringContaining('refuses the key')] });
    const malformed = await warm({ MARKETPLACE_API_KEY: 'a key\nand more' });
    expect(malformed).toMatchObject({ code: 1, errors: [expect.stringContaining('no space or line break')] });
    expect(setting.countArrivals()).toBe(0);
    const { code, lines, errors } = await warm({ MARKETPLACE_API_KEY: key });
    expect([code, errors, lines.length]).toEqual([0, [], 3]);
    expect(setting.countArrivals()).toBeGreaterThan(0);
  });

  it.each([
    ['without a configuration says that there is nothing but the demo', [], { MARKETPLACE_CONFIG: '' }, 2, 'the demo'],
    ['takes no format that it does not have', ['--format', 'xml'], {}, 2, 'xml'],
    ['takes no query that no gateway takes', ['x'.repeat(201)], {}, 2, '200 characters'],
    ['refuses what is no address', ['--gateway', 'nonsense'], {}, 1, 'http or https URL'],
    ['says when no gateway answers there', ['--gateway', NOWHERE], {}, 1, 'cannot be reached'],
  ])('%s', async (_promise, given, environment, code, message) => {
    await using setting = await setUp();
    const ended = await setting.run(given, environment);
    expect([ended.code, ended.lines]).toEqual([code, []]);
    expect(ended.errors.join('\n')).toContain(message);
    expect(setting.countArrivals()).toBe(0);
  });

  it('says that nothing would be left where no disk is to be used', async () => {
    await using setting = await setUp({ server: ', cache: { disk: off }' });
    const { code, errors } = await setting.run([]);
    expect(code).toBe(2);
    expect(errors.join('\n')).toContain('server.cache.disk is off');
  });
});

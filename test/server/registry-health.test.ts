import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { serveChanging } from '../live/serve-changing.ts';
import { collect, createSseClient, createWsClient, type LiveResult } from './live-clients.ts';
import { serveRegistries, wireTemplates } from './serve-registries.ts';

const HEALTH = `subscription Health($registries: [String!]) {
  registryHealth(registries: $registries) { name priority health { status circuit message } }
}`;
const KEY = 'k-4711';

interface Told {
  readonly name: string;
  readonly priority: number;
  readonly health: { readonly status: string; readonly circuit: string; readonly message: string | null };
}

function toldBy(result: IteratorResult<LiveResult>): Told {
  expect(result.value?.errors).toBeUndefined();
  const data: { registryHealth: Told } = result.value?.data;
  return data.registryHealth;
}

/** Reads on until an event says it; gives all that were read. */
async function readUntil(events: AsyncIterator<LiveResult>, isSo: (told: Told) => boolean): Promise<Told[]> {
  for (const read: Told[] = []; ; ) {
    const told = toldBy(await events.next());
    read.push(told);
    if (isSo(told)) return read;
  }
}

const is = (name: string, status: string) => (told: Told) => told.name === name && told.health.status === status;

describe.each([
  ['graphql-sse', createSseClient],
  ['graphql-ws', createWsClient],
] as const)('registryHealth over %s', (_, createClient) => {
  it('tells of every registry at once, then of each change of one', async () => {
    await using faulty = await startFaultyRegistry();
    await using served = await serveRegistries({
      catalogs: { steady: wireTemplates('steady', 2) },
      more: [{ name: 'faulty', type: 'official', url: faulty.url, health: { interval: '20ms' } }],
    });
    using client = createClient(served.origin);
    const events = client.iterate(HEALTH);
    const first = [toldBy(await events.next()), toldBy(await events.next())];
    expect(first.map(({ name, priority }) => [name, priority])).toEqual([
      ['steady', 1],
      ['faulty', 2],
    ]);
    if (!first.some(is('faulty', 'UP'))) await readUntil(events, is('faulty', 'UP'));
    await faulty.setMode({ status: 500 });
    const down = await readUntil(events, is('faulty', 'DOWN'));
    expect(down.at(-1)?.health.message).toContain('The registry "faulty" failed with an error of its own.');
    await faulty.setMode('ok');
    await readUntil(events, is('faulty', 'UP'));
  });

  it('tells when a circuit opens', async () => {
    await using faulty = await startFaultyRegistry();
    await using served = await serveRegistries({
      catalogs: {},
      more: [
        {
          ...{ name: 'faulty', type: 'official', url: faulty.url, health: { interval: '1h' }, retry: { attempts: 0 } },
          circuit: { volumeThreshold: 1 },
        },
      ],
    });
    using client = createClient(served.origin);
    const events = client.iterate(HEALTH);
    expect(toldBy(await events.next()).health.circuit).toBe('CLOSED');
    await faulty.setMode({ status: 500 }, (path) => path.endsWith('/search'));
    await served.ask('{ search(query: "one") { totalCount } }');
    const told = await readUntil(events, ({ health }) => health.circuit !== 'CLOSED');
    expect(told.at(-1)?.health.circuit).toBe('OPEN');
  });

  it('tells of those that were asked for, and of none that the caller may not see', async () => {
    await using served = await serveRegistries({
      catalogs: { alpha: wireTemplates('a', 1), beta: wireTemplates('b', 1), hidden: wireTemplates('h', 1) },
      settings: { hidden: { access: { roles: ['insider'] } } },
      auth: {
        apiKeys: [{ id: 'insider', sha256: createHash('sha256').update(KEY).digest('hex'), roles: ['insider'] }],
      },
    });
    using outsider = createClient(served.origin);
    using insider = createClient(served.origin, { 'x-api-key': KEY });
    const asked = insider.iterate(HEALTH, { registries: ['hidden', 'beta', 'hidden'] });
    expect([toldBy(await asked.next()).name, toldBy(await asked.next()).name]).toEqual(['hidden', 'beta']);
    for (const [given, message] of [
      [['hiddn'], 'List them with the field "registries".'],
      [['hidden'], 'List them with the field "registries".'],
      [['alpha', 'betta'], 'Did you mean "beta"'],
      [[], 'at least one value'],
    ] as const) {
      const results = await collect(outsider.iterate(HEALTH, { registries: given }));
      expect(results).toHaveLength(1);
      expect(results[0]?.errors?.[0]?.extensions).toEqual({ code: 'BAD_USER_INPUT', field: 'registries' });
      expect(results[0]?.errors?.[0]?.message).toContain(message);
    }
    const all = outsider.iterate(HEALTH);
    expect([toldBy(await all.next()).name, toldBy(await all.next()).name]).toEqual(['alpha', 'beta']);
  });
});

describe('another configuration', () => {
  it('takes over who watches health: both clients come back by themselves and see what there is now', async () => {
    await using one = await startFaultyRegistry();
    await using two = await startFaultyRegistry();
    await using served = await serveChanging([{ name: 'one', url: one.url }]);
    const closed: unknown[] = [];
    using events = createSseClient(served.origin, {}, { comesBack: true });
    using sockets = createWsClient(served.origin, {}, { comesBack: true, onClosed: (...how) => void closed.push(how) });
    const streams = [events.iterate(HEALTH), sockets.iterate(HEALTH)];
    for (const stream of streams) expect(toldBy(await stream.next()).name).toBe('one');
    expect(served.gateway.countSubscriptions()).toBe(2);
    await served.reload([
      { name: 'two', url: two.url },
      { name: 'one', url: one.url },
    ]);
    for (const stream of streams) await readUntil(stream, ({ name, priority }) => name === 'two' && priority === 1);
    expect(closed).toEqual([[1012, 'the gateway has another configuration now']]);
    expect(served.gateway.countSubscriptions()).toBe(2);
  });
});

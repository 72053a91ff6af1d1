import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { Unauthenticated } from '../../src/access/errors.ts';
import type { VisibleRegistry } from '../../src/federation/answers.ts';
import { EventStream } from '../../src/federation/event-stream.ts';
import { createFixtureView } from './fixture-view.ts';
import { createSseClient, createWsClient, type LiveResult } from './live-clients.ts';
import { type ServedLive, serveLive } from './serve-live.ts';

const HEALTH = 'subscription { registryHealth { name } }';
const GOODBYE = 'The stream was ended because the gateway is stopping. Subscribe again.';
const BOTH = [
  ['graphql-sse', createSseClient],
  ['graphql-ws', createWsClient],
] as const;
const [OFFICIAL] = createFixtureView().registries;

/** The health of registries as the test tells it, to whoever listens. */
function createHealth() {
  const streams = new Set<EventStream<VisibleRegistry>>();
  return {
    streams,
    watchHealth: () => {
      const stream = new EventStream<VisibleRegistry>(() => void streams.delete(stream));
      streams.add(stream);
      if (OFFICIAL !== undefined) stream.put('official', OFFICIAL);
      return stream;
    },
    tell: (key: string) => {
      for (const stream of streams) if (OFFICIAL !== undefined) stream.put(key, OFFICIAL);
    },
  };
}

/** Resolves when it is so; everything here that changes, changes by messages. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await new Promise((resolve) => setImmediate(resolve));
}

describe.each(BOTH)('subscriptions over %s', (_, createClient) => {
  it('leave nothing behind when their clients come and leave, by word or without one', async () => {
    const health = createHealth();
    await using served = await serveLive({ view: health });
    for (let round = 0; round < 3; round += 1) {
      const clients = Array.from({ length: 20 }, () => createClient(served.origin));
      const streams = clients.map((client) => client.iterate(HEALTH));
      await Promise.all(streams.map((stream) => stream.next()));
      expect([health.streams.size, served.live.countOpen()]).toEqual([20, 20]);
      await Promise.all(streams.slice(0, 10).map((stream) => stream.return?.()));
      for (const client of clients) client[Symbol.dispose]();
      await until(() => health.streams.size === 0 && served.live.countOpen() === 0);
    }
    expect(served.counted).toHaveLength(60);
    expect(served.counted.flat()).toEqual([]);
    expect(served.logLines.filter(({ level }) => Number(level) > 20)).toEqual([]);
  });

  it('are as many of one caller as the configuration says, and a place that is left is free again', async () => {
    const health = createHealth();
    await using served = await serveLive({ view: health, limits: { subscriptions: 2 } });
    using client = createClient(served.origin);
    const open = [client.iterate(HEALTH), client.iterate(HEALTH)];
    for (const stream of open) await stream.next();
    const refused = await client
      .iterate(HEALTH)
      .next()
      .catch((error: unknown) => error);
    expect(describeRefusal(refused)).toBe('RATE_LIMITED');
    expect(health.streams.size).toBe(2);
    await open[0]?.return?.();
    await until(() => served.live.countOpen() === 1);
    expect((await client.iterate(HEALTH).next()).value).toEqual({ data: { registryHealth: { name: 'official' } } });
  });

  it('give a client that reads every change in turn', async () => {
    const health = createHealth();
    await using served = await serveLive({ view: health });
    using client = createClient(served.origin);
    const stream = client.iterate(HEALTH);
    for (let event = 0; event < 20; event += 1) {
      expect((await stream.next()).value).toEqual({ data: { registryHealth: { name: 'official' } } });
      await until(() => health.streams.size === 1);
      health.tell('official');
    }
  });
});

/** Opens a WebSocket and says nothing; gives the status where it was refused. */
function tryOpen({ origin }: ServedLive): Promise<WebSocket | number | undefined> {
  const socket = new WebSocket(`${origin.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
  socket.on('error', () => undefined);
  return new Promise((resolve) => {
    socket.once('open', () => resolve(socket));
    socket.once('unexpected-response', (_, response) => {
      resolve(response.statusCode);
      response.destroy();
    });
  });
}

/** Says who it is, then subscribes. */
function subscribe(socket: WebSocket, query: string): void {
  socket.once('open', () => socket.send('{"type":"connection_init"}'));
  socket.once('message', () => socket.send(JSON.stringify({ id: '1', type: 'subscribe', payload: { query } })));
}

/** Of a subscription that was refused: over events by the status of HTTP, over a socket by a message. */
function describeRefusal(refused: unknown): unknown {
  if (Array.isArray(refused)) return (refused as LiveResult['errors'])?.[0]?.extensions?.code;
  const response = refused instanceof Error && 'response' in refused ? refused.response : null;
  return response instanceof Response && response.status === 429 && response.headers.get('retry-after') === '1'
    ? 'RATE_LIMITED'
    : refused;
}

describe('WebSockets', () => {
  it('are as many of one caller as the configuration says: one more is closed with 4429 and the reason', async () => {
    await using served = await serveLive({ view: createHealth(), limits: { subscriptions: 1 } });
    using client = createWsClient(served.origin);
    await client.iterate(HEALTH).next();
    const socket = new WebSocket(`${served.origin.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    socket.on('open', () => socket.send('{"type":"connection_init"}'));
    const [code, reason] = await once(socket, 'close');
    expect([code, String(reason)]).toEqual([
      4429,
      'A caller may have 1 WebSockets open at one time, and has as many. End some of them first.',
    ]);
  });

  it('of one address that do not say whose they are, are as many: one more is refused, until one of them leaves', async () => {
    await using served = await serveLive({ limits: { subscriptions: 1 } });
    const first = await tryOpen(served);
    expect(first).toBeInstanceOf(WebSocket);
    expect(await tryOpen(served)).toBe(429);
    if (first instanceof WebSocket) first.close();
    // The gateway hears of it a moment later.
    let last = await tryOpen(served);
    while (last === 429) last = await tryOpen(served);
    expect(last).toBeInstanceOf(WebSocket);
    if (last instanceof WebSocket) last.close();
  });

  it('that answer no ping are cut off', async () => {
    const health = createHealth();
    await using served = await serveLive({ view: health, times: { ping: 30 } });
    const socket = new WebSocket(`${served.origin.replace('http', 'ws')}/graphql`, 'graphql-transport-ws', {
      autoPong: false,
    });
    subscribe(socket, HEALTH);
    const [code] = await once(socket, 'close');
    expect(code).toBe(1006);
    await until(() => health.streams.size === 0);
  });

  it('that answer stay', async () => {
    const health = createHealth();
    await using served = await serveLive({ view: health, times: { ping: 5 } });
    const socket = new WebSocket(`${served.origin.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    socket.on('open', () => socket.send('{"type":"connection_init"}'));
    for (let ping = 0; ping < 5; ping += 1) await once(socket, 'ping');
    expect(socket.readyState).toBe(WebSocket.OPEN);
    socket.close();
    await once(socket, 'close');
  });
});

/** An answer of a few megabytes, more than the buffers of two sockets hold. */
const LARGE = `subscription { searchProgress(first: 100) { nodes { ${Array.from({ length: 8 }, (_, index) => `a${index}: documentation`).join(' ')} } } }`;

const POST_LARGE = [
  'POST /graphql/stream HTTP/1.1',
  ...['Host: a', 'Content-Type: application/json', `Content-Length: ${JSON.stringify({ query: LARGE }).length}`],
  ...['', JSON.stringify({ query: LARGE })],
].join('\r\n');

/** A view whose searches bring one large event after the other, until they are left. */
function createFlood() {
  const flood = { made: 0, isLeft: false };
  const template = { documentation: 'x'.repeat(100_000) };
  async function* search() {
    try {
      for (;;) {
        flood.made += 1;
        await new Promise((resolve) => setImmediate(resolve));
        const nodes = Array.from({ length: 3 }, () => template);
        yield { report: null, nodes, answered: 0, expected: 1, result: null };
      }
    } finally {
      flood.isLeft = true;
    }
  }
  return { flood, view: { searchProgressively: search } as unknown as Parameters<typeof createFixtureView>[0] };
}

/** Begins a request and reads nothing of what comes. */
async function sendAndSleep(served: ServedLive, request: string): Promise<Socket> {
  const { port, hostname } = new URL(served.origin);
  const socket = connect({ port: Number(port), host: hostname });
  socket.pause();
  await once(socket, 'connect');
  socket.write(request);
  return socket;
}

describe('a client that does not read', () => {
  it('holds up its own stream of events, and is cut off with a reason', async () => {
    const { flood, view } = createFlood();
    await using served = await serveLive({ ...(view && { view }), times: { patience: 200 } });
    const socket = await sendAndSleep(served, POST_LARGE);
    await until(() => flood.isLeft);
    // 2.4 MB each: what the system's buffers took, one on its way and one that was made meanwhile.
    expect(flood.made).toBeLessThan(10);
    expect(served.counted).toEqual([['STREAM_ENDED']]);
    expect(served.live.countOpen()).toBe(0);
    let text = '';
    socket.on('data', (chunk) => {
      text = (text + chunk).slice(-1000);
    });
    socket.resume();
    await until(() => text.includes('event: complete'));
    expect(text).toContain('because this client reads too slowly. Subscribe again.');
    socket.destroy();
  });

  it('does not get its goodbye either, and its connection is cut', async () => {
    const { flood, view } = createFlood();
    await using served = await serveLive({ ...(view && { view }), times: { patience: 100, goodbye: 20 } });
    const socket = await sendAndSleep(served, POST_LARGE);
    await until(() => flood.isLeft);
    await until(() => served.connections() === 0);
    socket.destroy();
  });

  it('of a WebSocket is closed with 1013 and the reason', async () => {
    const { flood, view } = createFlood();
    await using served = await serveLive({ ...(view && { view }), times: { patience: 200, goodbye: 10_000 } });
    const socket = new WebSocket(`${served.origin.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    subscribe(socket, LARGE);
    await once(socket, 'message');
    socket.pause();
    await until(() => served.logLines.some(({ msg }) => String(msg).endsWith('because its client reads too slowly')));
    expect(flood.made).toBeLessThan(10);
    socket.resume();
    const [code, reason] = await once(socket, 'close');
    expect([code, String(reason)]).toEqual([1013, 'this client reads too slowly']);
  });
});

describe('a caller whose token expires', () => {
  it('is told so and listens no longer', async () => {
    let isExpired = false;
    const health = createHealth();
    await using served = await serveLive({
      ...{ view: health, times: { recheck: 10 } },
      authenticate: async () => {
        if (isExpired) throw new Unauthenticated('The token has expired. Get another one.', 'EXPIRED');
        return { authenticated: true, subject: 'somebody', roles: [], groups: [] };
      },
    });
    using events = createSseClient(served.origin);
    const closed: unknown[] = [];
    using sockets = createWsClient(served.origin, {}, { onClosed: (...how) => void closed.push(how) });
    const [overEvents, overSocket] = [events.iterate(HEALTH), sockets.iterate(HEALTH)];
    await Promise.all([overEvents.next(), overSocket.next()]);
    const left = overSocket.next().catch((error: unknown) => error);
    isExpired = true;
    expect((await overEvents.next()).value).toMatchObject({ errors: [{ extensions: { code: 'UNAUTHENTICATED' } }] });
    expect((await overEvents.next()).done).toBe(true);
    await left;
    expect(closed).toEqual([[4403, 'The token has expired. Get another one.']]);
    await until(() => health.streams.size === 0 && served.live.countOpen() === 0);
  });
});

describe('a gateway that stops', () => {
  it('says goodbye to whoever listens, and takes nothing more', async () => {
    const health = createHealth();
    await using served = await serveLive({ view: health });
    using events = createSseClient(served.origin);
    const closed: unknown[] = [];
    using sockets = createWsClient(served.origin, {}, { onClosed: (...how) => void closed.push(how) });
    const overEvents = events.iterate(HEALTH);
    const overSocket = sockets.iterate(HEALTH);
    await Promise.all([overEvents.next(), overSocket.next()]);
    const last = overSocket.next().catch((error: unknown) => error);
    served.live.startDraining();
    expect((await overEvents.next()).value).toMatchObject({
      errors: [{ message: GOODBYE, extensions: { code: 'STREAM_ENDED' } }],
    });
    expect((await overEvents.next()).done).toBe(true);
    await last;
    expect(closed).toEqual([[1001, 'the gateway is stopping']]);
    await until(() => health.streams.size === 0 && served.live.countOpen() === 0);
    const refused = await fetch(`${served.origin}/graphql/stream?query=${encodeURIComponent(HEALTH)}`);
    expect([refused.status, refused.headers.get('retry-after')]).toEqual([503, '1']);
    const socket = new WebSocket(`${served.origin.replace('http', 'ws')}/graphql`, 'graphql-transport-ws');
    socket.on('error', () => undefined);
    const [, response] = await once(socket, 'unexpected-response');
    expect(response.statusCode).toBe(503);
    response.destroy();
  });

  it('lets a search that is under way come to its end, then closes its socket', async () => {
    const gate = Promise.withResolvers<void>();
    async function* search() {
      yield { report: null, nodes: [], answered: 1, expected: 2, result: null };
      await gate.promise;
      yield { report: null, nodes: [], answered: 2, expected: 2, result: null };
    }
    await using served = await serveLive({ view: { searchProgressively: search } });
    const query = 'subscription { searchProgress { answered } }';
    using events = createSseClient(served.origin);
    const closed = Promise.withResolvers<unknown>();
    using sockets = createWsClient(served.origin, {}, { onClosed: (...how) => closed.resolve(how) });
    const streams = [events.iterate(query), sockets.iterate(query)];
    for (const stream of streams) await stream.next();
    served.live.startDraining();
    const rest = streams.map(async (stream) => [(await stream.next()).value, (await stream.next()).done]);
    gate.resolve();
    expect(await Promise.all(rest)).toEqual([
      [{ data: { searchProgress: { answered: 2 } } }, true],
      [{ data: { searchProgress: { answered: 2 } } }, true],
    ]);
    expect(await closed.promise).toEqual([1001, 'the gateway is stopping']);
  });

  it('waits no longer for it than it may', async () => {
    async function* search() {
      yield { report: null, nodes: [], answered: 1, expected: 2, result: null };
      await new Promise(() => undefined);
    }
    await using served = await serveLive({ view: { searchProgressively: search }, times: { finish: 50 } });
    const query = 'subscription { searchProgress { answered } }';
    const closed: unknown[] = [];
    using sockets = createWsClient(served.origin, {}, { onClosed: (...how) => void closed.push(how) });
    const stream = sockets.iterate(query);
    await stream.next();
    served.live.startDraining();
    await stream.next().catch((error: unknown) => error);
    expect(closed).toEqual([[1001, 'the gateway is stopping']]);
  });
});

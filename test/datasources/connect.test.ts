import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect, type Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openRegistries } from '../../datasources/registries.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { createTestAuthority } from '../helpers/faulty-registry-certificates.ts';
import { configureRegistry, type RegistryConfigOverrides } from '../helpers/faulty-registry-config.ts';
import { failureOf, openFaultySource } from '../helpers/faulty-registry-source.ts';
import { BROWSE } from '../helpers/row-request.ts';

async function searchOnce(url: string, overrides: RegistryConfigOverrides) {
  const opened = openRegistries([configureRegistry(url, overrides)]);
  try {
    const [source] = opened.sources;
    return await source?.searchRows(BROWSE, { deadlineMs: performance.now() + 3_000 });
  } finally {
    await opened.close();
  }
}

/** A proxy of few lines that counts what is asked of it. */
async function startProxy() {
  const tunnels: string[] = [];
  const authorizations: (string | undefined)[] = [];
  const sockets = new Set<Socket>();
  const server: Server = createServer();
  server.on('connection', (socket) => sockets.add(socket));
  server.on('connect', (request, client: Socket, head) => {
    tunnels.push(request.url ?? '');
    authorizations.push(request.headers['proxy-authorization']);
    const port = Number(request.url?.split(':')[1]);
    const upstream = connect(port, '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connection established\r\n\r\n');
      upstream.write(head);
      upstream.pipe(client).pipe(upstream);
    });
    sockets.add(upstream);
    for (const socket of [upstream, client]) socket.on('error', () => socket.destroy());
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    address: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    tunnels,
    authorizations,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('a registry behind a proxy', () => {
  const authority = createTestAuthority();
  const tls = { ca: authority.ca, cert: null, key: null, servername: 'registry.test' };

  it('is reached through a tunnel, by its name, and its certificate is checked end to end', async () => {
    await using proxy = await startProxy();
    await using registry = await startFaultyRegistry({ tls: { authority }, rows: [{ name: 'a', version: '1' }] });
    const url = `https://registry.test:${registry.port}`;
    const answer = await searchOnce(url, { tls, proxy: `http://user:pass@${proxy.address}` });
    expect(answer?.value.rows).toHaveLength(1);
    expect(new Set(proxy.tunnels)).toEqual(new Set([`registry.test:${registry.port}`]));
    expect(proxy.authorizations[0]).toBe(`Basic ${Buffer.from('user:pass').toString('base64')}`);
    await registry.setMode('wrong-certificate');
    expect((await failureOf(searchOnce(url, { tls, proxy: `http://${proxy.address}` }))).type).toBe('TLS');
  });

  it('cannot be reached when the proxy is not there', async () => {
    await using registry = await startFaultyRegistry({ tls: { authority } });
    const gone = await startProxy();
    await gone[Symbol.asyncDispose]();
    const failure = await failureOf(searchOnce(registry.url, { tls, proxy: `http://${gone.address}` }));
    expect(failure.type).toBe('CONNECTION');
    expect(registry.arrivals).toHaveLength(0);
  });
});

describe('closing', () => {
  it('ends the wait of calls that stand in the queue', async () => {
    const registry = await startFaultyRegistry({ mode: { slowMs: 5_000 } });
    const rateLimit = { requestsPerSecond: 1_000, burst: 1_000, concurrent: 1, maxQueue: 100 };
    const config = configureRegistry(registry.url, { rateLimit, timeouts: { search: 60_000 } });
    const opened = openRegistries([config]);
    const calls = Array.from({ length: 20 }, (_, offset) => {
      const call = opened.sources[0]?.searchRows({ ...BROWSE, offset }, { deadlineMs: Number.POSITIVE_INFINITY });
      return failureOf(call ?? Promise.resolve());
    });
    await registry.whenArrived(1);
    await opened.close();
    await Promise.all(calls);
    expect(registry.arrivalsAt()).toHaveLength(1);
    await registry.close();
  });

  it('ends calls that are under way', async () => {
    const registry = await startFaultyRegistry({ mode: 'hang' });
    const opened = openRegistries([configureRegistry(registry.url, { timeouts: { search: 60_000, health: 60_000 } })]);
    const [source] = opened.sources;
    const call = failureOf(source?.searchRows(BROWSE, { deadlineMs: Number.POSITIVE_INFINITY }) ?? Promise.resolve());
    await registry.whenArrived(1);
    await opened.close();
    expect((await call).type).toBe('CONNECTION');
    const later = source?.searchRows({ ...BROWSE, offset: 5 }, { deadlineMs: Number.POSITIVE_INFINITY });
    expect((await failureOf(later ?? Promise.resolve())).type).toBe('CONNECTION');
    expect(registry.arrivalsAt()).toHaveLength(1);
    await registry.close();
  });
});

describe('the health of a registry', () => {
  it('is what its checks find, outside the circuits of its users', async () => {
    await using faulty = await openFaultySource({ mode: 'refused' });
    expect(faulty.source.readHealth()).toMatchObject({
      status: 'DOWN',
      uptime: 0,
      message: expect.stringMatching(/^The registry "faulty" could not be reached\. Check that it runs/),
      circuits: [{ state: 'CLOSED' }, { state: 'CLOSED' }, { state: 'CLOSED' }, { state: 'CLOSED' }],
    });
    expect(faulty.source.readMetrics(60_000).requests).toBe(0);
  });

  it('is asked of the categories where there is no health page', async () => {
    await using registry = await startFaultyRegistry();
    await registry.setMode({ status: 404 }, (path) => path.endsWith('/health'));
    const opened = openRegistries([configureRegistry(registry.url)]);
    await opened.whenTriedOnce();
    expect(opened.sources[0]?.readHealth().status).toBe('UP');
    expect(registry.arrivals.map((arrival) => arrival.path)).toEqual(['/api/v1/health', '/api/v1/categories']);
    await opened.close();
  });

  it('is checked again every interval', async () => {
    await using faulty = await openFaultySource({}, { health: { interval: 20 } });
    await faulty.registry.whenArrived(4, '/health');
    expect(faulty.source.readHealth()).toMatchObject({ status: 'UP', uptime: 1 });
  });
});

import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';
import { createServer as createTcpServer, type Server } from 'node:net';
import { describe, expect, it } from 'vitest';
import { openClient, writeGet, writePost } from '../../bench/client.ts';
import { delayAnswers } from '../../bench/processes/delay.ts';

async function listen(server: Server): Promise<string> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a listening server must have a port');
  return `http://127.0.0.1:${address.port}`;
}

async function serve(listener: RequestListener) {
  const server = createServer(listener);
  const origin = await listen(server);
  return {
    origin,
    server,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

describe('the client of the benchmarks', () => {
  it('sends what it is given and gives the body, whole however it comes', async () => {
    const long = 'ü'.repeat(300_000);
    await using served = await serve((request, response) => {
      request.setEncoding('utf8');
      let body = '';
      request.on('data', (part) => {
        body += part;
      });
      request.on('end', () => {
        if (request.url === '/chunks') {
          response.write('one ');
          response.write(long);
          response.end(` ${body}`);
        } else response.end(`${request.method} ${request.headers['content-type']} ${body}${long}`);
      });
    });
    await using client = openClient(served.origin);
    const post = await client.send(writePost(client.host, '/', '{"ä":1}'));
    expect(post.toString()).toBe(`POST application/json {"ä":1}${long}`);
    const chunks = await client.send(writePost(client.host, '/chunks', 'end'));
    expect(chunks.toString()).toBe(`one ${long} end`);
  });

  it('uses a connection again, and opens another only while it is busy', async () => {
    await using served = await serve((_request, response) => void response.end('x'));
    let connections = 0;
    served.server.on('connection', () => {
      connections += 1;
    });
    await using client = openClient(served.origin);
    const request = writeGet(client.host, '/');
    for (let count = 0; count < 5; count += 1) await client.send(request);
    expect(connections).toBe(1);
    await Promise.all([client.send(request), client.send(request), client.send(request)]);
    expect(connections).toBe(3);
  });

  it('asks again over a new connection when the server closed an idle one', async () => {
    await using served = await serve((_request, response) => void response.end('x'));
    await using client = openClient(served.origin);
    await client.send(writeGet(client.host, '/'));
    served.server.closeIdleConnections();
    expect((await client.send(writeGet(client.host, '/'))).toString()).toBe('x');
  });

  it('takes nothing but 200 for an answer', async () => {
    await using served = await serve((_request, response) => void response.writeHead(500).end('broken'));
    await using client = openClient(served.origin);
    await expect(client.send(writeGet(client.host, '/'))).rejects.toThrow(/must be 200.*broken/s);
  });

  it('fails when the server goes away before it answers', async () => {
    const server = createTcpServer((socket) => socket.on('data', () => socket.destroy()));
    const origin = await listen(server);
    await using client = openClient(origin);
    await expect(client.send(writeGet(client.host, '/'))).rejects.toThrow(/closed the connection/);
    server.close();
  });
});

describe('something slow in front of a registry', () => {
  it('gives the same answer, but not before its time', async () => {
    const long = 'x'.repeat(200_000);
    await using served = await serve((_request, response) => {
      response.write(long);
      response.end('end');
    });
    const delay = await delayAnswers(served.origin, 30);
    await using client = openClient(delay);
    const startedMs = performance.now();
    expect((await client.send(writeGet(client.host, '/'))).toString()).toBe(`${long}end`);
    // Timers count whole milliseconds.
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(28);
  });
});

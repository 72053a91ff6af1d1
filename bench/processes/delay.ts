/** Something slow in front of a registry. It reads no HTTP, so that it costs little of the machine that it shares. */
import { connect, createServer } from 'node:net';

/**
 * Gives the address of a server that answers as the one at `url` does, but not before `delayMs` after a request came. For
 * clients that wait for an answer before they send the next request on a connection.
 */
export async function delayAnswers(url: string, delayMs: number): Promise<string> {
  const { hostname, port } = new URL(url);
  const server = createServer({ noDelay: true }, (client) => {
    const upstream = connect({ host: hostname, port: Number(port), noDelay: true });
    let dueMs = 0;
    let waiting: Buffer[] = [];
    client.on('data', (bytes) => {
      dueMs = performance.now() + delayMs;
      upstream.write(bytes);
    });
    upstream.on('data', (bytes) => {
      waiting.push(bytes);
      // One timer for all parts of an answer: they leave in the order in which they came.
      if (waiting.length > 1) return;
      setTimeout(
        () => {
          client.write(Buffer.concat(waiting));
          waiting = [];
        },
        Math.max(0, dueMs - performance.now()),
      );
    });
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => other.destroy());
      one.on('close', () => other.destroy());
    }
  });
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a listening server must have a port');
  return `http://127.0.0.1:${address.port}`;
}

/** A port that is listened on, and how it is left again. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';

// An import statement would read all that the module exports, and one of that is a WebSocket client: a thirtieth of the start.
const { createServer } = process.getBuiltinModule('node:http');

/** A request's headers, and the whole of it, must have arrived by then: slow senders hold no connection for longer. */
const HEADERS_TIMEOUT_MS = 10_000;
const REQUEST_TIMEOUT_MS = 30_000;
/** Longer than the idle times of common proxies (60 s), which would otherwise send into a connection that is closing. */
const KEEP_ALIVE_TIMEOUT_MS = 65_000;

export interface ListenOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly handle: (request: IncomingMessage, response: ServerResponse) => void;
  /** Takes over a connection that asks for another protocol; absent: nobody does, and it is answered as any other. */
  readonly handleUpgrade?: (request: IncomingMessage, socket: Duplex, head: Buffer) => void;
}

export interface Listener {
  /** "http://host:port", without a path. */
  readonly origin: string;
  /**
   * Accepts nothing more, waits for what is in flight for `graceMs` at most, then cuts it off. Connections without a request
   * stay for `idleMs`: one may be on its way already, and would be lost.
   */
  close(graceMs: number, idleMs?: number): Promise<void>;
}

/** Listens. Rejects with the system's error when the address cannot be had. */
export async function listen({ host, port, handle, handleUpgrade }: ListenOptions): Promise<Listener> {
  const server = createServer(
    { headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: REQUEST_TIMEOUT_MS, keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS },
    handle,
  );
  // The server forgets connections that were taken over; when it stops they are ours to cut.
  const upgraded = new Set<Duplex>();
  if (handleUpgrade !== undefined) {
    server.on('upgrade', (request, socket, head) => {
      upgraded.add(socket);
      socket.once('close', () => upgraded.delete(socket));
      handleUpgrade(request, socket, head);
    });
  }
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject).listen(port, host, () => {
      server.off('error', reject);
      resolve();
    });
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('A listening server must have a port.');
  return {
    origin: `http://${host.includes(':') ? `[${host}]` : host}:${address.port}`,
    close: (graceMs, idleMs = 0) =>
      new Promise((resolve) => {
        const timers = [
          setTimeout(() => {
            server.closeAllConnections();
            for (const socket of upgraded) socket.destroy();
          }, graceMs),
          setTimeout(() => server.closeIdleConnections(), idleMs),
        ];
        // The HTTP server's own way to close would begin with the idle connections.
        NetServer.prototype.close.call(server, () => {
          for (const timer of timers) clearTimeout(timer);
          server.close();
          resolve();
        });
      }),
  };
}

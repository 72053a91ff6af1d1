/** A way to a server on loopback that can be slow, and cut. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

export class TcpProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #port = 0;
  #delayMs = 0;
  #isCut = false;

  private constructor(targetPort: number) {
    this.#server = createServer((client) => {
      if (this.#isCut) client.destroy();
      else this.#join(client, connect(targetPort, '127.0.0.1'));
    });
  }

  static async start(targetPort: number): Promise<TcpProxy> {
    const proxy = new TcpProxy(targetPort);
    await once(proxy.#server.listen(0, '127.0.0.1'), 'listening');
    const address = proxy.#server.address();
    if (address === null || typeof address === 'string') throw new Error('a port was expected');
    proxy.#port = address.port;
    return proxy;
  }

  get port(): number {
    return this.#port;
  }

  /** Each way takes so long from now on. */
  delay(delayMs: number): void {
    this.#delayMs = delayMs;
  }

  /** Ends all connections, and makes no more. */
  cut(): void {
    this.#isCut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#isCut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.cut();
    this.#server.close();
    await once(this.#server, 'close');
  }

  #join(client: Socket, server: Socket): void {
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => undefined);
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on('data', (bytes) => {
        if (this.#delayMs === 0) to.write(bytes);
        else setTimeout(() => to.write(bytes), this.#delayMs);
      });
    }
  }
}

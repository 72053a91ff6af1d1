/**
 * The client of the benchmarks: HTTP/1.1 by hand over sockets, so that sending a request and reading its answer costs less
 * than the cheapest server needs to give it. It knows what the measured servers send, and no more.
 */
import { connect, type Socket } from 'node:net';

/** Sends requests over connections that stay open; opens another when all are busy. */
export interface Client extends AsyncDisposable {
  /** Gives the body of the answer. Rejects when the status is not 200, or the connection breaks. */
  send(request: Buffer): Promise<Buffer>;
  /** Of "http://host:port". */
  readonly host: string;
}

/** A POST of JSON, ready to be sent any number of times. */
export function writePost(host: string, path: string, body: string, apiKey: string | null = null): Buffer {
  const proof = apiKey === null ? '' : `Authorization: Bearer ${apiKey}\r\n`;
  return Buffer.from(
    `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nAccept: application/json\r\n${proof}` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

/** A GET, ready to be sent. */
export function writeGet(host: string, path: string): Buffer {
  return Buffer.from(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\nAccept: application/json\r\n\r\n`);
}

export function openClient(origin: string): Client {
  const { hostname, port, host } = new URL(origin);
  const idle: Connection[] = [];
  const all = new Set<Connection>();
  const take = (): Connection => {
    for (let connection = idle.pop(); connection !== undefined; connection = idle.pop()) {
      if (connection.isOpen) return connection;
      all.delete(connection);
    }
    const connection = new Connection(connect({ host: hostname, port: Number(port), noDelay: true }));
    all.add(connection);
    return connection;
  };
  const send = async (request: Buffer): Promise<Buffer> => {
    const connection = take();
    const isFresh = !connection.wasUsed;
    try {
      const body = await connection.exchange(request);
      idle.push(connection);
      return body;
    } catch (error) {
      all.delete(connection);
      // The server may close an idle connection just when it is used again.
      if (isFresh || !(error instanceof ConnectionLost)) throw error;
      return send(request);
    }
  };
  return {
    send,
    host,
    async [Symbol.asyncDispose]() {
      for (const connection of all) connection.close();
    },
  };
}

class ConnectionLost extends Error {}

/** What is sent on a connection that the server has just closed is answered so. */
function isReset(error: Error): boolean {
  return 'code' in error && (error.code === 'ECONNRESET' || error.code === 'EPIPE');
}

interface Exchange {
  readonly resolve: (body: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/** One connection, on which one request is under way at a time. */
class Connection {
  wasUsed = false;
  isOpen = true;
  readonly #socket: Socket;
  #exchange: Exchange | null = null;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  /** The answer's length with its head, where its head tells it; 0: not known yet; -1: it comes in chunks. */
  #wholeBytes = 0;
  #headBytes = 0;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (bytes) => this.#receive(bytes));
    socket.on('error', (error) =>
      this.#fail(isReset(error) ? new ConnectionLost('the server reset the connection') : error),
    );
    socket.on('close', () => this.#fail(new ConnectionLost('the server closed the connection')));
  }

  exchange(request: Buffer): Promise<Buffer> {
    this.#received = [];
    this.#receivedBytes = 0;
    this.#wholeBytes = 0;
    return new Promise((resolve, reject) => {
      this.#exchange = { resolve, reject };
      this.#socket.write(request);
    });
  }

  close(): void {
    this.isOpen = false;
    this.#socket.destroy();
  }

  #receive(bytes: Buffer): void {
    this.#received.push(bytes);
    this.#receivedBytes += bytes.length;
    if (this.#wholeBytes === 0) this.#readHead();
    if (this.#wholeBytes > 0 && this.#receivedBytes >= this.#wholeBytes) {
      this.#settle(this.#join().subarray(this.#headBytes));
    } else if (this.#wholeBytes === -1) {
      const body = readChunks(this.#join().subarray(this.#headBytes));
      if (body !== null) this.#settle(body);
    }
  }

  #readHead(): void {
    const bytes = this.#join();
    const end = bytes.indexOf('\r\n\r\n');
    if (end === -1) return;
    this.#headBytes = end + 4;
    const head = bytes.toString('latin1', 0, this.#headBytes);
    if (!head.startsWith('HTTP/1.1 200')) {
      this.#fail(new Error(`the answer must be 200, it was: ${bytes.toString().slice(0, 500)}`));
      return;
    }
    const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
    this.#wholeBytes = length === undefined ? -1 : this.#headBytes + Number(length);
  }

  #join(): Buffer {
    const [first] = this.#received;
    if (this.#received.length === 1 && first !== undefined) return first;
    const whole = Buffer.concat(this.#received);
    this.#received = [whole];
    return whole;
  }

  #settle(body: Buffer): void {
    this.wasUsed = true;
    const exchange = this.#exchange;
    this.#exchange = null;
    exchange?.resolve(body);
  }

  #fail(error: Error): void {
    this.close();
    this.#exchange?.reject(error);
    this.#exchange = null;
  }
}

/** The body that was sent in chunks (RFC 9112, 7.1); null when the last one has not come yet. */
function readChunks(bytes: Buffer): Buffer | null {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const lineEnd = bytes.indexOf('\r\n', at);
    if (lineEnd === -1) return null;
    const size = Number.parseInt(bytes.toString('latin1', at, lineEnd), 16);
    const start = lineEnd + 2;
    if (bytes.length < start + size + 2) return null;
    if (size === 0) return Buffer.concat(parts);
    parts.push(bytes.subarray(start, start + size));
    at = start + size + 2;
  }
}

import { once } from 'node:events';
import { createServer, type IncomingMessage, type RequestListener, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type CatalogBehaviour, FaultyCatalog, type WireTemplate } from './faulty-registry-catalog.ts';
import { createTestAuthority, type TestAuthority, type TestCertificate } from './faulty-registry-certificates.ts';

import { answerInMode, answerStatus, type FaultMode, sendBody } from './faulty-registry-faults.ts';

export type { CatalogBehaviour, WireTemplate } from './faulty-registry-catalog.ts';
export { FAULT_MODES, type FaultMode } from './faulty-registry-faults.ts';

/** One request that reached the registry. */
export interface Arrival {
  readonly method: string;
  /** Without the query, still percent-encoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage['headers'];
  readonly atMs: number;
}

export interface FaultyRegistryOptions {
  readonly rows?: readonly WireTemplate[];
  readonly behaviour?: CatalogBehaviour;
  readonly mode?: FaultMode;
  /** Speak TLS with certificates of this authority; `requestCert`: ask for a client's certificate and refuse without. */
  readonly tls?: {
    readonly authority: TestAuthority;
    readonly requestCert?: boolean;
    /** Of its certificates from the next one on; absent: from yesterday on for a week. */
    validity?: { readonly validFrom: Date; readonly validTo: Date };
  };
  /** Sent with every good answer, for example `cache-control`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Answer If-None-Match with 304 and send an ETag. */
  readonly etags?: boolean;
}

/**
 * Starts a registry of the protocol on a loopback port of its own that can be told to misbehave. Count what reached it
 * with `arrivals`; close it with `close()` or `await using`.
 */
export async function startFaultyRegistry(options: FaultyRegistryOptions = {}): Promise<FaultyRegistry> {
  const registry = new FaultyRegistry(options);
  await registry.listen();
  await registry.setMode(options.mode ?? 'ok');
  return registry;
}

/** @see startFaultyRegistry */
export class FaultyRegistry implements AsyncDisposable {
  readonly catalog: FaultyCatalog;
  readonly arrivals: Arrival[] = [];
  readonly #options: FaultyRegistryOptions;
  readonly #sockets = new Set<Socket>();
  readonly #waiting: { readonly count: number; readonly path: string; resolve(): void }[] = [];
  #server: Server | TlsServer;
  #port = 0;
  #mode: FaultMode = 'ok';
  #only: (path: string) => boolean = () => true;
  #generation = 0;
  #underWay = 0;
  #mostAtOnce = 0;
  #connectionsMade = 0;

  constructor(options: FaultyRegistryOptions) {
    this.#options = options;
    this.catalog = new FaultyCatalog(options.rows ?? [], options.behaviour ?? {});
    this.#server = this.#createServer();
  }

  /** The base URL to configure. */
  get url(): string {
    return `${this.#options.tls ? 'https' : 'http'}://127.0.0.1:${this.#port}`;
  }

  get port(): number {
    return this.#port;
  }

  /** Connections that are open now, and all that were made so far. */
  get openConnections(): number {
    return this.#sockets.size;
  }

  get connectionsMade(): number {
    return this.#connectionsMade;
  }

  /** The most requests that were under way at one time. */
  get mostAtOnce(): number {
    return this.#mostAtOnce;
  }

  get mode(): FaultMode {
    return this.#mode;
  }

  /**
   * Switches the fault. `only` keeps it to paths for which it says true; the others are answered well. Connections that
   * are open are cut when listening or the certificate changes.
   */
  async setMode(mode: FaultMode, only: (path: string) => boolean = () => true): Promise<void> {
    this.#mode = mode;
    this.#only = only;
    if (mode === 'refused') {
      await this.#stop();
      return;
    }
    if (!this.#server.listening) await this.listen();
    if (this.#server instanceof TlsServer) {
      this.#cutConnections();
      this.#server.setSecureContext({ ...this.#certificate(), ca: this.#options.tls?.authority.ca });
    }
  }

  /** Presents a new certificate to whoever connects from now on; connections that are open are kept. */
  renewCertificate(): void {
    if (!(this.#server instanceof TlsServer)) throw new TypeError('only a registry that speaks TLS has a certificate');
    this.#server.setSecureContext({ ...this.#certificate(), ca: this.#options.tls?.authority.ca });
  }

  behave(behaviour: CatalogBehaviour): void {
    this.catalog.behave(behaviour);
    this.#generation += 1;
  }

  insert(...rows: readonly WireTemplate[]): void {
    this.catalog.insert(...rows);
    this.#generation += 1;
  }

  remove(...names: readonly string[]): void {
    this.catalog.remove(...names);
    this.#generation += 1;
  }

  /** The requests to paths that contain this text; the gateway's own health checks are counted apart that way. */
  arrivalsAt(path = '/api/v1/search'): readonly Arrival[] {
    return this.arrivals.filter((arrival) => arrival.path.includes(path));
  }

  /** Resolves once so many requests reached paths that contain the text. */
  async whenArrived(count: number, path = '/api/v1/search'): Promise<void> {
    if (this.arrivalsAt(path).length >= count) return;
    await new Promise<void>((resolve) => this.#waiting.push({ count, path, resolve }));
  }

  forgetArrivals(): void {
    this.arrivals.length = 0;
  }

  async listen(): Promise<void> {
    this.#server = this.#createServer();
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    await this.#stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #stop(): Promise<void> {
    this.#cutConnections();
    if (!this.#server.listening) return;
    this.#server.close();
    this.#cutConnections();
    await once(this.#server, 'close');
  }

  #cutConnections(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  #certificate(): TestCertificate {
    const authority = this.#options.tls?.authority ?? createTestAuthority();
    const DAY = 86_400_000;
    if (this.#mode === 'wrong-certificate') {
      return authority.issue({ commonName: 'elsewhere.example', dnsNames: ['elsewhere.example'] });
    }
    const good = {
      commonName: 'faulty-registry',
      dnsNames: ['localhost', 'registry.test'],
      ipAddresses: ['127.0.0.1'],
      ...this.#options.tls?.validity,
    };
    if (this.#mode !== 'expired-certificate') return authority.issue(good);
    return authority.issue({
      ...good,
      validFrom: new Date(Date.now() - 3 * DAY),
      validTo: new Date(Date.now() - DAY),
    });
  }

  #createServer(): Server | TlsServer {
    const answer: RequestListener = (request, response) => this.#answer(request, response);
    const { tls } = this.#options;
    const server = tls
      ? createTlsServer(
          {
            ...this.#certificate(),
            ca: tls.authority.ca,
            requestCert: tls.requestCert ?? false,
            rejectUnauthorized: tls.requestCert ?? false,
          },
          answer,
        )
      : createServer(answer);
    server.on('connection', (socket) => {
      this.#connectionsMade += 1;
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    return server;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://registry.test');
    request.resume();
    this.#underWay += 1;
    this.#mostAtOnce = Math.max(this.#mostAtOnce, this.#underWay);
    response.on('close', () => {
      this.#underWay -= 1;
    });
    this.arrivals.push({
      method: request.method ?? '',
      path: url.pathname,
      query: url.searchParams,
      headers: request.headers,
      atMs: performance.now(),
    });
    for (const waiter of this.#waiting.splice(0)) {
      if (this.arrivalsAt(waiter.path).length >= waiter.count) waiter.resolve();
      else this.#waiting.push(waiter);
    }
    answerInMode(this.#only(url.pathname) ? this.#mode : 'ok', {
      url,
      request,
      response,
      findBody: () => this.#findBody(url),
      answerWell: () => this.#answerWell(url, request, response),
    });
  }

  #answerWell(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const etag = `"g${this.#generation}"`;
    for (const [name, value] of Object.entries(this.#options.headers ?? {})) response.setHeader(name, value);
    if (this.#options.etags) {
      response.setHeader('etag', etag);
      if (request.headers['if-none-match'] === etag) {
        response.writeHead(304).end();
        return;
      }
    }
    const body = this.#findBody(url);
    if (body === undefined) answerStatus(response, 404);
    else sendBody(response, 'application/json', JSON.stringify(body));
  }

  #findBody(url: URL): unknown {
    const parts = url.pathname.split('/').slice(1).map(decodeURIComponent);
    const [api, version, resource, name, detail] = parts;
    if (api !== 'api' || version !== 'v1') return undefined;
    if (resource === 'search') return this.catalog.search(url.searchParams);
    if (resource === 'health') return { status: 'ok' };
    if (resource === 'categories') {
      return [...new Set(this.catalog.rows.map((row) => row.category).filter((value) => typeof value === 'string'))];
    }
    if (resource !== 'templates' || name === undefined) return undefined;
    const versions = this.catalog.rows.filter((row) => row.name === name);
    const asked = url.searchParams.get('version');
    if (versions.length === 0) return undefined;
    if (detail === 'versions') {
      return { versions: versions.map((row) => ({ version: row.version, published_at: row.updated_at })) };
    }
    if (detail === 'content') return versions.find((row) => row.version === asked);
    return asked === null ? versions.at(-1) : versions.find((row) => row.version === asked);
  }
}

/**
 * The reference registry: an HTTP server of the registry protocol over a folder of templates, or over templates in memory.
 */
import { randomBytes } from 'node:crypto';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { AccessControl, type AccessOptions } from './access.ts';
import { Catalog, PublishedVersion } from './catalog.ts';
import { type FolderFault, readFolder } from './folder.ts';
import { Publisher } from './publishing.ts';
import { type ArrivedRequest, RequestLog } from './request-log.ts';
import { createRequestHandler } from './routes.ts';
import { Searcher } from './search.ts';
import { readTemplate } from './template.ts';

/** The protocol's largest page, unless the registry caps lower. */
const MAX_LIMIT = 100;
/** Requests remembered at most, unless told otherwise. */
const RECORDED_REQUESTS = 1_000;
/** Addresses grow with `name=` repeated for a whole window. */
const HEADER_BYTES = 65_536;
/** Longer than what clients keep connections for, so that it is they who close. */
const KEEP_ALIVE_MS = 65_000;
/** How long `close` waits for answers that are being sent. */
const CLOSE_MS = 2_000;

export interface RegistryOptions extends AccessOptions {
  /** A folder of template files, read by `listen`. Without it the registry holds `templates` alone. */
  readonly folder?: string;
  /** Templates as on the wire, each one version; they join those of the folder. */
  readonly templates?: Iterable<unknown>;
  /** Publishing is refused, whoever asks. Also so when no credentials for publishing are given. */
  readonly readOnly?: boolean;
  /** PEM texts; with `ca` only clients with a certificate of that authority are served. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly ca?: string };
  /** The largest page; a larger `limit` is taken as this. */
  readonly maxLimit?: number;
  /** How many requests `requests` remembers; 0: none. Only the newest are kept. */
  readonly recordRequests?: number;
  /** Of answers made from the catalogue. */
  readonly cacheControl?: string;
  /** Where clients reach this registry. Signatures must then be made for this address, and templates have `content_url`. */
  readonly publicUrl?: string;
  /** Told of faults of this program; by default they are written to standard error. */
  readonly onError?: (error: unknown) => void;
}

export interface Registry {
  /** Reads the folder, then listens; gives the URL without a slash at the end. Rejects when either cannot be done. */
  listen(options?: { readonly port?: number; readonly host?: string }): Promise<string>;
  /** Stops accepting, lets answers that are being sent finish (2 s at most). */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
  /** What in the folder could not be used. */
  readonly faults: readonly FolderFault[];
  /** Names in the catalogue. */
  readonly size: number;
  /** Arrived requests, oldest first. */
  readonly requests: readonly ArrivedRequest[];
  clearRequests(): void;
  /** Adds a version as on the wire, or replaces it. Throws an Error when it is no template. Not written to the folder. */
  upsert(template: unknown): void;
  /** Removes one version, or all of a name. Says whether there was something to remove. Not removed from the folder. */
  remove(name: string, version?: string): boolean;
  /** Builds the text index and the JSON of every row now, instead of at the first search. */
  prepare(): void;
}

/**
 * Makes a registry; nothing listens yet. Throws an Error when a template in `templates` or an authorised key is none.
 */
export function createRegistry(options: RegistryOptions): Registry {
  const catalog = new Catalog();
  const searcher = new Searcher(catalog);
  const access = new AccessControl(options);
  const log = new RequestLog(options.recordRequests ?? RECORDED_REQUESTS);
  const publicUrl = options.publicUrl?.replace(/\/+$/, '') ?? null;
  const handle = createRequestHandler({
    access,
    log,
    readOnly: options.readOnly ?? !access.allowsPublishing,
    publisher: new Publisher(catalog, options.folder ?? null, publicUrl),
    scheme: options.tls === undefined ? 'http' : 'https',
    onError: options.onError ?? ((error) => console.error(error)),
    reading: {
      catalog,
      searcher,
      publicUrl,
      maxLimit: options.maxLimit ?? MAX_LIMIT,
      cacheControl: options.cacheControl ?? `${access.publicRead ? 'public' : 'private'}, max-age=60`,
      instanceId: randomBytes(6).toString('base64url'),
    },
  });
  const server = createHttpServer(options.tls, handle);
  let faults: readonly FolderFault[] = [];
  catalog.add(Array.from(options.templates ?? [], publishInMemory));
  const close = () => closeServer(server);
  return {
    async listen({ port = 0, host = '127.0.0.1' } = {}) {
      if (options.folder !== undefined) {
        const reading = await readFolder(options.folder);
        faults = reading.faults;
        catalog.add(reading.versions);
      }
      const address = await listenOn(server, port, host);
      const shownHost = address.family === 'IPv6' ? `[${address.address}]` : address.address;
      return `${options.tls === undefined ? 'http' : 'https'}://${shownHost}:${address.port}`;
    },
    close,
    [Symbol.asyncDispose]: close,
    get faults() {
      return faults;
    },
    get size() {
      return catalog.size;
    },
    get requests() {
      return log.requests;
    },
    clearRequests: () => log.clear(),
    upsert: (template) => catalog.add([publishInMemory(template)]),
    remove: (name, version) => catalog.remove(name, version ?? null),
    prepare: () => searcher.prepare(),
  };
}

function publishInMemory(value: unknown): PublishedVersion {
  const reading = readTemplate(value);
  if (!reading.ok) throw new Error(`not a template: ${reading.faults.join('; ')}`);
  const { template } = reading;
  return new PublishedVersion(template, () => ({
    bytes: Buffer.from(JSON.stringify(template.wire)),
    mediaType: 'application/json',
  }));
}

function createHttpServer(tls: RegistryOptions['tls'], handle: RequestListener<typeof IncomingMessage>): Server {
  const common = { maxHeaderSize: HEADER_BYTES, keepAliveTimeout: KEEP_ALIVE_MS };
  if (tls === undefined) return createServer(common, handle);
  const { key, cert, ca } = tls;
  const client = ca === undefined ? {} : { ca, requestCert: true, rejectUnauthorized: true };
  return createTlsServer({ ...common, key, cert, ...client }, handle);
}

function listenOn(server: Server, port: number, host: string): Promise<AddressInfo> {
  const { promise, resolve, reject } = Promise.withResolvers<AddressInfo>();
  server.once('error', reject);
  server.listen(port, host, () => {
    server.off('error', reject);
    const address = server.address();
    if (address === null || typeof address === 'string') reject(new Error('the registry must listen on a TCP port'));
    else resolve(address);
  });
  return promise;
}

function closeServer(server: Server): Promise<void> {
  if (!server.listening) return Promise.resolve();
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(() => server.closeAllConnections(), CLOSE_MS);
  server.close(() => {
    clearTimeout(timer);
    resolve();
  });
  server.closeIdleConnections();
  return promise;
}

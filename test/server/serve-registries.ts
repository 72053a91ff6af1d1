/** The whole gateway on a free port, over real registries on loopback that count what arrives. */
import { pino } from 'pino';
import { createRegistry, type Registry } from '../../registry/registry.ts';
import { parseConfigObject } from '../../src/config/load.ts';
import { createGateway, type Gateway } from '../../src/gateway.ts';
import { listen } from '../../src/server/listen.ts';
import { type Ask, createAsk } from './ask.ts';

export interface ServedRegistries extends AsyncDisposable {
  readonly origin: string;
  /** Of the listener of `server.admin`; null without one. */
  readonly adminOrigin: string | null;
  readonly gateway: Gateway;
  /** Goes over to the same configuration with other members of its server. */
  reload(server: Record<string, unknown>): Promise<void>;
  /** In the order of their names. */
  readonly registries: readonly Registry[];
  readonly logLines: Record<string, unknown>[];
  /** Requests that arrived at all registries since `forgetArrivals`. */
  countArrivals(): number;
  forgetArrivals(): void;
  readonly ask: Ask;
}

export interface ServeRegistriesOptions {
  /** The registries by name, each with its templates as on the wire. */
  readonly catalogs: Readonly<Record<string, readonly Record<string, unknown>[]>>;
  /** Members of the configuration's registries, by name. */
  readonly settings?: Readonly<Record<string, Record<string, unknown>>>;
  /** More registries that are started by the test. */
  readonly more?: readonly Record<string, unknown>[];
  readonly server?: Record<string, unknown>;
  readonly auth?: Record<string, unknown>;
  /** Where the audit trail is kept; default: in memory. */
  readonly dataDirectory?: string;
  /** Further members of the configuration. */
  readonly document?: Record<string, unknown>;
  readonly environment?: Readonly<Record<string, string>>;
}

/** Starts everything and waits until each registry was tried once. */
export async function serveRegistries(options: ServeRegistriesOptions): Promise<ServedRegistries> {
  const names = Object.keys(options.catalogs);
  const registries = names.map((name) => createRegistry({ templates: options.catalogs[name] ?? [] }));
  const urls = await Promise.all(registries.map((registry) => registry.listen()));
  const configure = (changed: Record<string, unknown> = {}) =>
    parseConfigObject(
      {
        server: {
          secret: 'for tests alone: 0123456789abcdef0123456789abcdef',
          cache: { disk: 'off', warm: 'off' },
          // All tests come from one address.
          limits: { requestsPerMinute: 'off', costPerMinute: 'off' },
          ...options.server,
          ...changed,
        },
        registries: [
          ...names.map((name, index) => ({ name, type: 'official', url: urls[index], ...options.settings?.[name] })),
          ...(options.more ?? []),
        ],
        ...(options.auth && { auth: options.auth }),
        ...options.document,
      },
      {
        ...(options.dataDirectory !== undefined && { dataDirectory: options.dataDirectory }),
        ...(options.environment && { environment: options.environment }),
      },
    );
  const config = configure();
  const logLines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logLines.push(JSON.parse(line)) });
  const gateway = await createGateway(config, { log });
  const listener = await listen({ host: '127.0.0.1', port: 0, handle: gateway.handle });
  const { origin } = listener;
  const { admin } = config.server;
  const adminListener = admin === null ? null : await listen({ ...admin, handle: gateway.handleAdmin });
  return {
    origin,
    adminOrigin: adminListener?.origin ?? null,
    gateway,
    reload: (server) => gateway.reload(configure(server)),
    registries,
    logLines,
    countArrivals: () => registries.reduce((total, registry) => total + registry.requests.length, 0),
    forgetArrivals: () => {
      for (const registry of registries) registry.clearRequests();
    },
    ask: createAsk(origin),
    async [Symbol.asyncDispose]() {
      await listener.close(1000);
      await adminListener?.close(1000);
      await gateway.close();
      await Promise.all(registries.map((registry) => registry.close()));
    },
  };
}

/** Templates as on the wire, named `prefix-00`, `prefix-01`, ...; the first is the most popular. */
export function wireTemplates(prefix: string, count: number): Record<string, unknown>[] {
  return Array.from({ length: count }, (_, index) => ({
    name: `${prefix}-${String(index).padStart(2, '0')}`,
    version: '1.0.0',
    title: `Template ${index} of ${prefix}`,
    category: 'ml',
    marketplace: { downloads: 1000 - index },
  }));
}

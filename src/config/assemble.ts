/** Makes the typed configuration of a document that has no fault. */

import { normalizeClaim } from './claims.ts';
import type { Config, Credentials, JwtConfig, RegistryConfig, StorageLocation } from './config.ts';
import type { ConfigDocument, RegistryDocument } from './definition.ts';
import { placeId } from './document.ts';
import type { EnvironmentSettings } from './environment.ts';
import type { KeyPath } from './faults.ts';
import type { FileContents } from './files.ts';
import { readManifest } from './manifest.ts';
import { parseHostPort, parseHttpUrl } from './urls.ts';

/**
 * The contract, 2: institutional, private, official, community. A hundred apart, so that a `priority` can be put between
 * two types, or before (1) and after all of them.
 */
const DEFAULT_PRIORITY = { institutional: 100, private: 200, official: 300, community: 400 } as const;

const TYPES = {
  official: 'OFFICIAL',
  community: 'COMMUNITY',
  institutional: 'INSTITUTIONAL',
  private: 'PRIVATE',
} as const;

/** The frozen configuration. `secrets` are not empty; `files` hold what the document's paths name. */
export function assembleConfig(
  document: ConfigDocument,
  settings: EnvironmentSettings,
  files: FileContents,
  secrets: readonly string[],
  storage: StorageLocation,
): Config {
  const { search, introspection, admin, cache, cors, trustedProxies, strictTransportSecurity } = document.server;
  const { anonymous, apiKeys, jwt } = document.auth;
  return freezeDeep({
    server: {
      host: settings.host,
      port: settings.port,
      search,
      limits: assembleLimits(document.server.limits),
      introspection,
      suggestions: document.server.suggestions ?? introspection,
      persistedDocuments: assembleDocuments(document.server, files),
      cors: cors ?? null,
      trustedProxies,
      strictTransportSecurity: orNull(strictTransportSecurity),
      admin: admin === undefined ? null : parseHostPort(admin),
      cache: {
        memory: cache.memory,
        disk: orNull(cache.disk),
        responses: orNull(cache.responses),
        warm: orNull(cache.warm),
      },
      secrets,
    },
    registries: assembleRegistries(document.registries, files),
    auth: {
      anonymous,
      apiKeys: apiKeys.map((key) => ({ ...key, sha256: key.sha256.toLowerCase() })),
      jwt: jwt === undefined ? null : assembleJwt(jwt),
    },
    publish: { defaultRegistry: document.publish.defaultRegistry ?? null },
    dataDirectory: settings.dataDirectory,
    redisUrl: settings.redisUrl,
    storage,
    audit: { retention: document.audit.retention === 'off' ? null : document.audit.retention },
    logLevel: settings.logLevel,
    workers: settings.workers,
  });
}

function orNull(value: number | 'off'): number | null {
  return value === 'off' ? null : value;
}

function assembleLimits(limits: ConfigDocument['server']['limits']): Config['server']['limits'] {
  const { requestsPerMinute, costPerMinute, concurrent } = limits;
  return {
    ...limits,
    requestsPerMinute: orNull(requestsPerMinute),
    costPerMinute: orNull(costPerMinute),
    concurrent: orNull(concurrent),
  };
}

function assembleDocuments(
  { persistedDocuments }: ConfigDocument['server'],
  files: FileContents,
): Config['server']['persistedDocuments'] {
  if (persistedDocuments === undefined) return null;
  const documents = readManifest(files.get(placeId(['server', 'persistedDocuments', 'manifest'])) ?? '');
  return {
    documents: typeof documents === 'string' ? {} : Object.fromEntries(documents),
    required: persistedDocuments.required,
  };
}

function assembleJwt(jwt: NonNullable<ConfigDocument['auth']['jwt']>): JwtConfig {
  const { issuer, audience, jwksUri, algorithms, clockTolerance, rolesClaim, groupsClaim, roleMapping } = jwt;
  const toList = (value: string | string[]) => (typeof value === 'string' ? [value] : value);
  const mapping = roleMapping && Object.entries(roleMapping).map(([value, roles]) => [value, toList(roles)] as const);
  return {
    ...{ issuer, audience: toList(audience), jwksUri: jwksUri ?? null, algorithms, clockTolerance },
    ...{ rolesClaim, groupsClaim, roleMapping: mapping === undefined ? null : Object.fromEntries(mapping) },
  };
}

/** In resolution order: the lowest priority first, equal ones in the order of the file (sorting keeps it). */
function assembleRegistries(registries: readonly RegistryDocument[], files: FileContents): RegistryConfig[] {
  return registries
    .map((registry, index) => ({
      order: registry.priority ?? DEFAULT_PRIORITY[registry.type],
      config: assembleRegistry(registry, (path) => files.get(placeId(['registries', index, ...path])) ?? null),
    }))
    .sort((one, other) => one.order - other.order)
    .map(({ config }) => config);
}

function assembleRegistry(registry: RegistryDocument, read: (path: KeyPath) => string | null): RegistryConfig {
  const { name, kind, insecureHttp, retry, circuit, health, access, popularityScale, webhook } = registry;
  const { connect, search, template, publish, health: healthTimeout } = registry.timeouts;
  const { catalog, staleWhileRevalidate, staleIfError, ...cache } = registry.cache;
  return {
    name,
    type: TYPES[registry.type],
    kind,
    url: (parseHttpUrl(registry.url)?.href ?? registry.url).replace(/\/+$/, ''),
    insecureHttp,
    namespace: registry.namespace ?? kind,
    priority: registry.priority ?? null,
    credentials: assembleCredentials(registry, read),
    timeouts: { connect, search, template, publish, health: healthTimeout },
    retry,
    rateLimit: registry.rateLimit === 'off' ? null : registry.rateLimit,
    circuit,
    cache: { search: cache.search, template: cache.template, catalog, staleWhileRevalidate, staleIfError },
    health,
    tls:
      registry.tls === undefined
        ? null
        : {
            ca: read(['tls', 'ca']),
            cert: read(['tls', 'cert']),
            key: read(['tls', 'key']),
            servername: registry.tls.servername ?? null,
          },
    proxy: registry.proxy ?? null,
    access: access ?? null,
    claims: registry.claims.map(normalizeClaim),
    readOnly: registry.readOnly ?? registry.type === 'official',
    popularityScale,
    webhook: webhook ?? null,
  };
}

function assembleCredentials(registry: RegistryDocument, read: (path: KeyPath) => string | null): Credentials | null {
  const { credentials } = registry;
  switch (credentials?.type) {
    case undefined:
      return null;
    case 'token':
    case 'basic':
    case 'passthrough':
      return credentials;
    case 'ssh_key':
      return {
        type: 'ssh_key',
        key: read(['credentials', 'key']) ?? '',
        passphrase: credentials.passphrase ?? null,
      };
    default:
      return credentials satisfies never;
  }
}

/** Everything that the value holds, and itself. The values here are fresh: nobody else's object is frozen. */
function freezeDeep<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const member of Object.values(value)) freezeDeep(member);
  }
  return value;
}

/**
 * The configuration as the rest of the program sees it: typed, complete, frozen. Times are milliseconds, sizes bytes.
 * `load.ts` makes one from a file and the environment; nothing else does.
 */
import type { RegistryType, SearchConfig } from '../domain/search.ts';

/** The adapters that this version has: what `kind` of a registry may say. */
export const REGISTRY_KINDS = ['marketplace'] as const;
type RegistryKind = (typeof REGISTRY_KINDS)[number];

/** How tokens may be signed: by keys of two halves alone, so that nobody can sign with the one that is public. */
export const TOKEN_ALGORITHMS = [
  'RS256',
  'RS384',
  'RS512',
  'PS256',
  'PS384',
  'PS512',
  'ES256',
  'ES384',
  'ES512',
  'EdDSA',
] as const;

/** Whose tokens are believed, and what they say of a caller. */
export interface JwtConfig {
  readonly issuer: string;
  /** Any of them. */
  readonly audience: readonly string[];
  /** null: the issuer's discovery document says it. */
  readonly jwksUri: string | null;
  readonly algorithms: readonly (typeof TOKEN_ALGORITHMS)[number][];
  readonly clockTolerance: number;
  readonly rolesClaim: string;
  readonly groupsClaim: string;
  /** null: the values of the claim are the roles. */
  readonly roleMapping: Readonly<Record<string, readonly string[]>> | null;
}

export type Credentials =
  | { readonly type: 'token'; readonly token: string }
  | { readonly type: 'basic'; readonly username: string; readonly password: string }
  | { readonly type: 'ssh_key'; readonly key: string; readonly passphrase: string | null }
  /** Each caller's own token. */
  | { readonly type: 'passthrough' };

export interface RegistryConfig {
  readonly name: string;
  readonly type: RegistryType;
  readonly kind: RegistryKind;
  /** Without a trailing slash. */
  readonly url: string;
  readonly insecureHttp: boolean;
  readonly namespace: string;
  /** As written; null: derived from the type. The order of `Config.registries` is the resolution order. */
  readonly priority: number | null;
  readonly credentials: Credentials | null;
  readonly timeouts: {
    readonly connect: number;
    readonly search: number;
    readonly template: number;
    readonly publish: number;
    readonly health: number;
  };
  readonly retry: { readonly attempts: number; readonly baseDelay: number; readonly maxDelay: number };
  readonly rateLimit: {
    readonly requestsPerSecond: number;
    readonly burst: number;
    readonly concurrent: number;
    readonly maxQueue: number;
  } | null;
  readonly circuit: {
    readonly errorThresholdPercentage: number;
    readonly volumeThreshold: number;
    readonly window: number;
    readonly resetTimeout: number;
  };
  readonly cache: {
    readonly search: number;
    readonly template: number;
    readonly catalog: number;
    readonly staleWhileRevalidate: number;
    readonly staleIfError: number;
  };
  /** From a check that takes so long, or so many calls in a hundred that fail, on a registry counts as DEGRADED. */
  readonly health: {
    readonly interval: number;
    readonly degradedLatency: number;
    readonly degradedErrorPercentage: number;
  };
  /** File contents are read when the configuration is loaded. */
  readonly tls: {
    readonly ca: string | null;
    readonly cert: string | null;
    readonly key: string | null;
    readonly servername: string | null;
  } | null;
  readonly proxy: string | null;
  readonly access: { readonly roles: readonly string[]; readonly groups: readonly string[] } | null;
  readonly claims: readonly string[];
  /** It takes no publications from here; so are all official ones. */
  readonly readOnly: boolean;
  readonly popularityScale: number;
  /** Signs what the registry says of its changes; null: it says nothing. */
  readonly webhook: { readonly secret: string } | null;
}

/** Where the audit trail is kept. `path` is absolute, or ":memory:"; `url` may hold a password. */
export type StorageLocation =
  | { readonly kind: 'sqlite'; readonly path: string }
  | { readonly kind: 'postgres'; readonly url: string };

export interface ApiKeyConfig {
  readonly id: string;
  /** Lower-case hex of the key's SHA-256. */
  readonly sha256: string;
  readonly roles: readonly string[];
  readonly groups: readonly string[];
}

/** What one document may have, by its text alone. */
export interface DocumentLimits {
  readonly depth: number;
  readonly fields: number;
  readonly rootFields: number;
  readonly aliases: number;
  readonly directives: number;
  readonly tokens: number;
}

/** What one caller may use; null: any amount. */
export interface CallerLimits {
  readonly requestsPerMinute: number | null;
  readonly costPerMinute: number | null;
  /** Operations that are executed at one time. */
  readonly concurrent: number | null;
}

export interface Config {
  readonly server: {
    readonly host: string;
    readonly port: number;
    readonly search: SearchConfig;
    /** `cost`: of one operation. */
    readonly limits: DocumentLimits & CallerLimits & { readonly cost: number; readonly bodyBytes: number };
    readonly introspection: boolean;
    /** Whether an error of a document names the fields and types that may have been meant. */
    readonly suggestions: boolean;
    /** By their SHA-256 in hex; `required`: no other is executed. null: clients name what they like. */
    readonly persistedDocuments: {
      readonly documents: Readonly<Record<string, string>>;
      readonly required: boolean;
    } | null;
    /** Origins, or "*" for all; null: no page of another site reads anything. */
    readonly cors: {
      readonly origins: readonly string[];
      readonly credentials: boolean;
      readonly maxAge: number;
    } | null;
    /** Addresses and networks whose X-Forwarded-For is believed. */
    readonly trustedProxies: readonly string[];
    /** How long browsers are told to come by https alone; null: they are told nothing. */
    readonly strictTransportSecurity: number | null;
    /** Where metrics are served, and nowhere else; null: on the port of everybody. */
    readonly admin: { readonly host: string; readonly port: number } | null;
    /**
     * Bytes that are kept: of registries' answers in memory and on the disk (`disk` null: none), of finished answers
     * (`responses` null: none). `warm`: how many searches and look-ups are kept warm; null: nothing is asked for ahead of
     * its use.
     */
    readonly cache: {
      readonly memory: number;
      readonly disk: number | null;
      readonly responses: number | null;
      readonly warm: number | null;
    };
    /** Seals cursors: the first writes, all of them read. Never empty. */
    readonly secrets: readonly string[];
  };
  /** In resolution order. */
  readonly registries: readonly RegistryConfig[];
  readonly auth: {
    readonly anonymous: 'allow' | 'deny';
    readonly apiKeys: readonly ApiKeyConfig[];
    /** null: nobody signs in by a token. */
    readonly jwt: JwtConfig | null;
  };
  /** Where a publication goes that names no registry; null: it must name one. */
  readonly publish: { readonly defaultRegistry: string | null };
  readonly dataDirectory: string;
  /** Where the processes of this gateway share what they know; null: there is one process. */
  readonly redisUrl: string | null;
  readonly storage: StorageLocation;
  /** `retention`: how long events are kept, at least; null: for ever. */
  readonly audit: { readonly retention: number | null };
  readonly logLevel: string;
  /** Processes that serve at one address; what is said of limits holds for all of them together. */
  readonly workers: number;
}

import type { TemplateState } from './cache.ts';
import type { CallerToken } from './caller-token.ts';
import type { RegistryFailure } from './errors.ts';
import type { CacheOutcome, FacetValue, OrderDirection, OrderField, RegistryType, TemplateCriteria } from './search.ts';
import type {
  CatalogRow,
  CategoryCount,
  Template,
  TemplateContent,
  TemplateDocument,
  TemplateVersion,
} from './template.ts';

/** What the configuration says of a registry. */
export interface RegistryInfo {
  readonly name: string;
  readonly type: RegistryType;
  /** The adapter: "marketplace", ... */
  readonly kind: string;
  readonly url: string;
  readonly writable: boolean;
  /** Names are compared within one namespace. */
  readonly namespace: string;
  /** Globs of names that only this registry may provide. */
  readonly claims: readonly string[];
  /** Who may see it; null: everyone. Any of the roles or any of the groups suffices. */
  readonly access: { readonly roles: readonly string[]; readonly groups: readonly string[] } | null;
}

/** How a caller waits for an answer. The upstream call itself runs to its own timeout, whoever stops waiting. */
export interface CallOptions {
  /** On the clock of `performance.now()`; later answers are a TIMEOUT. Infinity: as long as the call itself may take. */
  readonly deadlineMs: number;
  /** Do not use a cached answer that was fetched before this time (`Date.now()` clock). 0 or absent: any fresh one. */
  readonly notBeforeMs?: number;
  /** Work that nobody waits for (catalogue refreshes): goes only where the registry's budget is spare. */
  readonly background?: boolean;
  /** NAMES: rows are read for the names alone. They are kept as long as catalogues are, and apart from those of searches. */
  readonly purpose?: 'NAMES';
}

/** A value with where it came from. */
export interface Answer<T> {
  readonly value: T;
  readonly cache: CacheOutcome;
  /** When the registry gave it, on the clock of `Date.now()`. */
  readonly fetchedAtMs: number;
  /** Until when it may be used again without asking, on the clock of `Date.now()`; 0: not at all. */
  readonly freshUntilMs: number;
  /** The wait of this caller. */
  readonly tookMs: number;
  /** With cache STALE: why there is no fresh answer; null: it is being asked for, and this one is good enough meanwhile. */
  readonly staleBecause: RegistryFailure | null;
}

/** One read of a registry's ordered list: a window, or a part of one. */
export interface RowRequest {
  readonly query: string;
  readonly criteria: TemplateCriteria;
  readonly field: OrderField;
  readonly direction: OrderDirection;
  readonly offset: number;
  readonly limit: number;
  /** Only these names among the matches (the protocol's optional `name=`). */
  readonly names?: readonly string[];
}

/** The facets that came with an answer, read when somebody asks for them: most searches do not. */
export interface SentFacets {
  /** By lower-case member name as on the wire (category, domain, complexity, license, verified). */
  read(): ReadonlyMap<string, readonly FacetValue[]>;
}

/** The rows of one upstream answer. */
export interface RowPage {
  /**
   * In the registry's order; at most `limit` (what a registry sends beyond it is cut off). null where an entry was
   * malformed: it still takes its place, so that `offset` + index is the row's position upstream.
   */
  readonly rows: readonly (CatalogRow | null)[];
  /** How many entries were malformed and dropped. */
  readonly malformed: number;
  /** What the registry says matches in all; null when it does not say, or says something impossible. */
  readonly totalCount: number | null;
  /** The registry says `"order":"total"`: a claim to be checked. */
  readonly claimsTotalOrder: boolean;
  /** null when not sent. */
  readonly facets: SentFacets | null;
}

/**
 * One registry as the federation sees it. Every method rejects with a RegistryFailure and nothing else. A `Template` that
 * is unknown is null, not a failure.
 */
export interface RegistrySource {
  readonly info: RegistryInfo;
  /**
   * The same registry, asked by a caller's own token: what it answers there is kept for that token alone. Only a registry that is
   * configured so has it; without a token such a registry is not asked, and fails with AUTHENTICATION.
   */
  readonly forCaller?: (token: CallerToken) => RegistrySource;
  searchRows(request: RowRequest, options: CallOptions): Promise<Answer<RowPage>>;
  /** version null: the newest. */
  fetchTemplate(name: string, version: string | null, options: CallOptions): Promise<Answer<Template | null>>;
  /** null where the name is unknown, or the registry keeps no list of versions. */
  fetchVersions(name: string, options: CallOptions): Promise<Answer<readonly TemplateVersion[] | null>>;
  fetchContent(name: string, version: string, options: CallOptions): Promise<Answer<TemplateContent | null>>;
  fetchCategories(options: CallOptions): Promise<Answer<readonly CategoryCount[]>>;
  /**
   * Publishes a document. null: the registry has taken it, or has had the very same one before, and does not say how it lists
   * it. Another document under the same version is a CONFLICT. Repeating it is safe: of a document nobody gets two.
   */
  publishTemplate(document: TemplateDocument): Promise<Template | null>;
  /**
   * Until when `searchRows` gives these rows without asking the registry, on the clock of `Date.now()`; 0: not, as far as is
   * known without looking at a disk.
   */
  peekRows(request: RowRequest): number;
  /**
   * The newest version of a template as it was when it was last asked for, however long ago; null: it is not known. Never
   * calls the registry, never rejects.
   */
  recallTemplate(name: string): Promise<TemplateState | null>;
  /** Whether a search could be asked right now (its circuit is not open). Never calls the registry. */
  canAnswer(): boolean;
  /** Closes the circuit of an operation (null: of all) and forgets the failures that it has counted. */
  resetCircuit(operation: RegistryOperation | null): void;
  /** Both read what was observed; neither calls the registry. */
  readHealth(): RegistryHealth;
  readMetrics(windowMs: number): RegistryMetrics;
}

export type HealthStatus = 'UP' | 'DEGRADED' | 'DOWN' | 'UNKNOWN';
export type CircuitState = 'CLOSED' | 'OPEN' | 'HALF_OPEN';
export type RegistryOperation = 'SEARCH' | 'TEMPLATE' | 'CATALOG' | 'PUBLISH';

export interface CircuitView {
  readonly operation: RegistryOperation;
  readonly state: CircuitState;
  readonly sinceMs: number;
  readonly nextAttemptAtMs: number | null;
}

export interface CertificateView {
  readonly subject: string;
  readonly issuer: string;
  readonly validFromMs: number;
  readonly validToMs: number;
}

export interface RegistryHealth {
  readonly status: HealthStatus;
  readonly sinceMs: number;
  readonly checkedAtMs: number | null;
  readonly latencyMs: number | null;
  readonly message: string | null;
  /** One per operation; the worst of them is what `Registry.health.circuit` shows. */
  readonly circuits: readonly CircuitView[];
  readonly certificate: CertificateView | null;
  /** 0..1 over the last 24 hours of checks; null before the first. */
  readonly uptime: number | null;
}

/** A registry's status changed, or one of its circuits did. */
export interface HealthChange {
  readonly registryName: string;
  /** The same as `health.status` where a circuit changed alone. */
  readonly previousStatus: HealthStatus;
  /** As it is now; null where no circuit changed. */
  readonly circuit: CircuitView | null;
  /** As it is now. */
  readonly health: RegistryHealth;
}

/** Milliseconds; null without samples. */
export interface LatencySummary {
  readonly mean: number | null;
  readonly p50: number | null;
  readonly p95: number | null;
  readonly p99: number | null;
  readonly max: number | null;
}

export interface RegistryMetrics {
  readonly requests: number;
  readonly successRate: number | null;
  readonly responseTime: LatencySummary;
  readonly cacheHitRate: number | null;
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly authFailures: number;
  readonly rateLimitHits: number;
  readonly timeouts: number;
  readonly retries: number;
  readonly circuitOpens: number;
  readonly inFlight: number;
  readonly queued: number;
}

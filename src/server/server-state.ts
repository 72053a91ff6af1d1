/** What the server keeps as long as the process lives, whatever becomes of the configuration. */
import type { GraphQLSchema } from 'graphql';
import type { ConfigState, DatabaseView, SharingView } from '../../resolvers/context.ts';
import { CallerQuotas, type UsageSharing } from '../access/caller-quotas.ts';
import type { UsedSignatures } from '../access/webhook-signature.ts';
import type { CallerLimits } from '../config/config.ts';
import type { OpenTokenVerifier } from '../identity/token-verifier.ts';
import { createGatewayMetrics, type GatewayMetrics } from '../telemetry/gateway-metrics.ts';
import { HttpRequests } from '../telemetry/http-requests.ts';
import type { ProcessUsage } from '../telemetry/process-usage.ts';
import type { FinishedUse } from './finished-answers.ts';
import { PersistedDocuments } from './persisted-documents.ts';
import { buildGatewaySchema } from './schema.ts';
import { SharedParts } from './shared-parts.ts';

export interface ServerState {
  readonly schema: GraphQLSchema;
  readonly metrics: GatewayMetrics;
  /** What was answered over HTTP. */
  readonly requests: HttpRequests;
  /** Of finished answers. */
  readonly finishedUse: FinishedUse;
  /** What the process uses; null: nobody can tell. */
  readonly readProcess: (() => ProcessUsage) | null;
  /** Documents that clients name by their hash. Each is checked anew by whoever answers the request. */
  readonly persisted: PersistedDocuments;
  /** A webhook is served once, over all configurations. */
  readonly usedSignatures: UsedSignatures;
  /** What callers have used so far: the same as before while the limits are. */
  quotasFor(limits: CallerLimits): CallerQuotas;
  /** null: this is the only process. */
  readSharing(): SharingView | null;
  /** null: nothing is kept in one. */
  readDatabase(): DatabaseView | null;
  /** Subscriptions, and other operations whose results are streamed, that are open now, over all configurations. */
  countSubscriptions: () => number;
  /** With the keys of issuers, and the tokens that were verified by them. */
  readonly tokenVerifiers: SharedParts<OpenTokenVerifier>;
  /** On the clock of `Date.now()`. */
  readonly startedAtMs: number;
  /** What became of the last change of the configuration. */
  configState: ConfigState;
  /** Metrics have a listener of their own, which the process keeps to its end: they are nowhere else. */
  servesMetricsApart: boolean;
  /**
   * Makes one page of metrics of this process's own and those of its siblings, of registries of these names (null: all); null:
   * it has none. Never rejects.
   */
  gatherMetrics: ((own: string, names: readonly string[] | null) => Promise<string>) | null;
  /** Whether every registry of the first configuration was tried once, however it answered. */
  isReady: boolean;
  /** The process is about to end: it is not ready any more, and closes each connection behind its answer. */
  isDraining: boolean;
}

/** Makes the state of a process that starts now; `readSharing` and `readProcess`: as of the state. Throws when the schema or a resolver is wrong. */
export function createServerState(
  readSharing: ServerState['readSharing'] = () => null,
  readProcess: ServerState['readProcess'] = null,
  usageSharing: UsageSharing | null = null,
  readDatabase: ServerState['readDatabase'] = () => null,
): ServerState {
  return {
    schema: buildGatewaySchema(),
    metrics: createGatewayMetrics(),
    requests: new HttpRequests(),
    finishedUse: { hits: 0, misses: 0 },
    readProcess,
    persisted: new PersistedDocuments(),
    usedSignatures: new Map(),
    quotasFor: createQuotaKeeper(usageSharing),
    readSharing,
    readDatabase,
    countSubscriptions: () => 0,
    tokenVerifiers: new SharedParts(),
    startedAtMs: Date.now(),
    configState: { refusal: null, needsRestart: [] },
    servesMetricsApart: false,
    gatherMetrics: null,
    isReady: false,
    isDraining: false,
  };
}

function createQuotaKeeper(sharing: UsageSharing | null): ServerState['quotasFor'] {
  let kept: { readonly key: string; readonly quotas: CallerQuotas } | null = null;
  // As long as the process lives, and with it the way to the others.
  sharing?.subscribe((reports) => kept?.quotas.hear(reports, Date.now()));
  return ({ requestsPerMinute, costPerMinute, concurrent }) => {
    const key = JSON.stringify([requestsPerMinute, costPerMinute, concurrent]);
    if (kept?.key !== key) {
      kept = { key, quotas: new CallerQuotas({ requestsPerMinute, costPerMinute, concurrent }, sharing) };
    }
    return kept.quotas;
  };
}

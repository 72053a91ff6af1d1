/** What the server keeps as long as the process lives, whatever becomes of the configuration. */
import type { GraphQLSchema } from 'graphql';
import type { ConfigState, SharingView } from '../../resolvers/context.ts';
import { CallerQuotas } from '../access/caller-quotas.ts';
import type { UsedSignatures } from '../access/webhook-signature.ts';
import type { CallerLimits } from '../config/config.ts';
import type { OpenTokenVerifier } from '../identity/token-verifier.ts';
import { createGatewayMetrics, type GatewayMetrics } from '../telemetry/gateway-metrics.ts';
import { PersistedDocuments } from './persisted-documents.ts';
import { buildGatewaySchema } from './schema.ts';
import { SharedParts } from './shared-parts.ts';

export interface ServerState {
  readonly schema: GraphQLSchema;
  readonly metrics: GatewayMetrics;
  /** Documents that clients name by their hash. Each is checked anew by whoever answers the request. */
  readonly persisted: PersistedDocuments;
  /** A webhook is served once, over all configurations. */
  readonly usedSignatures: UsedSignatures;
  /** What callers have used so far: the same as before while the limits are. */
  quotasFor(limits: CallerLimits): CallerQuotas;
  /** null: this is the only process. */
  readSharing(): SharingView | null;
  /** With the keys of issuers, and the tokens that were verified by them. */
  readonly tokenVerifiers: SharedParts<OpenTokenVerifier>;
  /** On the clock of `Date.now()`. */
  readonly startedAtMs: number;
  /** What became of the last change of the configuration. */
  configState: ConfigState;
  /** Whether every registry of the first configuration was tried once, however it answered. */
  isReady: boolean;
  /** The process is about to end: it is not ready any more, and closes each connection behind its answer. */
  isDraining: boolean;
}

/** Makes the state of a process that starts now; `readSharing`: as of the state. Throws when the schema or a resolver is wrong. */
export function createServerState(readSharing: ServerState['readSharing'] = () => null): ServerState {
  return {
    schema: buildGatewaySchema(),
    metrics: createGatewayMetrics(),
    persisted: new PersistedDocuments(),
    usedSignatures: new Map(),
    quotasFor: createQuotaKeeper(),
    readSharing,
    tokenVerifiers: new SharedParts(),
    startedAtMs: Date.now(),
    configState: { refusal: null, needsRestart: [] },
    isReady: false,
    isDraining: false,
  };
}

function createQuotaKeeper(): ServerState['quotasFor'] {
  let kept: { readonly key: string; readonly quotas: CallerQuotas } | null = null;
  return ({ requestsPerMinute, costPerMinute, concurrent }) => {
    const key = JSON.stringify([requestsPerMinute, costPerMinute, concurrent]);
    if (kept?.key !== key) {
      kept = { key, quotas: new CallerQuotas({ requestsPerMinute, costPerMinute, concurrent }) };
    }
    return kept.quotas;
  };
}

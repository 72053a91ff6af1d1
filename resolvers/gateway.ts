/** schema/gateway.graphql */
import type { Caller } from '../src/domain/caller.ts';
import type { HealthStatus } from '../src/domain/registry.ts';
import type { FederationView } from '../src/federation/answers.ts';
import { checkRange } from './arguments.ts';
import type { DatabaseView, GatewayReading, GatewayStatus, RequestContext, SharingView } from './context.ts';
import { METRICS_WINDOW_MS, type MetricsWindow } from './registry.ts';

/** Most templates that `popularTemplates` names. */
const MAX_POPULAR_TEMPLATES = 100;
/** Faults of a configuration that a message names. */
const MAX_SHOWN_FAULTS = 20;

/** Judged by the registries that the caller may see alone, so that it tells nothing of the others. */
function readGatewayHealth(gateway: GatewayStatus, { view, caller }: RequestContext) {
  const states = view.registries.map(({ source }) => ({ name: source.info.name, status: source.readHealth().status }));
  const notUp = states.filter(({ status }) => status !== 'UP');
  const registries = notUp.length === 0 ? null : notUp.map(({ name, status }) => `${name} is ${status}`).join(', ');
  const stores = describeStores(gateway);
  const faults = [stores, describeConfigState(gateway, caller)].filter((text) => text !== null);
  const status = judgeHealth(states.map((state) => state.status));
  const isWhole = gateway.readConfigState().refusal === null && stores === null;
  const sentences = registries === null ? faults : [faults.length === 0 ? registries : `${registries}.`, ...faults];
  return {
    status: status === 'UP' && !isWhole ? 'DEGRADED' : status,
    registriesUp: states.length - notUp.length,
    registriesTotal: states.length,
    message: sentences.length === 0 ? null : sentences.join(' '),
  };
}

/** What the gateway keeps and shares; null: it can. */
function describeStores(gateway: GatewayStatus): string | null {
  const sentences = [
    ...(gateway.readDatabase()?.state === 'DOWN'
      ? ['The database cannot be written or read: what must be on record is refused.']
      : []),
    ...(gateway.readSharing()?.state === 'DOWN'
      ? ['What is shared with other processes cannot be reached: each goes on by itself.']
      : []),
  ];
  return sentences.length === 0 ? null : sentences.join(' ');
}

/** What is wrong in the file names registries: that is for those who may know them all, and its values for admins. */
function describeConfigState(gateway: GatewayStatus, { roles }: Caller): string | null {
  const { refusal, needsRestart } = gateway.readConfigState();
  const isAdmin = roles.includes('admin');
  const sentences: string[] = [];
  if (refusal !== null) {
    const faults = isAdmin ? refusal.faults : gateway.isRestricted ? [] : refusal.withoutValues;
    const shown = faults.slice(0, MAX_SHOWN_FAULTS);
    sentences.push(
      `The configuration that was changed at ${new Date(refusal.atMs).toISOString()} was refused; the one before is in use.`,
      ...shown,
      faults.length > shown.length || shown.length === 0 ? 'The log has all faults.' : '',
    );
  }
  if (needsRestart.length > 0) sentences.push(`A restart is needed for the changes of ${needsRestart.join(', ')}.`);
  return sentences.length === 0 ? null : sentences.filter((sentence) => sentence !== '').join(' ');
}

function judgeHealth(states: readonly HealthStatus[]): HealthStatus {
  if (states.every((status) => status === 'UP')) return 'UP';
  if (states.every((status) => status === 'DOWN')) return 'DOWN';
  if (states.every((status) => status === 'UNKNOWN')) return 'UNKNOWN';
  return 'DEGRADED';
}

/** Hits over questions, all visible registries together; null before the first question. */
function readCacheHitRate(view: FederationView, windowMs: number): number | null {
  let hits = 0;
  let misses = 0;
  for (const { source } of view.registries) {
    const { cacheHits, cacheMisses } = source.readMetrics(windowMs);
    hits += cacheHits;
    misses += cacheMisses;
  }
  return hits + misses === 0 ? null : hits / (hits + misses);
}

function readMetrics(gateway: GatewayStatus, { window }: { window: MetricsWindow }, { view }: RequestContext) {
  const windowMs = METRICS_WINDOW_MS[window];
  const visible = new Set(view.registries.map(({ source }) => source.info.name));
  const reading = gateway.readMetrics(windowMs, (name) => visible.has(name));
  return {
    ...reading,
    cacheHitRate: () => readCacheHitRate(view, windowMs),
    subscriptions: gateway.countSubscriptions(),
  };
}

function popularTemplates(reading: GatewayReading, { first }: { first: number | null }) {
  return reading.popularTemplates.slice(0, checkRange('first', first ?? 10, 1, MAX_POPULAR_TEMPLATES));
}

export const gatewayResolvers = {
  Query: {
    gateway: (_: unknown, __: unknown, { gateway }: RequestContext) => gateway,
  },
  Gateway: {
    startedAt: (gateway: GatewayStatus) => gateway.startedAtMs,
    health: (gateway: GatewayStatus, _: unknown, context: RequestContext) => readGatewayHealth(gateway, context),
    database: (gateway: GatewayStatus) => gateway.readDatabase(),
    sharing: (gateway: GatewayStatus) => gateway.readSharing(),
    metrics: readMetrics,
  },
  DatabaseHealth: {
    since: ({ sinceMs }: DatabaseView) => sinceMs,
  },
  SharingHealth: {
    since: ({ sinceMs }: SharingView) => sinceMs,
  },
  GatewayMetrics: { popularTemplates },
};

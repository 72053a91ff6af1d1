/** schema/gateway.graphql */
import type { HealthStatus } from '../src/domain/registry.ts';
import type { FederationView } from '../src/federation/answers.ts';
import { checkRange } from './arguments.ts';
import type { GatewayReading, GatewayStatus, RequestContext, SharingView } from './context.ts';
import { METRICS_WINDOW_MS, type MetricsWindow } from './registry.ts';

/** Most templates that `popularTemplates` names. */
const MAX_POPULAR_TEMPLATES = 100;

/** Judged by the registries that the caller may see alone, so that it tells nothing of the others. */
function readGatewayHealth(view: FederationView) {
  const states = view.registries.map(({ source }) => ({ name: source.info.name, status: source.readHealth().status }));
  const notUp = states.filter(({ status }) => status !== 'UP');
  return {
    status: judgeHealth(states.map(({ status }) => status)),
    registriesUp: states.length - notUp.length,
    registriesTotal: states.length,
    message: notUp.length === 0 ? null : notUp.map(({ name, status }) => `${name} is ${status}`).join(', '),
  };
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

function popularTemplates(reading: GatewayReading, { first }: { first: number | null }, { view }: RequestContext) {
  const count = checkRange('first', first ?? 10, 1, MAX_POPULAR_TEMPLATES);
  const visible = new Set(view.registries.map(({ source }) => source.info.name));
  return reading.popularTemplates.filter(({ registryName }) => visible.has(registryName)).slice(0, count);
}

export const gatewayResolvers = {
  Query: {
    gateway: (_: unknown, __: unknown, { gateway }: RequestContext) => gateway,
  },
  Gateway: {
    startedAt: (gateway: GatewayStatus) => gateway.startedAtMs,
    health: (_: GatewayStatus, __: unknown, { view }: RequestContext) => readGatewayHealth(view),
    sharing: (gateway: GatewayStatus) => gateway.readSharing(),
    metrics: (gateway: GatewayStatus, { window }: { window: MetricsWindow }, { view }: RequestContext) => {
      const windowMs = METRICS_WINDOW_MS[window];
      return { ...gateway.readMetrics(windowMs), cacheHitRate: () => readCacheHitRate(view, windowMs) };
    },
  },
  SharingHealth: {
    since: ({ sinceMs }: SharingView) => sinceMs,
  },
  GatewayMetrics: { popularTemplates },
};

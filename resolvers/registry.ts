/** schema/registry.graphql */
import type { Caller } from '../src/domain/caller.ts';
import type {
  CertificateView,
  CircuitState,
  CircuitView,
  HealthStatus,
  RegistryHealth,
  RegistryInfo,
  RegistryOperation,
} from '../src/domain/registry.ts';
import type { RegistryType } from '../src/domain/search.ts';
import type { VisibleRegistry } from '../src/federation/answers.ts';
import { checkList, checkRegistryName, checkValue } from './arguments.ts';
import type { RequestContext } from './context.ts';
import { encodeRegistryId } from './node-id.ts';

export type MetricsWindow = 'ONE_MINUTE' | 'FIVE_MINUTES' | 'ONE_HOUR';

export const METRICS_WINDOW_MS: Record<MetricsWindow, number> = {
  ONE_MINUTE: 60_000,
  FIVE_MINUTES: 300_000,
  ONE_HOUR: 3_600_000,
};

const DAY_MS = 86_400_000;

interface RegistriesArguments {
  readonly types?: readonly RegistryType[] | null;
  readonly statuses?: readonly HealthStatus[] | null;
}

interface ResetCircuitArguments {
  readonly input: { readonly registry: string; readonly operation?: RegistryOperation | null };
}

function registries(_: unknown, given: RegistriesArguments, { view }: RequestContext): readonly VisibleRegistry[] {
  const statuses = checkList('statuses', given.statuses);
  const ofTypes = view.registriesOfTypes(checkList('types', given.types));
  if (statuses === null) return ofTypes;
  return ofTypes.filter(({ source }) => statuses.includes(source.readHealth().status));
}

/**
 * The address of a private or restricted registry is the concern of those who run the gateway. It never carries a user or
 * password, whatever the configuration holds.
 */
function urlFor(info: RegistryInfo, caller: Caller): string | null {
  const isOpen = info.access === null && info.type !== 'PRIVATE';
  if (!isOpen && !caller.roles.includes('admin')) return null;
  const url = new URL(info.url);
  if (url.username === '' && url.password === '') return info.url;
  url.username = '';
  url.password = '';
  return url.href;
}

async function resetCircuit(_: unknown, { input }: ResetCircuitArguments, context: RequestContext) {
  context.requireRole('admin');
  const registryName = checkRegistryName('input.registry', input.registry, context.view);
  const registry = context.view.registryNamed(registryName, 'input.registry');
  const operation = input.operation ?? null;
  const detail = operation === null ? null : `operation ${operation}`;
  return await context.audit.perform({ action: 'circuit.reset', registryName, detail }, async () => {
    registry.source.resetCircuit(operation);
    return { registry };
  });
}

/** OPEN before HALF_OPEN before CLOSED. */
function worstState(circuits: readonly CircuitView[]): CircuitState {
  const states = new Set(circuits.map((circuit) => circuit.state));
  if (states.has('OPEN')) return 'OPEN';
  return states.has('HALF_OPEN') ? 'HALF_OPEN' : 'CLOSED';
}

export const registryResolvers = {
  Query: {
    registries,
    registry: (_: unknown, { name }: { name: string }, { view }: RequestContext) =>
      view.registryNamed(checkValue('name', name), 'name'),
  },
  Mutation: { resetCircuit },
  Registry: {
    id: ({ source }: VisibleRegistry) => encodeRegistryId(source.info.name),
    name: ({ source }: VisibleRegistry) => source.info.name,
    type: ({ source }: VisibleRegistry) => source.info.type,
    kind: ({ source }: VisibleRegistry) => source.info.kind,
    url: ({ source }: VisibleRegistry, _: unknown, { caller }: RequestContext) => urlFor(source.info, caller),
    writable: ({ source }: VisibleRegistry) => source.info.writable,
    health: ({ source }: VisibleRegistry) => source.readHealth(),
    metrics: ({ source }: VisibleRegistry, { window }: { window: MetricsWindow }) =>
      source.readMetrics(METRICS_WINDOW_MS[window]),
  },
  RegistryHealth: {
    since: (health: RegistryHealth) => health.sinceMs,
    checkedAt: (health: RegistryHealth) => health.checkedAtMs,
    circuit: (health: RegistryHealth) => worstState(health.circuits),
  },
  Circuit: {
    since: (circuit: CircuitView) => circuit.sinceMs,
    nextAttemptAt: (circuit: CircuitView) => circuit.nextAttemptAtMs,
  },
  RegistryCertificate: {
    validFrom: (certificate: CertificateView) => certificate.validFromMs,
    validTo: (certificate: CertificateView) => certificate.validToMs,
    daysRemaining: (certificate: CertificateView) => Math.floor((certificate.validToMs - Date.now()) / DAY_MS),
  },
};

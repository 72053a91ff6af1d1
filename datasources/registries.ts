import type { LookupFunction } from 'node:net';
import { AnswerCache } from '../src/cache/answer-cache.ts';
import type { RegistryConfig } from '../src/config/config.ts';
import type { RegistryFailure } from '../src/domain/errors.ts';
import type { HealthChange, RegistrySource } from '../src/domain/registry.ts';
import type { CallTracer } from '../src/domain/trace.ts';
import { ClaimedNames } from '../src/telemetry/claimed-names.ts';
import type { MeasuredRegistry } from '../src/telemetry/metrics-page.ts';
import { isGoodAnswer, RegistryMeter } from '../src/telemetry/registry-metrics.ts';
import { noteCall } from '../src/telemetry/request-scope.ts';
import { followNews, type Sharing, tellCircuit, tellHealth, tellPause } from './cluster-news.ts';
import { HealthMonitor, type HealthMonitorOptions } from './health/monitor.ts';
import { openUpstream } from './http/chain.ts';
import type { UpstreamObserver } from './http/layer.ts';
import { marketplace } from './marketplace/index.ts';
import type { RegistryDefinition } from './registry-definition.ts';
import { createRestRegistry } from './rest-registry.ts';

/** The kinds of registry: one line each, one folder each. */
const KINDS: Readonly<Record<RegistryConfig['kind'], RegistryDefinition>> = {
  marketplace,
};

/** What calls of users met in so long a time is part of a registry's health. */
const CALLS_WINDOW_MS = 60_000;

/** Where no cache is given the registries share one of this size in memory. */
const CACHE_BYTES = 64 * 1024 * 1024;

export interface OpenRegistriesOptions {
  readonly logger?: Record<'info' | 'warn', (detail: object, message: string) => void>;
  /** As `Date.now()`; for health and metrics alone. */
  readonly now?: () => number;
  /** Keeps their answers, and those of others perhaps: it is not closed with these. */
  readonly cache?: AnswerCache;
  /** What is shared with other processes; null: this is the only one. */
  readonly sharing?: Sharing | null;
  /** Follows the calls; null: nobody does. */
  readonly tracer?: CallTracer | null;
  /** Told of each request that carries a registry's credentials, in the scope of whoever causes it. */
  readonly onCredentialsUsed?: (registryName: string) => void;
  /** Stands for the system's resolver. */
  readonly lookup?: LookupFunction;
}

type HealthListener = (change: HealthChange) => void;

/** The registries of a configuration, open for calls. */
export interface OpenRegistries {
  /** In the order they were given, which is the resolution order. */
  readonly sources: readonly RegistrySource[];
  /** What is kept of their answers, to be told of changes. */
  readonly cache: Pick<AnswerCache, 'invalidate' | 'onInvalidated' | 'readUsage'>;
  /** Resolves when every registry was tried once, however it answered (contract 3, /readyz). */
  whenTriedOnce(): Promise<void>;
  /**
   * Calls the listener whenever the status of a registry changes, or the state of one of its circuits; it must not throw. Gives
   * the function that ends it.
   */
  onHealthChange(listener: HealthListener): () => void;
  /** All that was counted of each since the start, and how it does now. Calls nobody. */
  readTotals(): readonly MeasuredRegistry[];
  /** Stops health checks and cuts every connection; calls that are under way fail. */
  close(): Promise<void>;
}

/**
 * Opens the registries of a configuration (in resolution order): connections are made when the first call or health check
 * needs one. Throws an Error naming the registry whose SSH key cannot be read.
 */
export function openRegistries(
  configs: readonly RegistryConfig[],
  options: OpenRegistriesOptions = {},
): OpenRegistries {
  const cache = options.cache ?? createOwnCache();
  const opened = new RegistryPool({ ...options, cache }).open(configs);
  return {
    ...opened,
    async close() {
      await opened.close();
      if (cache !== options.cache) await cache.close();
    },
  };
}

function createOwnCache(): AnswerCache {
  return new AnswerCache({ memoryBytes: CACHE_BYTES, disk: null, log: { warn: () => undefined } });
}

/**
 * The registries that are open, over changes of the configuration: what one has learnt of a registry (its circuit, its
 * budget, its connections, its health, what was counted) goes on for the next that has it with equal settings.
 */
export class RegistryPool {
  readonly #options: OpenRegistriesOptions & { readonly cache: AnswerCache };
  /** By what their connections depend on. */
  readonly #open = new Map<string, OpenRegistry>();

  constructor(options: OpenRegistriesOptions & { readonly cache: AnswerCache }) {
    this.#options = options;
  }

  /**
   * Opens those that are not open yet; in resolution order. Closing closes those that nobody else has. Throws an Error naming
   * the registry whose SSH key cannot be read, and then nothing has changed.
   */
  open(configs: readonly RegistryConfig[]): OpenRegistries {
    const prepared = configs.map((config) => {
      const key = keyOfConnection(config);
      return {
        config,
        key,
        known: this.#open.get(key) ?? prepareRegistry(config, this.#meterOf(config), this.#options),
      };
    });
    const used = prepared.map(({ config, key, known }) => {
      const registry =
        'users' in known ? known : startRegistry(known, this.#find(config)?.health ?? null, this.#options);
      this.#open.set(key, registry);
      registry.users += 1;
      return { key, registry, source: registry.sourceFor(config) };
    });
    return {
      sources: used.map(({ source }) => source),
      cache: this.#options.cache,
      async whenTriedOnce() {
        await Promise.all(used.map(({ registry }) => registry.whenTriedOnce()));
      },
      readTotals: () => used.map(({ registry }) => registry.readTotals()),
      onHealthChange(listener) {
        // Each call is a registration of its own, also of the same function.
        const registered: HealthListener = (change) => listener(change);
        const heard = used.map(({ registry: { listeners } }) => listeners.add(registered));
        return () => {
          for (const listeners of heard) listeners.delete(registered);
        };
      },
      close: async () => {
        await Promise.all(used.splice(0).map(({ key, registry }) => this.#release(key, registry)));
      },
    };
  }

  async #release(key: string, registry: OpenRegistry): Promise<void> {
    registry.users -= 1;
    if (registry.users > 0) return;
    this.#open.delete(key);
    await registry.close();
  }

  /** What was counted of a registry goes on when it is opened with other settings. */
  #meterOf(config: RegistryConfig): RegistryMeter {
    return this.#find(config)?.meter ?? new RegistryMeter(this.#options.now ?? Date.now);
  }

  /** The same registry with other settings, the newest that there are. */
  #find({ name, url }: RegistryConfig): OpenRegistry | undefined {
    return [...this.#open.values()].findLast(({ config }) => config.name === name && config.url === url);
  }
}

/** Equal for settings that connections, circuit, budget and health checks cannot tell apart. */
function keyOfConnection(config: RegistryConfig): string {
  const rest = {
    type: null,
    priority: null,
    namespace: null,
    access: null,
    claims: null,
    readOnly: null,
    webhook: null,
  };
  return JSON.stringify({ ...config, ...rest });
}

/** A registry that is open, and how many configurations have it. */
type OpenRegistry = ReturnType<typeof startRegistry>;
type Prepared = ReturnType<typeof prepareRegistry>;

/** Everything that can fail, before anything runs that would have to be stopped again. */
function prepareRegistry(
  config: RegistryConfig,
  meter: RegistryMeter,
  options: OpenRegistriesOptions & { readonly cache: AnswerCache },
) {
  const { cache } = options;
  const healthListeners: Pick<HealthMonitor, 'noteCall' | 'noteCircuitChange'>[] = [];
  const observer: UpstreamObserver = {
    onCacheOutcome: (outcome, operation) => {
      // What is published goes past the cache.
      if (operation !== 'PUBLISH') meter.onCacheOutcome(outcome, operation);
    },
    onAttemptStart: () => {
      meter.onAttemptStart();
      noteCall();
    },
    onAttemptEnd: (tookMs, failure) => {
      meter.onAttemptEnd(tookMs, failure);
      // What one caller's token is worth says nothing of the registry.
      const isCallers = config.credentials?.type === 'passthrough' && failure?.type === 'AUTHENTICATION';
      for (const health of healthListeners) health.noteCall(isCallers || isGoodAnswer(failure));
      if (failure !== null) logFailure(failure, options);
    },
    onRetry: () => meter.onRetry(),
    onRateLimitRefusal: () => meter.onRateLimitRefusal(),
    onPause: (durationMs) => tellPause(options.sharing, upstream.identity, durationMs),
    onCircuitChange: (circuit, isDiscovery) => {
      const { operation, state } = circuit;
      if (isDiscovery) tellCircuit(options.sharing, upstream.identity, circuit);
      meter.onCircuitChange(circuit);
      options.logger?.warn({ registry: config.name, operation, state }, 'the circuit of a registry changed');
      for (const health of healthListeners) health.noteCircuitChange(circuit);
    },
  };
  const upstream = openUpstream(config, {
    ...{ cache, observer, lender: options.sharing?.lender ?? null },
    tracer: options.tracer ?? null,
    ...(options.onCredentialsUsed && { onCredentialsUsed: options.onCredentialsUsed }),
    ...(options.lookup && { lookup: options.lookup }),
  });
  return { config, meter, upstream, healthListeners };
}

function startRegistry(
  { config, meter, upstream, healthListeners }: Prepared,
  predecessor: HealthMonitor | null,
  options: OpenRegistriesOptions,
) {
  const definition = KINDS[config.kind];
  const listeners = new Set<HealthListener>();
  const checks: HealthMonitorOptions = {
    registryName: config.name,
    upstream,
    paths: definition.healthPaths,
    intervalMs: config.health.interval,
    timeoutMs: config.timeouts.health,
    hasNoCredentials: config.credentials?.type === 'passthrough',
    degradedLatencyMs: config.health.degradedLatency,
    degradedErrorPercentage: config.health.degradedErrorPercentage,
    countCalls: () => meter.countCalls(CALLS_WINDOW_MS),
    now: options.now ?? Date.now,
    warn: (detail, message) => options.logger?.warn(detail, message),
    onChange: (change, detail) => {
      logHealthChange(change, detail, options);
      tellHealth(options.sharing, upstream.identity, change);
      for (const listener of listeners) listener(change);
    },
  };
  const health = new HealthMonitor(checks, predecessor);
  healthListeners.push(health);
  const endNews = followNews(options.sharing, upstream, () => health.checkSoon());
  const claimedNames = new ClaimedNames(options.now ?? Date.now);
  const noteClaimedName = (template: string): void => {
    if (!claimedNames.note(template)) return;
    meter.onClaimedName();
    options.logger?.warn(
      { registry: config.name, template },
      'a registry has a name that another one claims; it is not served',
    );
  };
  let latest: { readonly settings: string; readonly source: RegistrySource } | null = null;
  return {
    config,
    meter,
    health,
    users: 0,
    listeners,
    /** The same object for equal settings: what is learnt of a registry is remembered by it. */
    sourceFor(wanted: RegistryConfig): RegistrySource {
      const settings = JSON.stringify({ ...wanted, priority: null });
      if (latest?.settings === settings) return latest.source;
      const source = createRestRegistry({
        config: wanted,
        definition,
        upstream,
        noteClaimedName,
        readHealth: () => health.read(),
        readMetrics: (windowMs) => meter.read(windowMs, upstream.countQueued()),
      });
      latest = { settings, source };
      return source;
    },
    whenTriedOnce: () => health.whenTriedOnce(),
    readTotals: () => ({
      name: config.name,
      totals: meter.readTotals(upstream.countQueued()),
      health: health.read(),
    }),
    async close() {
      endNews();
      health.close();
      await upstream.close();
    },
  };
}

/** A circuit that changes alone has a line already. */
function logHealthChange(change: HealthChange, detail: string | null, { logger }: OpenRegistriesOptions): void {
  const { registryName: registry, previousStatus, health } = change;
  const { status, message } = health;
  if (status === previousStatus) return;
  const level = status === 'UP' ? 'info' : 'warn';
  const why = detail === null ? {} : { detail };
  logger?.[level]({ registry, status, previousStatus, reason: message, ...why }, 'the health of a registry changed');
}

/** The one place that knows why; what clients are told holds no detail. */
function logFailure(failure: RegistryFailure, { logger }: OpenRegistriesOptions): void {
  const { registryName: registry, type, statusCode, retryAfterMs, logDetail: detail } = failure;
  logger?.warn({ registry, type, statusCode, retryAfterMs, detail }, 'a call to a registry failed');
}

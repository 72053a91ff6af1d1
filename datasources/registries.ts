import type { LookupFunction } from 'node:net';
import { AnswerCache } from '../src/cache/answer-cache.ts';
import type { RegistryConfig } from '../src/config/config.ts';
import type { RegistryFailure } from '../src/domain/errors.ts';
import type { RegistrySource } from '../src/domain/registry.ts';
import type { CallTracer } from '../src/domain/trace.ts';
import { RegistryMeter } from '../src/telemetry/registry-metrics.ts';
import { HealthMonitor } from './health-monitor.ts';
import { openUpstream } from './http/chain.ts';
import type { UpstreamObserver } from './http/layer.ts';
import { marketplace } from './marketplace/index.ts';
import { createRestRegistry, type RegistryDefinition } from './rest-registry.ts';

/** The kinds of registry: one line each, one folder each. */
const KINDS: Readonly<Record<RegistryConfig['kind'], RegistryDefinition>> = {
  marketplace,
};

/** Where no cache is given the registries share one of this size in memory. */
const CACHE_BYTES = 64 * 1024 * 1024;

export interface OpenRegistriesOptions {
  readonly logger?: { warn(detail: object, message: string): void };
  /** As `Date.now()`; for health and metrics alone. */
  readonly now?: () => number;
  /** Keeps their answers, and those of others perhaps: it is not closed with these. */
  readonly cache?: AnswerCache;
  /** Follows the calls; null: nobody does. */
  readonly tracer?: CallTracer | null;
  /** Stands for the system's resolver. */
  readonly lookup?: LookupFunction;
}

/** The registries of a configuration, open for calls. */
export interface OpenRegistries {
  /** In the order they were given, which is the resolution order. */
  readonly sources: readonly RegistrySource[];
  /** What is kept of their answers, to be told of changes. */
  readonly cache: Pick<AnswerCache, 'invalidate' | 'onInvalidated' | 'readUsage'>;
  /** Resolves when every registry was tried once, however it answered (contract 3, /readyz). */
  whenTriedOnce(): Promise<void>;
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
      const registry = 'users' in known ? known : startRegistry(known, this.#options);
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
  #meterOf({ name, url }: RegistryConfig): RegistryMeter {
    const same = [...this.#open.values()].find(({ config }) => config.name === name && config.url === url);
    return same?.meter ?? new RegistryMeter(this.#options.now ?? Date.now);
  }
}

/** Equal for settings that connections, circuit, budget and health checks cannot tell apart. */
function keyOfConnection(config: RegistryConfig): string {
  const rest = { type: null, priority: null, namespace: null, access: null, claims: null, webhook: null };
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
  const circuitListeners: (() => void)[] = [];
  const observer: UpstreamObserver = {
    onCacheOutcome: (outcome) => meter.onCacheOutcome(outcome),
    onAttemptStart: () => meter.onAttemptStart(),
    onAttemptEnd: (tookMs, failure) => {
      meter.onAttemptEnd(tookMs, failure);
      if (failure !== null) logFailure(failure, options);
    },
    onRetry: () => meter.onRetry(),
    onRateLimitRefusal: () => meter.onRateLimitRefusal(),
    onCircuitChange: (operation, state) => {
      meter.onCircuitChange(operation, state);
      options.logger?.warn({ registry: config.name, operation, state }, 'the circuit of a registry changed');
      for (const listener of circuitListeners) listener();
    },
  };
  const upstream = openUpstream(config, {
    cache,
    observer,
    tracer: options.tracer ?? null,
    ...(options.lookup && { lookup: options.lookup }),
  });
  return { config, meter, upstream, circuitListeners };
}

function startRegistry({ config, meter, upstream, circuitListeners }: Prepared, options: OpenRegistriesOptions) {
  const definition = KINDS[config.kind];
  const health = new HealthMonitor({
    registryName: config.name,
    upstream,
    paths: definition.healthPaths,
    intervalMs: config.health.interval,
    timeoutMs: config.timeouts.health,
    now: options.now ?? Date.now,
  });
  circuitListeners.push(() => health.noteCircuitChange());
  let latest: { readonly settings: string; readonly source: RegistrySource } | null = null;
  return {
    config,
    meter,
    users: 0,
    /** The same object for equal settings: what is learnt of a registry is remembered by it. */
    sourceFor(wanted: RegistryConfig): RegistrySource {
      const settings = JSON.stringify({ ...wanted, priority: null });
      if (latest?.settings === settings) return latest.source;
      const source = createRestRegistry({
        config: wanted,
        definition,
        upstream,
        readHealth: () => health.read(),
        readMetrics: (windowMs) => meter.read(windowMs, upstream.countQueued()),
      });
      latest = { settings, source };
      return source;
    },
    whenTriedOnce: () => health.whenTriedOnce(),
    async close() {
      health.close();
      await upstream.close();
    },
  };
}

/** The one place that knows why; what clients are told holds no detail. */
function logFailure(failure: RegistryFailure, { logger }: OpenRegistriesOptions): void {
  const { registryName: registry, type, statusCode, retryAfterMs, logDetail: detail } = failure;
  logger?.warn({ registry, type, statusCode, retryAfterMs, detail }, 'a call to a registry failed');
}

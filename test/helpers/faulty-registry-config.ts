import type { RegistryConfig } from '../../src/config/config.ts';

/** Overrides of a registry's configuration; the nested groups may be given in part. */
export type RegistryConfigOverrides = Omit<
  Partial<RegistryConfig>,
  'timeouts' | 'retry' | 'circuit' | 'cache' | 'health'
> & {
  readonly timeouts?: Partial<RegistryConfig['timeouts']>;
  readonly retry?: Partial<RegistryConfig['retry']>;
  readonly circuit?: Partial<RegistryConfig['circuit']>;
  readonly cache?: Partial<RegistryConfig['cache']>;
  readonly health?: Partial<RegistryConfig['health']>;
};

/**
 * A registry's configuration as the contract's defaults have it, for the registry at this URL. No retries unless asked
 * for, so that arrivals can be counted, and one health check at the start alone.
 */
export function configureRegistry(url: string, overrides: RegistryConfigOverrides = {}): RegistryConfig {
  return {
    name: 'faulty',
    type: 'COMMUNITY',
    kind: 'marketplace',
    url,
    insecureHttp: false,
    allowPrivateNetwork: false,
    namespace: 'marketplace',
    priority: null,
    credentials: null,
    rateLimit: { requestsPerSecond: 1_000, burst: 1_000, concurrent: 50, maxQueue: 200 },
    tls: null,
    proxy: null,
    access: null,
    claims: [],
    readOnly: false,
    popularityScale: 1,
    webhook: null,
    ...overrides,
    health: { interval: 3_600_000, degradedLatency: 1_000, degradedErrorPercentage: 10, ...overrides.health },
    timeouts: { connect: 500, search: 800, template: 2_000, publish: 30_000, health: 2_000, ...overrides.timeouts },
    retry: { attempts: 0, baseDelay: 100, maxDelay: 2_000, ...overrides.retry },
    circuit: {
      errorThresholdPercentage: 50,
      volumeThreshold: 5,
      window: 10_000,
      resetTimeout: 10_000,
      ...overrides.circuit,
    },
    cache: {
      search: 900_000,
      template: 3_600_000,
      catalog: 86_400_000,
      staleWhileRevalidate: 60_000,
      staleIfError: 86_400_000,
      ...overrides.cache,
    },
  };
}

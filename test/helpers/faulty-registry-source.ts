import { type OpenRegistries, type OpenRegistriesOptions, openRegistries } from '../../datasources/registries.ts';
import { RegistryFailure } from '../../src/domain/errors.ts';
import type { Answer, CallOptions, RegistrySource, RowPage } from '../../src/domain/registry.ts';
import { type FaultyRegistry, type FaultyRegistryOptions, startFaultyRegistry } from './faulty-registry.ts';
import { configureRegistry, type RegistryConfigOverrides } from './faulty-registry-config.ts';
import { BROWSE } from './row-request.ts';

/** A faulty registry with the gateway's own source over it. */
export interface FaultySource extends AsyncDisposable {
  readonly registry: FaultyRegistry;
  readonly source: RegistrySource;
  readonly opened: OpenRegistries;
  whenTriedOnce(): Promise<void>;
  /** One window of browsing; `offset` makes it another request. */
  search(options?: Partial<CallOptions> & { readonly offset?: number }): Promise<Answer<RowPage>>;
}

/** Starts both; closing closes both. The first health check has ended. */
export async function openFaultySource(
  server: FaultyRegistryOptions = {},
  overrides: RegistryConfigOverrides = {},
  options: OpenRegistriesOptions = {},
): Promise<FaultySource> {
  const registry = await startFaultyRegistry({ rows: makeRows(3), ...server });
  const opened = openRegistries([configureRegistry(registry.url, overrides)], options);
  const [source] = opened.sources;
  if (source === undefined) throw new Error('one registry must have been opened');
  await opened.whenTriedOnce();
  return {
    registry,
    source,
    opened,
    whenTriedOnce: () => opened.whenTriedOnce(),
    search: ({ offset = 0, ...call } = {}) =>
      source.searchRows({ ...BROWSE, offset }, { deadlineMs: performance.now() + 5_000, ...call }),
    async [Symbol.asyncDispose]() {
      await opened.close();
      await registry.close();
    },
  };
}

/** Rows a, b, c, ... of version 1. */
export function makeRows(count: number) {
  return Array.from({ length: count }, (_, index) => ({
    name: `template-${String(index).padStart(5, '0')}`,
    version: '1',
    category: 'ml',
    marketplace: { downloads: index },
  }));
}

/** The failure with which a call must reject; throws when it does not. */
export async function failureOf(call: Promise<unknown>): Promise<RegistryFailure> {
  const outcome = await call.then(
    () => null,
    (error: unknown) => error,
  );
  if (outcome instanceof RegistryFailure) return outcome;
  throw new Error(`a RegistryFailure was expected, it is ${String(outcome)}`, { cause: outcome });
}

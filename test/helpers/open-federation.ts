/** A federation over real loopback registries, through the gateway's own HTTP side. */
import { openRegistries } from '../../datasources/registries.ts';
import type { SearchConfig } from '../../src/domain/search.ts';
import type { FederationView } from '../../src/federation/answers.ts';
import { createFederation } from '../../src/federation/federation.ts';
import type { FaultyRegistry } from './faulty-registry.ts';
import { configureRegistry, type RegistryConfigOverrides } from './faulty-registry-config.ts';
import { ANYONE } from './walks.ts';

export interface OpenFederation extends AsyncDisposable {
  view(): FederationView;
}

/** Registries are asked in the order given. Closing closes the gateway's side; the registries stay. */
export async function openFederation(
  registries: Readonly<Record<string, FaultyRegistry>>,
  search: Partial<SearchConfig> = {},
  overrides: RegistryConfigOverrides = {},
): Promise<OpenFederation> {
  const configs = Object.entries(registries).map(([name, { url }]) => configureRegistry(url, { ...overrides, name }));
  const opened = openRegistries(configs);
  const federation = createFederation({
    sources: opened.sources,
    search: {
      ...{ timeout: 300, maxPageSize: 100, window: 50, scan: 2000, drain: { rows: 10_000, requests: 40 } },
      ...search,
    },
    readsAhead: true,
    secrets: ['a secret of the tests over HTTP'],
  });
  await opened.whenTriedOnce();
  return {
    view: () => federation.viewFor(ANYONE),
    async [Symbol.asyncDispose]() {
      await opened.close();
      await federation.close();
    },
  };
}

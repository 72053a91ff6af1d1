/** The registries of a configuration as one federation, with what keeps it warm. */
import type { OpenRegistries } from '../../datasources/registries.ts';
import type { Config } from '../config/config.ts';
import { createFederation, type Federation } from '../federation/federation.ts';
import { Warmer } from '../warming/warmer.ts';
import type { LastingParts } from './lasting-parts.ts';

export interface JoinedRegistries {
  readonly registries: OpenRegistries;
  readonly federation: Federation;
  /** null: nothing is asked for ahead of its use. */
  readonly warmer: Warmer | null;
  /** Leaves open what others have as well. */
  close(): Promise<void>;
}

/** Opens what is not open yet. Throws when a registry's credentials cannot be used, and then nothing was opened. */
export function joinRegistries(config: Config, lasting: LastingParts): JoinedRegistries {
  const { cache, usage, learnt, log, saveUsage } = lasting;
  const registries = lasting.registries.open(config.registries);
  const { search, secrets } = config.server;
  const { warm } = config.server.cache;
  const lifetimes = new Map(config.registries.map(({ name, cache: { catalog } }) => [name, catalog]));
  const federation = createFederation({
    ...{ sources: registries.sources, search, secrets, cache, learnt },
    onHealthChange: (listener) => registries.onHealthChange(({ registryName }) => listener(registryName)),
    readsAhead: warm !== null,
    usage: warm === null ? null : usage,
    defaultRegistry: config.publish.defaultRegistry,
    catalogLifetimeMs: (name) => lifetimes.get(name) ?? 0,
  });
  const onDefect = (error: unknown) =>
    log.error({ err: error }, 'something could not be kept warm because of a defect');
  const { warming } = federation;
  const warmer = warm === null ? null : new Warmer({ warming, usage, most: warm, saveUsage, onDefect });
  return {
    registries,
    federation,
    warmer,
    close: async () => {
      // Reads that go on in the background end with their connections; waited for first, they would hold up a stop.
      const settled = Promise.all([federation.close(), warmer?.close()]);
      await registries.close();
      await settled;
    },
  };
}

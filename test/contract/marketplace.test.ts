import { openRegistries } from '../../datasources/registries.ts';
import { createRegistry } from '../../registry/registry.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { configureRegistry } from '../helpers/faulty-registry-config.ts';
import { CONTRACT_TEMPLATES, describeRegistryContract, type SourceUnderContract } from './registry-contract.ts';

describeRegistryContract('kind marketplace, over a minimal server,', async () => {
  const server = await startFaultyRegistry({ rows: CONTRACT_TEMPLATES });
  return openSource(server.url, () => server.close());
});

describeRegistryContract('kind marketplace, over the reference registry,', async () => {
  const registry = createRegistry({ templates: CONTRACT_TEMPLATES, cacheControl: 'max-age=60' });
  return openSource(await registry.listen(), () => registry.close());
});

function openSource(url: string, closeServer: () => Promise<void>): SourceUnderContract {
  const opened = openRegistries([configureRegistry(url)]);
  const [source] = opened.sources;
  if (source === undefined) throw new Error('one registry must have been opened');
  return {
    source,
    whenTriedOnce: () => opened.whenTriedOnce(),
    async [Symbol.asyncDispose]() {
      await opened.close();
      await closeServer();
    },
  };
}

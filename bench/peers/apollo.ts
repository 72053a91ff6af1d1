/**
 * Apollo Server with its own REST data source and response cache, as its documentation puts them together: a standalone server, a
 * data source for each request, the plugin of the cache.
 */

import { type DataSourceConfig, RESTDataSource } from '@apollo/datasource-rest';
import { ApolloServer } from '@apollo/server';
import { ApolloServerPluginCacheControl } from '@apollo/server/plugin/cacheControl';
import { startStandaloneServer } from '@apollo/server/standalone';
import responseCachePlugin from '@apollo/server-plugin-response-cache';
import type { WirePage, WireSearch } from '../processes/fan-out.ts';
import { serveCommands } from '../processes/serve.ts';
import { merge, type PeerOptions, type SearchArguments, TYPE_DEFINITIONS, toWireSearch } from './job.ts';

/** As long as the gateway keeps a search. */
const MAX_AGE_S = 900;

class RegistryApi extends RESTDataSource {
  override baseURL: string;

  constructor(url: string, config: DataSourceConfig) {
    super(config);
    this.baseURL = url;
  }

  search({ query, order, rows }: WireSearch): Promise<WirePage> {
    return this.get<WirePage>('/api/v1/search', {
      params: { q: query, sort_by: order, sort_order: 'desc', limit: String(rows), offset: '0' },
    });
  }
}

interface Context {
  readonly registries: readonly RegistryApi[];
}

const resolvers = {
  Query: {
    async search(_source: unknown, input: SearchArguments, { registries }: Context) {
      const search = toWireSearch(input);
      return merge(await Promise.all(registries.map((registry) => registry.search(search))), search);
    },
  },
};

serveCommands({
  /** Gives the address of its GraphQL endpoint. */
  async start({ registryUrls }: PeerOptions): Promise<string> {
    const server = new ApolloServer<Context>({
      typeDefs: TYPE_DEFINITIONS,
      resolvers,
      plugins: [ApolloServerPluginCacheControl({ defaultMaxAge: MAX_AGE_S }), responseCachePlugin()],
    });
    const { url } = await startStandaloneServer(server, {
      listen: { host: '127.0.0.1', port: 0 },
      context: async () => ({
        registries: registryUrls.map((registryUrl) => new RegistryApi(registryUrl, { cache: server.cache })),
      }),
    });
    return url;
  },
});

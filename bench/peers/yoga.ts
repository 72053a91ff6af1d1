/** GraphQL Yoga on `node:http`, with its response cache. It brings no HTTP client: it is given the bare side's fan-out. */
import { createServer } from 'node:http';
import { useResponseCache } from '@graphql-yoga/plugin-response-cache';
import { createSchema, createYoga } from 'graphql-yoga';
import { openPools, writePath } from '../processes/fan-out.ts';
import { serveCommands } from '../processes/serve.ts';
import { merge, type PeerOptions, type SearchArguments, TYPE_DEFINITIONS, toWireSearch } from './job.ts';

/** As long as the gateway keeps a search. */
const MAX_AGE_MS = 900_000;

serveCommands({
  /** Gives the address of its GraphQL endpoint. */
  async start({ registryUrls }: PeerOptions): Promise<string> {
    const registries = openPools(registryUrls);
    const yoga = createYoga({
      schema: createSchema({
        typeDefs: TYPE_DEFINITIONS,
        resolvers: {
          Query: {
            async search(_source: unknown, input: SearchArguments) {
              const search = toWireSearch(input);
              const path = writePath(search);
              return merge(await Promise.all(registries.map((fetchPage) => fetchPage(path))), search);
            },
          },
        },
      }),
      logging: false,
      graphiql: false,
      // One cache for everybody: what is served here is public.
      plugins: [useResponseCache({ session: () => null, ttl: MAX_AGE_MS })],
    });
    const server = createServer(yoga);
    await new Promise<void>((resolve) => {
      server.listen(0, '127.0.0.1', resolve);
    });
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('a listening server must have a port');
    return `http://127.0.0.1:${address.port}/graphql`;
  },
});

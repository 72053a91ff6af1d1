/** Mercurius on Fastify, compiling documents, with its cache. It brings no HTTP client: it is given the bare side's fan-out. */
import fastify from 'fastify';
import mercurius from 'mercurius';
import cache from 'mercurius-cache';
import { openPools, writePath } from '../processes/fan-out.ts';
import { serveCommands } from '../processes/serve.ts';
import { merge, type PeerOptions, type SearchArguments, TYPE_DEFINITIONS, toWireSearch } from './job.ts';

/** As long as the gateway keeps a search. */
const MAX_AGE_S = 900;
/** A document is compiled when it comes for the second time. */
const JIT_AFTER = 1;

serveCommands({
  /** Gives the address of its GraphQL endpoint. */
  async start({ registryUrls }: PeerOptions): Promise<string> {
    const registries = openPools(registryUrls);
    const app = fastify({ logger: false });
    await app.register(mercurius, {
      schema: TYPE_DEFINITIONS,
      resolvers: {
        Query: {
          async search(_source: unknown, input: SearchArguments) {
            const search = toWireSearch(input);
            const path = writePath(search);
            return merge(await Promise.all(registries.map((fetchPage) => fetchPage(path))), search);
          },
        },
      },
      jit: JIT_AFTER,
    });
    await app.register(cache.default, { ttl: MAX_AGE_S, policy: { Query: { search: true } } });
    return `${await app.listen({ host: '127.0.0.1', port: 0 })}/graphql`;
  },
});

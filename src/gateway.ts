/** Joins everything: the configuration's registries, the federation over them, and the server in front. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { openRegistries } from '../datasources/registries.ts';
import packageJson from '../package.json' with { type: 'json' };
import { AnswerCache } from './cache/answer-cache.ts';
import type { Config } from './config/config.ts';
import { createFederation } from './federation/federation.ts';
import { createHandler } from './server/handler.ts';

/** In the data directory. */
const CACHE_FILE = 'cache.sqlite';

export interface Gateway {
  /** Answers one HTTP request; never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** From now on the gateway says that it is not ready, and closes each connection behind its answer. */
  startDraining(): void;
  /** Stops health checks and cuts the connections to registries. Call it when nothing is in flight any more. */
  close(): Promise<void>;
}

export interface GatewayOverrides {
  readonly log: Logger;
}

/**
 * Makes a gateway of a configuration. It listens nowhere: hand its `handle` to a server. Rejects when a registry's
 * credentials cannot be used; that a registry cannot be reached is no reason.
 */
export async function createGateway(config: Config, { log }: GatewayOverrides): Promise<Gateway> {
  const { memory, disk } = config.server.cache;
  const file = disk === null ? null : { path: join(config.dataDirectory, CACHE_FILE), maxBytes: disk };
  const cache = new AnswerCache({ memoryBytes: memory, disk: file, log });
  try {
    return await assembleGateway(config, cache, log);
  } catch (error) {
    await cache.close();
    throw error;
  }
}

/** Closing the gateway closes the cache. */
async function assembleGateway(config: Config, cache: AnswerCache, log: Logger): Promise<Gateway> {
  const registries = openRegistries(config.registries, { logger: log, cache });
  const { search, secrets } = config.server;
  const lifetimes = new Map(config.registries.map(({ name, cache }) => [name, cache.catalog]));
  const federation = createFederation({
    sources: registries.sources,
    search,
    secrets,
    cache,
    catalogLifetimeMs: (name) => lifetimes.get(name) ?? 0,
  });
  const close = async () => {
    // Reads that go on in the background end with their connections; waited for first, they would hold up a stop.
    const settled = federation.close();
    await registries.close();
    await settled;
  };
  try {
    let isReady = false;
    const handler = await createHandler({
      config,
      viewFor: federation.viewFor,
      noteTemplateChange: federation.noteTemplateChange,
      isReady: () => isReady,
      version: packageJson.version,
      log,
    });
    const forgetListener = cache.onInvalidated((invalidation) => handler.invalidate(invalidation));
    registries.whenTriedOnce().then(
      () => {
        isReady = true;
      },
      (error: unknown) => log.error({ err: error }, 'the first health checks ended in a defect'),
    );
    return {
      handle: handler.handle,
      startDraining: handler.startDraining,
      close: async () => {
        forgetListener();
        await handler.close();
        await close();
        await cache.close();
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Joins everything: the configuration's registries, the federation over them, and the server in front. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { openRegistries } from '../datasources/registries.ts';
import packageJson from '../package.json' with { type: 'json' };
import { AnswerCache } from './cache/answer-cache.ts';
import type { Config } from './config/config.ts';
import { createFederation } from './federation/federation.ts';
import { Usage } from './federation/usage.ts';
import type { WarmedFederation } from './federation/warming.ts';
import { createHandler } from './server/handler.ts';
import type { Tracing } from './telemetry/request-trace.ts';
import { readUsage, writeUsage } from './warming/usage-file.ts';
import { Warmer } from './warming/warmer.ts';

export type { WarmedFederation };

/** In the data directory. */
const CACHE_FILE = 'cache.sqlite';
const USAGE_FILE = 'usage.json';

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
  /** null: nothing is traced. */
  readonly tracing?: Tracing | null;
}

/**
 * Makes a gateway of a configuration. It listens nowhere: hand its `handle` to a server. Rejects when a registry's
 * credentials cannot be used; that a registry cannot be reached is no reason.
 */
export async function createGateway(config: Config, { log, tracing = null }: GatewayOverrides): Promise<Gateway> {
  const cache = openCache(config, log);
  try {
    return await assembleGateway(config, cache, log, tracing);
  } catch (error) {
    await cache.close();
    throw error;
  }
}

function openCache({ dataDirectory, server }: Config, log: Logger): AnswerCache {
  const { memory, disk } = server.cache;
  const file = disk === null ? null : { path: join(dataDirectory, CACHE_FILE), maxBytes: disk };
  return new AnswerCache({ memoryBytes: memory, disk: file, log });
}

/** Closing the gateway closes the cache. */
async function assembleGateway(
  config: Config,
  cache: AnswerCache,
  log: Logger,
  tracing: Tracing | null,
): Promise<Gateway> {
  const joined = joinRegistries(config, cache, log, tracing);
  const { federation, registries, warmer } = joined;
  try {
    let isReady = false;
    const handler = await createHandler({
      config,
      viewFor: federation.viewFor,
      noteTemplateChange: federation.noteTemplateChange,
      isReady: () => isReady,
      version: packageJson.version,
      log,
      tracing,
    });
    const forgetListener = cache.onInvalidated((invalidation) => handler.invalidate(invalidation));
    // What a disk has is looked at first: it is not asked for.
    Promise.all([registries.whenTriedOnce(), cache.whenListed()]).then(
      () => warmer?.start(),
      (error: unknown) => log.error({ err: error }, 'nothing is kept warm because of a defect'),
    );
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
        await joined.close();
        await cache.close();
      },
    };
  } catch (error) {
    await joined.close();
    throw error;
  }
}

/** The registries of a configuration as one federation, with what keeps it warm; closing leaves the cache open. */
function joinRegistries(config: Config, cache: AnswerCache, log: Logger, tracing: Tracing | null = null) {
  const registries = openRegistries(config.registries, { logger: log, cache, tracer: tracing?.calls ?? null });
  const { search, secrets } = config.server;
  const { warm, disk } = config.server.cache;
  const usageFile = disk === null ? null : join(config.dataDirectory, USAGE_FILE);
  const usage = usageFile === null ? new Usage() : readUsage(usageFile);
  const lifetimes = new Map(config.registries.map(({ name, cache }) => [name, cache.catalog]));
  const federation = createFederation({
    sources: registries.sources,
    search,
    secrets,
    cache,
    readsAhead: warm !== null,
    usage: warm === null ? null : usage,
    catalogLifetimeMs: (name) => lifetimes.get(name) ?? 0,
  });
  const warmer =
    warm === null
      ? null
      : new Warmer({
          warming: federation.warming,
          usage,
          most: warm,
          saveUsage: async () => {
            if (usageFile !== null) await writeUsage(usageFile, usage);
          },
          onDefect: (error) => log.error({ err: error }, 'something could not be kept warm because of a defect'),
        });
  return {
    registries,
    federation,
    usage,
    warmer,
    close: async () => {
      // Reads that go on in the background end with their connections; waited for first, they would hold up a stop.
      const settled = Promise.all([federation.close(), warmer?.close()]);
      await registries.close();
      await settled;
    },
  };
}

/** The most used searches and look-ups that a gateway with this data directory has recorded. Never throws. */
export function readRecordedUsage(dataDirectory: string): Usage {
  return readUsage(join(dataDirectory, USAGE_FILE));
}

/**
 * Fetches what a gateway of this configuration would be asked for into the cache of its data directory: categories, lists of
 * names, the most used searches and look-ups, and the first page of each of `queries`. From spare budget, one after the other.
 */
export async function warmCache(
  config: Config,
  queries: readonly string[],
  { log }: GatewayOverrides,
): Promise<WarmedFederation> {
  const cache = openCache(config, log);
  await cache.whenListed();
  try {
    const { federation, registries, usage } = joinRegistries(config, cache, log);
    try {
      return await federation.warming.warmAll(usage, queries, config.server.cache.warm ?? 0);
    } finally {
      const settled = federation.close();
      await registries.close();
      await settled;
    }
  } finally {
    await cache.close();
  }
}

/** What lives as long as the process, over all configurations that it has: one line for each such part. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { RegistryPool } from '../../datasources/registries.ts';
import type { StoredTrail } from '../audit/stored-trail.ts';
import { AnswerCache } from '../cache/answer-cache.ts';
import type { EventBus } from '../cluster/event-bus.ts';
import type { RedisCluster, RedisClusterOptions } from '../cluster/redis-cluster.ts';
import type { Config } from '../config/config.ts';
import type { CacheInvalidation } from '../domain/cache.ts';
import { Learnt } from '../federation/learnt.ts';
import { Usage } from '../federation/usage.ts';
import type { Tracing } from '../telemetry/request-trace.ts';
import { readUsage, writeUsage } from '../warming/usage-file.ts';

/** In the data directory. */
const CACHE_FILE = 'cache.sqlite';
const USAGE_FILE = 'usage.json';

export interface LastingParts {
  readonly log: Logger;
  /** null: nothing is traced. */
  readonly tracing: Tracing | null;
  /** Of registries' answers; by their addresses and credentials, so that no answer is taken for another registry's. */
  readonly cache: AnswerCache;
  /** What is shared with other processes; null: this is the only one. */
  readonly cluster: RedisCluster | null;
  /** Registries that stay as they are in the next configuration stay open. */
  readonly registries: RegistryPool;
  /** Goes by the registries that are open. */
  readonly learnt: Learnt;
  /** What is asked for most. */
  readonly usage: Usage;
  saveUsage(): Promise<void>;
  /** Last of all: closes what is open. */
  close(): Promise<void>;
}

/** What a gateway that serves has beside them. */
export interface ServingParts extends LastingParts {
  readonly audit: StoredTrail;
}

export interface LastingOptions {
  readonly log: Logger;
  /** null: nothing is traced. */
  readonly tracing?: Tracing | null;
  /** Other processes of this gateway on this machine; null: there are none. */
  readonly siblings?: EventBus | null;
  /** Told of each request that carries a registry's credentials, in the scope of whoever causes it. */
  readonly onCredentialsUsed?: (registryName: string) => void;
}

/** Opens them as the first configuration says. Never rejects: where the data directory cannot be used, memory is. */
export async function openLastingParts(
  { dataDirectory, redisUrl, server }: Config,
  { log, tracing = null, siblings = null, onCredentialsUsed = () => undefined }: LastingOptions,
): Promise<LastingParts> {
  const { memory, disk } = server.cache;
  const file = disk === null ? null : { path: join(dataDirectory, CACHE_FILE), maxBytes: disk };
  const usageFile = disk === null ? null : join(dataDirectory, USAGE_FILE);
  const cluster = redisUrl === null ? null : await openCluster({ url: redisUrl, secrets: server.secrets, log });
  // By Redis they are told as well, and more surely.
  const others = cluster === null ? siblings : null;
  const tellOthers =
    others && ((invalidation: CacheInvalidation) => others.publish({ kind: 'INVALIDATION', invalidation }));
  const cache = new AnswerCache({ memoryBytes: memory, disk: file, shared: cluster, tellOthers, log });
  others?.subscribe('INVALIDATION', ({ invalidation }) => void cache.followInvalidation(invalidation));
  if (cache.shared !== null) cluster?.followLog(cache.shared);
  const usage = usageFile === null ? new Usage() : readUsage(usageFile);
  return {
    log,
    tracing,
    cache,
    cluster,
    registries: new RegistryPool({
      ...{ logger: log, cache, tracer: tracing?.calls ?? null, onCredentialsUsed },
      sharing: cluster && { lender: cluster.budgets, bus: cluster },
    }),
    learnt: new Learnt(),
    usage,
    saveUsage: async () => {
      if (usageFile !== null) await writeUsage(usageFile, usage);
    },
    close: async () => {
      await cache.close();
      await cluster?.close();
    },
  };
}

/** Loaded where it is used: most gateways have no Redis, and its client is a twentieth of what a start loads. */
async function openCluster(options: RedisClusterOptions): Promise<RedisCluster> {
  const { RedisCluster } = await import('../cluster/redis-cluster.ts');
  return new RedisCluster(options);
}

/** The most used searches and look-ups that a gateway with this data directory has recorded. Never throws. */
export function readRecordedUsage(dataDirectory: string): Usage {
  return readUsage(join(dataDirectory, USAGE_FILE));
}

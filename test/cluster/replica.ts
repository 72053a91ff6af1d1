/** One process's share of a gateway, without its server: a cache over a shared Redis, and registries over the cache. */
import { type OpenRegistries, openRegistries } from '../../datasources/registries.ts';
import { AnswerCache } from '../../src/cache/answer-cache.ts';
import { RedisCluster } from '../../src/cluster/redis-cluster.ts';
import type { Answer, CallOptions, RegistrySource, RowPage } from '../../src/domain/registry.ts';
import { configureRegistry, type RegistryConfigOverrides } from '../helpers/faulty-registry-config.ts';
import { waitUntil } from '../helpers/redis.ts';
import { BROWSE } from '../helpers/row-request.ts';

const SECRET = 'for tests alone: 0123456789abcdef';

interface ReplicaOptions {
  readonly secrets?: readonly string[];
  /** Where it keeps its answers over a restart. */
  readonly file?: string | null;
}

export class Replica implements AsyncDisposable {
  readonly cluster: RedisCluster;
  readonly cache: AnswerCache;
  readonly opened: OpenRegistries;
  readonly logged: string[] = [];

  constructor(
    redisUrl: string,
    registryUrl: string,
    overrides: RegistryConfigOverrides = {},
    { secrets = [SECRET], file = null }: ReplicaOptions = {},
  ) {
    const note = (_detail: object, message: string) => void this.logged.push(message);
    const log = { info: note, warn: note };
    this.cluster = new RedisCluster({ url: redisUrl, secrets, log });
    this.cache = new AnswerCache({
      memoryBytes: 16_000_000,
      disk: file === null ? null : { path: file, maxBytes: 16_000_000 },
      shared: this.cluster,
      log,
    });
    if (this.cache.shared !== null) this.cluster.followLog(this.cache.shared);
    this.opened = openRegistries([configureRegistry(registryUrl, overrides)], {
      cache: this.cache,
      sharing: { lender: this.cluster.budgets, bus: this.cluster },
    });
  }

  get source(): RegistrySource {
    const [source] = this.opened.sources;
    if (source === undefined) throw new Error('one registry must have been opened');
    return source;
  }

  async whenUp(): Promise<void> {
    await waitUntil(() => this.cluster.isUp);
  }

  /** One window of browsing; `offset` makes it another request. */
  search(offset = 0, call: Partial<CallOptions> = {}): Promise<Answer<RowPage>> {
    return this.source.searchRows({ ...BROWSE, offset }, { deadlineMs: performance.now() + 2_000, ...call });
  }

  /** The names of a window's rows. */
  async names(offset = 0): Promise<(string | undefined)[]> {
    return (await this.search(offset)).value.rows.map((row) => row?.name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.opened.close();
    await this.cache.close();
    await this.cluster.close();
  }
}

/** Starts so many, and waits until they share. */
export async function startReplicas(
  count: number,
  redisUrl: string,
  registryUrl: string,
  overrides: RegistryConfigOverrides = {},
): Promise<Replica[]> {
  const replicas = Array.from({ length: count }, () => new Replica(redisUrl, registryUrl, overrides));
  await Promise.all(replicas.map((replica) => replica.whenUp()));
  await Promise.all(replicas.map((replica) => replica.opened.whenTriedOnce()));
  return replicas;
}

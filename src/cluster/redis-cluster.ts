import type { CacheInvalidation } from '../domain/cache.ts';
import { AskingLeases } from './asking-leases.ts';
import { type EventBus, EventListeners } from './event-bus.ts';
import { type ClusterEvent, decodeEvent, encodeEvent } from './events.ts';
import { InvalidationLog, type LogFollower } from './invalidation-log.ts';
import { MessageSeal } from './message-seal.ts';
import { type LinkLog, type LinkView, RedisLink } from './redis-link.ts';
import { RedisStore } from './redis-store.ts';
import { SharedBudgets } from './shared-budgets.ts';

/**
 * Before the name of everything; in braces, so that all of it is on one server of a cluster. One database is one gateway's. It
 * changes when processes of two versions could not read each other.
 */
const PREFIX = 'marketplace:{1}:';
/** News of the moment that took longer than this to come are old. */
const MOMENT_MS = 10_000;
const MOMENT_PLACE = 'moment';

/** How the sharing does, for fields and metrics. */
export interface ClusterView extends LinkView {
  /** Invalidations of this process that the others may not know yet. */
  readonly untoldInvalidations: number;
}

export interface RedisClusterOptions {
  /** `redis:` or `rediss:`. */
  readonly url: string;
  /** Authenticate what is shared: the first one signs, all of them verify. */
  readonly secrets: readonly string[];
  readonly log: LinkLog;
}

/**
 * What the processes of one gateway share by a Redis server: answers, leases to ask, budgets, the log of invalidations and news
 * of the moment. It lives as long as the process. The server need not be there, and may come and go.
 */
export class RedisCluster implements EventBus {
  readonly link: RedisLink;
  /** Of registries' limits, and callers'. */
  readonly budgets: SharedBudgets;
  readonly #log: InvalidationLog;
  readonly #seal: MessageSeal;
  readonly #store: RedisStore;
  readonly #leases: AskingLeases;
  readonly #channel: string;
  readonly #listeners = new EventListeners();
  readonly subscribe = this.#listeners.subscribe;
  #follower: LogFollower | null = null;

  constructor({ url, secrets, log }: RedisClusterOptions) {
    this.link = new RedisLink(url, PREFIX, log);
    this.#seal = new MessageSeal(secrets, 'messages');
    this.#store = new RedisStore(this.link, new MessageSeal(secrets, 'shared answers'));
    this.budgets = new SharedBudgets(this.link);
    this.#leases = new AskingLeases(this.link);
    this.#channel = this.link.keyOf('moment');
    this.link.listen(this.#channel, (message) => this.#onMoment(message));
    this.#log = new InvalidationLog(this.link, this.#seal, {
      onGeneration: (generation, sequence) => this.#follower?.onGeneration(generation, sequence),
      onEntry: (entry) => {
        this.#follower?.onEntry(entry);
        const { invalidation } = entry;
        if (!entry.isKnown) this.#listeners.tell({ kind: 'INVALIDATION', invalidation });
      },
      onLost: (beforeMs) => this.#follower?.onLost(beforeMs),
    });
  }

  /** Hands the log of invalidations over to whoever keeps answers. To be called before anything else happens. */
  followLog(follower: LogFollower): void {
    this.#follower = follower;
  }

  readState(): ClusterView {
    return { ...this.link.view, untoldInvalidations: this.#log.untold };
  }

  /** Resolves when the server was tried once and all that was in the log is known, or after `timeoutMs`. */
  async whenTriedOnce(timeoutMs: number): Promise<void> {
    if (this.link.state === 'UP') return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.link.onStateChange(resolve);
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
  }

  async publish(event: ClusterEvent): Promise<void> {
    if (event.kind === 'INVALIDATION') {
      await this.publishInvalidation(event.invalidation).told;
      return;
    }
    const atServerMs = Date.now() - this.link.clockOffsetMs;
    const text = `${this.link.replicaId} ${atServerMs} ${encodeEvent(event)}`;
    const sealed = this.#seal.seal(MOMENT_PLACE, Buffer.from(text));
    await this.link.attempt((client) => client.publish(this.#channel, sealed));
  }

  /** @see InvalidationLog.publish */
  publishInvalidation(invalidation: CacheInvalidation): { readonly id: string; readonly told: Promise<void> } {
    return this.#log.publish(invalidation);
  }

  // What a cache needs to share its answers (`SharedPlace` of src/cache).

  get store(): RedisStore {
    return this.#store;
  }

  get isUp(): boolean {
    return this.link.state === 'UP';
  }

  get clockOffsetMs(): number {
    return this.link.clockOffsetMs;
  }

  get position() {
    return this.#log.position;
  }

  nameOf(key: string): string {
    return `answer:${this.#seal.nameOf(key)}`;
  }

  async catchUp(): Promise<void> {
    await this.link.attempt(() => this.#log.catchUp());
  }

  acquire(name: string, durationMs: number, unlessKept: boolean) {
    return this.#leases.acquire(name, durationMs, unlessKept);
  }

  release(name: string): void {
    this.#leases.release(name);
  }

  whenReleased(name: string, timeoutMs: number): Promise<void> {
    return this.#leases.whenReleased(name, timeoutMs);
  }

  /** Ends all that is shared. What could not be told until then is not told. */
  async close(): Promise<void> {
    await this.link.close();
  }

  #onMoment(message: Buffer): void {
    const text = this.#seal.open(MOMENT_PLACE, message)?.toString('utf8') ?? '';
    const [from = '', atServerMs = ''] = text.split(' ', 2);
    const ageMs = Date.now() - this.link.clockOffsetMs - Number(atServerMs);
    if (from === this.link.replicaId || !(Math.abs(ageMs) <= MOMENT_MS)) return;
    const event = decodeEvent(text.slice(from.length + atServerMs.length + 2));
    if (event !== null && event.kind !== 'INVALIDATION') this.#listeners.tell(event);
  }
}

/** The gateway: what lasts as long as the process, and the generation that is made of the configuration of the moment. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { ConfigState } from '../resolvers/context.ts';
import { fingerprintConfig, openAudit, trailSettingsOf } from './audit/open-audit.ts';
import type { EventBus } from './cluster/event-bus.ts';
import type { Config } from './config/config.ts';
import { GATEWAY_ACTOR } from './domain/audit.ts';
import type { WarmedFederation } from './federation/warming.ts';
import { listChanges } from './live/config-change.ts';
import { type Generation, openGeneration } from './live/generation.ts';
import { joinRegistries } from './live/join-registries.ts';
import { openLastingParts, type ServingParts } from './live/lasting-parts.ts';
import { shareUsage } from './live/shared-usage.ts';
import { WorkerMetrics } from './live/worker-metrics.ts';
import { createServerState, type ServerState } from './server/server-state.ts';
import type { ProcessUsage } from './telemetry/process-usage.ts';
import { readScope } from './telemetry/request-scope.ts';
import type { Tracing } from './telemetry/request-trace.ts';
import { openCounts } from './usage/open-counts.ts';

export { readRecordedUsage } from './live/lasting-parts.ts';
export type { WarmedFederation };

/** A start waits so long for what is shared: what others know is known from then on. */
const SHARING_MS = 1_000;

export interface Gateway {
  /** Answers one HTTP request; never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** The same for the listener of `server.admin`. */
  handleAdmin(request: IncomingMessage, response: ServerResponse): void;
  /** Takes over a connection that asks for a WebSocket, or refuses it; never throws. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Subscriptions that are open now. */
  countSubscriptions(): number;
  /**
   * Goes over to another configuration, between two requests. Those under way are answered by the one before. Rejects, and
   * stays as it is, when a registry's credentials cannot be used, or the change cannot be recorded in the audit trail. Call it
   * again only when it has settled.
   */
  reload(config: Config): Promise<void>;
  /** Shows in its health from now on. */
  noteConfigState(state: ConfigState): void;
  /**
   * From now on the gateway says that it is not ready, closes each connection behind its answer, and says goodbye to its
   * subscriptions.
   */
  startDraining(): void;
  /** Stops health checks and cuts the connections to registries. Call it when nothing is in flight any more. */
  close(): Promise<void>;
}

export interface GatewayOverrides {
  readonly log: Logger;
  /** null: nothing is traced. */
  readonly tracing?: Tracing | null;
  /** What the process uses, for metrics; null: they do not tell. */
  readonly readProcess?: (() => ProcessUsage) | null;
  /** Other processes of this gateway on this machine; null: there are none. */
  readonly siblings?: EventBus | null;
  /** Stands for this process among them. */
  readonly worker?: string;
}

/**
 * Makes a gateway of a configuration. It listens nowhere: hand its `handle` to a server. Rejects when a registry's
 * credentials cannot be used, or the database cannot be opened; that a registry cannot be reached is no reason.
 */
export async function createGateway(
  config: Config,
  { log, tracing = null, readProcess = null, siblings = null, worker = '1' }: GatewayOverrides,
): Promise<Gateway> {
  const audit = await openAudit(config, log);
  const { trail } = audit;
  const noteCredentials = (registryName: string) => {
    const entry = { action: 'credentials.use', registryName, outcome: 'SUCCEEDED' } as const;
    trail.count(entry, readScope()?.actor ?? GATEWAY_ACTOR);
  };
  const lasting = {
    ...(await openLastingParts(config, { log, tracing, siblings, onCredentialsUsed: noteCredentials })),
    audit: trail,
  };
  const bus = lasting.cluster ?? siblings;
  const state = createServerState(
    () => lasting.cluster?.readState() ?? null,
    readProcess,
    bus && shareUsage(bus),
    () => audit.storage.health.read(),
  );
  const counted = { storage: audit.storage, metrics: state.metrics, log, hasSiblings: siblings !== null };
  const closeCounts = await openCounts(config, counted);
  const close = async () => {
    await lasting.close();
    await closeCounts();
    await audit.close();
  };
  try {
    state.servesMetricsApart = config.server.admin !== null;
    const workers = siblings && new WorkerMetrics(siblings, worker);
    state.gatherMetrics = workers && ((own, names) => workers.gather(own, names));
    return new LiveGateway(await openGeneration(config, lasting, state), { ...lasting, close }, state, workers);
  } catch (error) {
    await close();
    throw error;
  }
}

class LiveGateway implements Gateway {
  readonly #lasting: ServingParts;
  readonly #state: ServerState;
  readonly #workers: WorkerMetrics | null;
  #current: Generation;
  /** Still have something to finish. */
  readonly #retiring = new Set<Generation>();

  constructor(first: Generation, lasting: ServingParts, state: ServerState, workers: WorkerMetrics | null) {
    this.#workers = workers;
    this.#current = first;
    this.#lasting = lasting;
    this.#state = state;
    state.countSubscriptions = () => this.countSubscriptions();
    const tried = Promise.all([first.whenTriedOnce(), lasting.cluster?.whenTriedOnce(SHARING_MS)]);
    tried.then(
      () => {
        state.isReady = true;
      },
      (error: unknown) => lasting.log.error({ err: error }, 'the first health checks ended in a defect'),
    );
    this.#start(first);
  }

  readonly handle = (request: IncomingMessage, response: ServerResponse): void => {
    this.#current.handle(request, response);
  };

  readonly handleAdmin = (request: IncomingMessage, response: ServerResponse): void => {
    this.#current.handleAdmin(request, response);
  };

  readonly handleUpgrade = (request: IncomingMessage, socket: Duplex, head: Buffer): void => {
    this.#current.handleUpgrade(request, socket, head);
  };

  countSubscriptions(): number {
    return [this.#current, ...this.#retiring].reduce((sum, generation) => sum + generation.countSubscriptions(), 0);
  }

  async reload(config: Config): Promise<void> {
    const next = await openGeneration(config, this.#lasting, this.#state);
    const { audit } = this.#lasting;
    const previous = this.#current;
    try {
      await audit.noteConfiguration(fingerprintConfig(config), listChanges(previous.config, config));
    } catch (error) {
      await next.close();
      throw error;
    }
    audit.use(trailSettingsOf(config));
    this.#forgetGone(previous.config, config);
    this.#current = next;
    this.#start(next);
    this.#retiring.add(previous);
    previous
      .retire()
      .catch((error: unknown) => this.#lasting.log.error({ err: error }, 'what was replaced could not be closed'))
      .finally(() => this.#retiring.delete(previous));
  }

  noteConfigState(configState: ConfigState): void {
    this.#state.configState = configState;
  }

  startDraining(): void {
    for (const generation of [this.#current, ...this.#retiring]) generation.startDraining();
  }

  async close(): Promise<void> {
    await Promise.all([this.#current, ...this.#retiring].map((generation) => generation.close()));
    await this.#lasting.close();
  }

  #start(generation: Generation): void {
    this.#workers?.use((names) => generation.writeMetrics((name) => names?.has(name) ?? true));
    const { cache, log } = this.#lasting;
    // What a disk has is looked at first: it is not asked for.
    const ready = Promise.all([generation.whenTriedOnce(), cache.whenListed()]);
    generation.start(ready, (error) => log.error({ err: error }, 'nothing is kept warm because of a defect'));
  }

  /** Answers of registries that are gone: should one come back, nobody has told meanwhile what changed. */
  #forgetGone(before: Config, after: Config): void {
    const names = new Set(after.registries.map(({ name }) => name));
    for (const { name } of before.registries) {
      if (!names.has(name)) void this.#lasting.cache.invalidate({ registry: name });
    }
  }
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
  const lasting = await openLastingParts(config, { log });
  const { cache, usage } = lasting;
  await cache.whenListed();
  try {
    const { federation, registries } = joinRegistries(config, lasting);
    try {
      return await federation.warming.warmAll(usage, queries, config.server.cache.warm ?? 0);
    } finally {
      // The warmer has not begun, and would write down what a gateway beside this process uses.
      const settled = federation.close();
      await registries.close();
      await settled;
    }
  } finally {
    await lasting.close();
  }
}

/**
 * All that is made of one configuration. A request takes the generation that is there when it comes, and is answered by that
 * one to its end: nothing of another configuration gets into its answer.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import packageJson from '../../package.json' with { type: 'json' };
import type { Config } from '../config/config.ts';
import { createHandler, type RequestHandler } from '../server/handler.ts';
import type { WriteMetrics } from '../server/metrics-endpoint.ts';
import type { ServerState } from '../server/server-state.ts';
import { createMetricsPage } from '../telemetry/metrics-page.ts';
import { type JoinedRegistries, joinRegistries } from './join-registries.ts';
import type { LastingParts, ServingParts } from './lasting-parts.ts';

/** What is still being answered that long after another generation has taken over loses its registries. */
const RETIREMENT_MS = 60_000;

/** Opens what the configuration has and the one before it had not. Rejects when that cannot be, and leaves nothing open. */
export async function openGeneration(config: Config, lasting: ServingParts, state: ServerState): Promise<Generation> {
  const joined = joinRegistries(config, lasting);
  try {
    const { viewFor, noteTemplateChange } = joined.federation;
    const { version } = packageJson;
    const { log, tracing, audit } = lasting;
    const writeMetrics = createMetricsPage({
      ...state,
      version,
      readRegistries: () => joined.registries.readTotals(),
      readCache: (maySee) => lasting.cache.readUsage(maySee),
      readFinished: () => handler.readFinishedAnswers(),
      isReady: () => state.isReady && !state.isDraining,
      isConfigRefused: () => state.configState.refusal !== null,
      countSubscriptions: () => state.countSubscriptions(),
    });
    const handler: RequestHandler = await createHandler({
      ...{ config, viewFor, noteTemplateChange, state, audit, version, log, writeMetrics, tracing },
    });
    return new Generation(config, joined, handler, writeMetrics, lasting);
  } catch (error) {
    await joined.close();
    throw error;
  }
}

export class Generation {
  readonly config: Config;
  /** The page of metrics of this process alone. */
  readonly writeMetrics: WriteMetrics;
  readonly #joined: JoinedRegistries;
  readonly #handler: RequestHandler;
  readonly #forgetListener: () => void;
  /** Requests that are being answered, and whatever else needs it. */
  #holders = 0;
  readonly #idle = Promise.withResolvers<void>();
  #isRetired = false;
  #closed: Promise<void> | null = null;

  constructor(
    config: Config,
    joined: JoinedRegistries,
    handler: RequestHandler,
    writeMetrics: WriteMetrics,
    { cache }: LastingParts,
  ) {
    this.config = config;
    this.writeMetrics = writeMetrics;
    this.#joined = joined;
    this.#handler = handler;
    this.#forgetListener = cache.onInvalidated((invalidation) => handler.invalidate(invalidation));
  }

  /** Answers one request; never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void {
    this.#holders += 1;
    response.on('close', this.#release);
    this.#handler.handle(request, response);
  }

  /** The same for the listener of `server.admin`. */
  handleAdmin(request: IncomingMessage, response: ServerResponse): void {
    this.#handler.handleAdmin(request, response);
  }

  /** Takes over a connection that asks for a WebSocket, or refuses it; never throws. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void {
    this.#holders += 1;
    socket.once('close', this.#release);
    this.#handler.handleUpgrade(request, socket, head);
  }

  countSubscriptions(): number {
    return this.#handler.countSubscriptions();
  }

  /** Begins what goes on beside requests, when `ready` has come. */
  start(ready: Promise<unknown>, onDefect: (error: unknown) => void): void {
    ready.then(() => this.#joined.warmer?.start()).catch(onDefect);
  }

  /** Resolves when each of its registries was tried once, however it answered. */
  whenTriedOnce(): Promise<void> {
    return this.#joined.registries.whenTriedOnce();
  }

  startDraining(): void {
    this.#handler.startDraining();
  }

  /** Another one has taken over: what is under way is finished, and then all is closed. Resolves when it is. */
  async retire(): Promise<void> {
    const work = this.#joined.warmer?.close();
    this.#handler.retire();
    this.#isRetired = true;
    if (this.#holders === 0) this.#idle.resolve();
    const timer = setTimeout(() => this.#idle.resolve(), RETIREMENT_MS);
    timer.unref();
    await this.#idle.promise;
    clearTimeout(timer);
    await work;
    await this.close();
  }

  /** Closes what no other generation has. Call it when nothing is in flight any more. */
  close(): Promise<void> {
    this.#closed ??= this.#close();
    return this.#closed;
  }

  async #close(): Promise<void> {
    this.#idle.resolve();
    this.#forgetListener();
    await this.#handler.close();
    await this.#joined.close();
  }

  /** One for all requests: a function for each would cost more than the counting. */
  readonly #release = (): void => {
    this.#holders -= 1;
    if (this.#isRetired && this.#holders === 0) this.#idle.resolve();
  };
}

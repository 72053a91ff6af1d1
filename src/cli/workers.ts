/**
 * `marketplace serve --workers N`: processes that serve at one address, for machines with many cores. The first process starts
 * them, passes on signals and what they tell each other, and starts another in the place of one that has died.
 */
import cluster, { type Worker } from 'node:cluster';
import type { Logger } from 'pino';
import { type WorkerChannel, WorkerRelay } from '../cluster/worker-bus.ts';
import { EXIT_DONE, EXIT_FAILED, type Host } from './host.ts';

/** Between the death of a worker and the start of another: doubled as long as they live no longer than a minute. */
const FIRST_PAUSE_MS = 200;
const LONGEST_PAUSE_MS = 30_000;
const LONG_LIFE_MS = 60_000;

export interface WorkersOptions {
  readonly count: number;
  readonly host: Host;
  readonly log: Pick<Logger, 'info' | 'warn' | 'error'>;
}

/** Runs the workers until the host says stop. Gives the exit code: that of a worker that could not be started at all. */
export function runWorkers(options: WorkersOptions): Promise<number> {
  return new Workers(options).run();
}

class Workers {
  readonly #options: WorkersOptions;
  readonly #relay = new WorkerRelay();
  readonly #running = new Set<Worker>();
  readonly #ended = Promise.withResolvers<number>();
  #origin: string | null = null;
  #listening = 0;
  #isStopping = false;
  #pauseMs = FIRST_PAUSE_MS;
  #exitCode = EXIT_DONE;

  constructor(options: WorkersOptions) {
    this.#options = options;
  }

  run(): Promise<number> {
    const { host } = this.#options;
    host.onStop(() => this.#stop());
    host.onReload(() => {
      for (const worker of this.#running) worker.kill('SIGHUP');
    });
    // One at first: what keeps it from starting would keep all.
    this.#start();
    return this.#ended.promise;
  }

  #start(): void {
    const worker = cluster.fork();
    const startedMs = performance.now();
    const channel = openChannel(worker);
    this.#running.add(worker);
    this.#relay.add(channel);
    channel.onMessage((message) => {
      const origin = readListening(message);
      if (origin !== null) this.#noteListening(origin);
    });
    worker.on('exit', (code, signal) => {
      this.#running.delete(worker);
      this.#relay.remove(channel);
      this.#noteEnd(code, signal, performance.now() - startedMs);
    });
  }

  /** The line is printed when all of them answer. */
  #noteListening(origin: string): void {
    const { count, host } = this.#options;
    this.#listening += 1;
    if (this.#origin === null) {
      this.#origin = origin;
      for (let more = 1; more < count && !this.#isStopping; more += 1) this.#start();
    }
    if (this.#listening === count) host.printLine(`The marketplace gateway answers at ${origin}/graphql`);
  }

  #noteEnd(code: number | null, signal: string | null, livedMs: number): void {
    const { log } = this.#options;
    if (this.#isStopping || this.#origin === null) {
      if (code !== EXIT_DONE) this.#exitCode = code ?? EXIT_FAILED;
      if (this.#running.size === 0) this.#ended.resolve(this.#exitCode);
      return;
    }
    if (livedMs > LONG_LIFE_MS) this.#pauseMs = FIRST_PAUSE_MS;
    log.error({ code, signal, pauseMs: this.#pauseMs }, 'a worker has ended; another takes its place');
    const timer = setTimeout(() => {
      if (!this.#isStopping) this.#start();
    }, this.#pauseMs);
    // While no other worker runs, the timer alone keeps the process.
    if (this.#running.size > 0) timer.unref();
    this.#pauseMs = Math.min(LONGEST_PAUSE_MS, this.#pauseMs * 2);
  }

  #stop(): void {
    this.#isStopping = true;
    for (const worker of this.#running) worker.kill('SIGTERM');
    if (this.#running.size === 0) this.#ended.resolve(this.#exitCode);
  }
}

function openChannel(worker: Worker): WorkerChannel {
  return {
    send: (message) => {
      if (worker.isConnected()) worker.send(message, () => undefined);
    },
    onMessage: (listener) => void worker.on('message', listener),
  };
}

/** The channel of this process to the one that has started it; null: it is none of several. */
export function openOwnChannel(): WorkerChannel | null {
  return cluster.isWorker && cluster.worker !== undefined ? openChannel(cluster.worker) : null;
}

/** Stands for this process among several; no two have had the same. */
export function readWorkerId(): string {
  return String(cluster.worker?.id ?? 1);
}

/** What a worker sends when it answers. */
export function describeListening(origin: string): object {
  return { marketplace: 'LISTENING', origin };
}

function readListening(message: unknown): string | null {
  if (typeof message !== 'object' || message === null) return null;
  const { marketplace, origin }: { marketplace?: unknown; origin?: unknown } = message;
  return marketplace === 'LISTENING' && typeof origin === 'string' ? origin : null;
}

/** `marketplace serve`: the gateway as a server, until it is asked to stop. */
import { destination, type Logger } from 'pino';
import packageJson from '../../package.json' with { type: 'json' };
import type { Demo } from '../../registry/demo-thread.ts';
import { WorkerBus, type WorkerChannel } from '../cluster/worker-bus.ts';
import type { Config } from '../config/config.ts';
import { ConfigFaults } from '../config/faults.ts';
import { demoConfig } from '../config/load.ts';
import { listSecrets } from '../config/secrets.ts';
import { createGateway, type Gateway } from '../gateway.ts';
import { ConfigSource } from '../live/config-source.ts';
import { Reloader } from '../live/reloader.ts';
import { shareLimits } from '../live/share-limits.ts';
import { type Listener, listen } from '../server/listen.ts';
import { createLogger, SecretMask } from '../telemetry/logger.ts';
import { openTracing } from '../telemetry/tracing.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, type Host } from './host.ts';
import { describeListening, openOwnChannel, readWorkerId, runWorkers } from './workers.ts';

/** How long what is in flight may take after a signal to stop (the contract's commands). */
const DRAIN_MS = 10_000;
/** How long a connection stays open then that nothing is asked by. */
const IDLE_MS = 500;
/** A scrape that is under way is soon over. */
const ADMIN_DRAIN_MS = 1_000;
/** Standard error: standard output is for the one line that says where the gateway is. */
const LOG_DESCRIPTOR = 2;

interface Setup {
  readonly config: Config;
  /** Where the configuration is read again; null: nowhere. */
  readonly source: ConfigSource | null;
  /** Stops what was started for this configuration alone. */
  close(): Promise<void>;
}

/**
 * Serves until the host says stop. Gives the exit code: 0 stopped, 1 failed, 2 the configuration is wrong. `demo`: the registries
 * that are served, with their own configuration; null: those of the configuration that the environment names.
 */
export async function serve(host: Host, demo: Promise<Demo> | null): Promise<number> {
  const channel = openOwnChannel();
  // From here on: whoever sends the signal early must not end the process by it.
  const reload = new ReloadSignal(host);
  let setup: Setup;
  try {
    setup = demo === null ? prepareNamed(host.environment) : await prepareDemo(await demo, host.environment);
  } catch (error) {
    host.printErrorLine(error instanceof Error ? error.message : String(error));
    return error instanceof ConfigFaults ? EXIT_USAGE : EXIT_FAILED;
  }
  try {
    const { config } = setup;
    if (config.workers === 1 || channel !== null) return await serveConfig(setup, host, reload, channel);
    if (setup.source === null) {
      host.printErrorLine(
        'Workers must have a configuration file, so that all serve the same. Set MARKETPLACE_CONFIG.',
      );
      return EXIT_USAGE;
    }
    return await runWorkers({ count: config.workers, host, log: openLog(config).log });
  } catch (error) {
    host.printErrorLine(describeStartFailure(error, setup.config));
    return EXIT_FAILED;
  } finally {
    await setup.close();
  }
}

function prepareNamed(environment: Host['environment']): Setup {
  const source = new ConfigSource(environment.MARKETPLACE_CONFIG ?? '', environment);
  return { config: source.read(), source, close: async () => source.close() };
}

async function prepareDemo({ registries, close }: Demo, environment: Host['environment']): Promise<Setup> {
  try {
    return { config: demoConfig(registries, environment), source: null, close };
  } catch (error) {
    await close();
    throw error;
  }
}

function openLog(config: Config) {
  const mask = new SecretMask();
  mask.hide(listSecrets(config));
  return { mask, log: createLogger({ level: config.logLevel, destination: destination(LOG_DESCRIPTOR), mask }) };
}

/** `channel`: to the process that has started this one as one of several; null: it is the only one. */
async function serveConfig(
  { config: whole, source }: Setup,
  host: Host,
  reload: ReloadSignal,
  channel: WorkerChannel | null,
): Promise<number> {
  const config = toOwnConfig(whole);
  const { log, mask } = openLog(config);
  const warn = (message: string) => log.warn(message);
  const tracing = await openTracing({ environment: host.environment, version: packageJson.version, warn });
  const gateway = await createGateway(config, {
    ...{ log, tracing, siblings: channel && new WorkerBus(channel), worker: readWorkerId() },
    readProcess: host.watchProcess?.() ?? null,
  });
  const reloader =
    source &&
    new Reloader({
      started: config,
      read: () => toOwnConfig(source.read()),
      apply: (next) => {
        mask.hide(listSecrets(next));
        return gateway.reload(next);
      },
      onState: (state) => gateway.noteConfigState(state),
      log,
    });
  try {
    const { host: address, port } = config.server;
    const listener = await listen({
      host: address,
      port,
      handle: gateway.handle,
      handleUpgrade: gateway.handleUpgrade,
    });
    const adminListener = await listenForAdmin(config.server.admin, gateway, log);
    // Whoever waits for the line may send a signal the moment it is there.
    const stopped = waitForStop(host, log);
    if (reloader === null) reload.listen(() => log.warn('there is no configuration file that could be read again'));
    else {
      reload.listen(() => void reloader.request());
      source?.onChange(() => void reloader.request());
    }
    if (channel !== null) channel.send(describeListening(listener.origin));
    else host.printLine(`The marketplace gateway answers at ${listener.origin}/graphql`);
    await stopped;
    await reloader?.close();
    gateway.startDraining();
    await listener.close(DRAIN_MS, IDLE_MS);
    // Until then it is seen how the stop goes.
    await adminListener?.close(ADMIN_DRAIN_MS);
  } finally {
    await gateway.close();
    await tracing?.close();
  }
  return EXIT_DONE;
}

/** What is this process's of the limits of all workers; by Redis they know of each other's calls. */
function toOwnConfig(config: Config): Config {
  return config.redisUrl === null ? shareLimits(config, config.workers) : config;
}

/** The signal to read the configuration again, which may come before there is anybody to heed it. */
class ReloadSignal {
  #listener: (() => void) | null = null;
  #hasCome = false;

  constructor(host: Host) {
    host.onReload(() => {
      if (this.#listener === null) this.#hasCome = true;
      else this.#listener();
    });
  }

  listen(listener: () => void): void {
    this.#listener = listener;
    if (this.#hasCome) listener();
  }
}

async function listenForAdmin(
  admin: Config['server']['admin'],
  { handleAdmin }: Gateway,
  log: Logger,
): Promise<Listener | null> {
  if (admin === null) return null;
  try {
    const listener = await listen({ ...admin, handle: handleAdmin });
    log.info({ origin: listener.origin }, 'metrics are served by a listener of their own');
    return listener;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`server.admin must be an address that can be listened on (${reason})`, { cause: error });
  }
}

function waitForStop(host: Host, log: Logger): Promise<void> {
  return new Promise((resolve) => {
    host.onStop(() => {
      log.info('stopping');
      resolve();
    });
  });
}

function describeStartFailure(error: unknown, { server: { host, port } }: Config): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  switch (code) {
    case 'EADDRINUSE':
      return `The gateway cannot listen on ${host}:${port}: another program does. Stop that one, or set PORT to another port.`;
    case 'EACCES':
      return `The gateway may not listen on ${host}:${port}. Set PORT to a port above 1023.`;
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return `The gateway cannot listen on ${host}:${port}: this machine has no such address. Set HOST to one that it has.`;
    default:
      return `The gateway could not start: ${error instanceof Error ? error.message : String(error)}`;
  }
}

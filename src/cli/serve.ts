/** `marketplace serve`: the gateway as a server, until it is asked to stop. */
import { destination, type Logger } from 'pino';
import packageJson from '../../package.json' with { type: 'json' };
import type { Config } from '../config/config.ts';
import { ConfigFaults } from '../config/faults.ts';
import { demoConfig, loadConfig } from '../config/load.ts';
import { listSecrets } from '../config/secrets.ts';
import { createGateway } from '../gateway.ts';
import { listen } from '../server/listen.ts';
import { createLogger } from '../telemetry/logger.ts';
import { openTracing } from '../telemetry/tracing.ts';
import { EXIT_DONE, EXIT_FAILED, EXIT_USAGE, type Host } from './host.ts';

/** How long what is in flight may take after a signal to stop (the contract's commands). */
const DRAIN_MS = 10_000;
/** Standard error: standard output is for the one line that says where the gateway is. */
const LOG_DESCRIPTOR = 2;

interface Setup {
  readonly config: Config;
  /** Stops what was started for this configuration alone. */
  close(): Promise<void>;
}

/** Serves until the host says stop. Gives the exit code: 0 stopped, 1 failed, 2 the configuration is wrong. */
export async function serve(host: Host): Promise<number> {
  let setup: Setup;
  try {
    setup = await prepare(host.environment);
  } catch (error) {
    host.printErrorLine(error instanceof Error ? error.message : String(error));
    return error instanceof ConfigFaults ? EXIT_USAGE : EXIT_FAILED;
  }
  try {
    return await serveConfig(setup.config, host);
  } catch (error) {
    host.printErrorLine(describeStartFailure(error, setup.config));
    return EXIT_FAILED;
  } finally {
    await setup.close();
  }
}

/** The configuration of the file that the environment names; without one, that of demo registries started for it. */
async function prepare(environment: Host['environment']): Promise<Setup> {
  const path = environment.MARKETPLACE_CONFIG;
  if (path) return { config: loadConfig({ path, environment }), close: async () => undefined };
  const { startDemoRegistries } = await import('../../registry/demo.ts');
  const demo = await startDemoRegistries();
  const close = async () => {
    await Promise.all(demo.map((registry) => registry.close()));
  };
  try {
    return {
      config: demoConfig(
        demo.map(({ name, type, url }) => ({ name, type, url })),
        environment,
      ),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function serveConfig(config: Config, host: Host): Promise<number> {
  const log = createLogger({
    level: config.logLevel,
    destination: destination(LOG_DESCRIPTOR),
    secrets: listSecrets(config),
  });
  const warn = (message: string) => log.warn(message);
  const tracing = await openTracing({ environment: host.environment, version: packageJson.version, warn });
  const gateway = await createGateway(config, { log, tracing });
  try {
    const { host: address, port } = config.server;
    const listener = await listen({ host: address, port, handle: gateway.handle });
    // Whoever waits for the line may send a signal the moment it is there.
    const stopped = waitForStop(host, log);
    host.printLine(`The marketplace gateway answers at ${listener.origin}/graphql`);
    await stopped;
    gateway.startDraining();
    await listener.close(DRAIN_MS);
  } finally {
    await gateway.close();
    await tracing?.close();
  }
  return EXIT_DONE;
}

function waitForStop(host: Host, log: Logger): Promise<void> {
  host.onReload(() => log.warn('this version does not read its configuration again: restart it instead'));
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

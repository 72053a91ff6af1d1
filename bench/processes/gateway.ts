/** A process with the gateway, and nothing else, as it is configured by default but for what would get in the way. */
import { pino } from 'pino';
import { parseConfigObject } from '../../src/config/load.ts';
import { createGateway, type Gateway } from '../../src/gateway.ts';
import { type Listener, listen } from '../../src/server/listen.ts';
import { type Remote, serveCommands, startProcess } from './remote.ts';

interface GatewayOptions {
  readonly registryUrls: readonly string[];
  /** Members of each registry's configuration. */
  readonly settings?: Readonly<Record<string, unknown>>;
}

let running: { readonly gateway: Gateway; readonly listener: Listener } | null = null;

const commands = {
  /** Starts it, in place of the one before: with an empty cache and new connections. Gives its origin. */
  async start({ registryUrls, settings }: GatewayOptions): Promise<string> {
    await stop();
    const config = parseConfigObject({
      server: {
        secret: 'for benchmarks alone: 0123456789abcdef0123456789abcdef',
        // A run begins with nothing known.
        cache: { disk: 'off' },
      },
      registries: registryUrls.map((url, index) => ({
        name: `registry-${String(index).padStart(3, '0')}`,
        type: 'official',
        url,
        // What is measured is what a request costs, not how many are let through.
        rateLimit: 'off',
        ...settings,
      })),
    });
    const gateway = await createGateway(config, { log: pino({ level: 'error' }, process.stderr) });
    const listener = await listen({ host: '127.0.0.1', port: 0, handle: gateway.handle });
    running = { gateway, listener };
    return listener.origin;
  },
};

async function stop(): Promise<void> {
  if (running === null) return;
  const { gateway, listener } = running;
  running = null;
  await listener.close(0);
  await gateway.close();
}

/** A process that can have gateways; none runs yet. */
export function startGatewayProcess(): Remote<typeof commands> {
  return startProcess<typeof commands>('gateway.ts');
}

if (process.send !== undefined && import.meta.main) serveCommands(commands);

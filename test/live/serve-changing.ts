/** A gateway on a free port whose configuration changes, over registries on loopback that a test starts. */
import { pino } from 'pino';
import type { Config } from '../../src/config/config.ts';
import { parseConfigObject } from '../../src/config/load.ts';
import { createGateway, type Gateway } from '../../src/gateway.ts';
import { listen } from '../../src/server/listen.ts';
import { type Ask, createAsk } from '../server/ask.ts';

/** Members of the configuration's registries; `type` is official where it is not given. */
export type RegistryMembers = Readonly<Record<string, unknown> & { name: string; url: string }>;

export interface ServedChanging extends AsyncDisposable {
  readonly origin: string;
  readonly gateway: Gateway;
  readonly logLines: Record<string, unknown>[];
  readonly ask: Ask;
  reload(registries: readonly RegistryMembers[], more?: Record<string, unknown>): Promise<void>;
}

/** A configuration of these registries, everything else by default, with a secret, and nothing on the disk. */
export function configOf(registries: readonly RegistryMembers[], more: Record<string, unknown> = {}): Config {
  return parseConfigObject({
    ...more,
    server: {
      secret: 'for tests alone: 0123456789abcdef0123456789abcdef',
      cache: { disk: 'off', warm: 'off' },
      search: { timeout: '20s' },
      limits: { requestsPerMinute: 'off', costPerMinute: 'off' },
      ...(more.server as Record<string, unknown> | undefined),
    },
    registries: registries.map((members) => ({
      ...{ type: 'official', health: { interval: '1h' }, timeouts: { search: '20s' } },
      ...members,
    })),
  });
}

export async function serveChanging(
  registries: readonly RegistryMembers[],
  more: Record<string, unknown> = {},
): Promise<ServedChanging> {
  const logLines: Record<string, unknown>[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logLines.push(JSON.parse(line)) });
  const gateway = await createGateway(configOf(registries, more), { log });
  const listener = await listen({
    ...{ host: '127.0.0.1', port: 0 },
    handle: gateway.handle,
    handleUpgrade: gateway.handleUpgrade,
  });
  return {
    origin: listener.origin,
    gateway,
    logLines,
    ask: createAsk(listener.origin),
    reload: (changed, also = {}) => gateway.reload(configOf(changed, also)),
    async [Symbol.asyncDispose]() {
      await listener.close(1000);
      await gateway.close();
    },
  };
}

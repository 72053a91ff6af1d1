/** Keeps what a gateway counts in the storage that it has. */
import { hash } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import type { Storage } from '../storage/storage.ts';
import type { StorageLog } from '../storage/storage-log.ts';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.ts';
import { StoredCounts } from './stored-counts.ts';

/** Takes over what was counted before, and gives the function that writes a last time. Neither ever rejects. */
export async function openCounts(
  { storage: location, dataDirectory, server }: Pick<Config, 'storage' | 'dataDirectory' | 'server'>,
  { storage, metrics, log }: { readonly storage: Storage; readonly metrics: GatewayMetrics; readonly log: StorageLog },
): Promise<() => Promise<void>> {
  // Nothing comes back to what is in memory.
  if (location.kind === 'sqlite' && location.path === ':memory:') return async () => undefined;
  const place = hash('sha256', JSON.stringify([hostname(), dataDirectory, server.host, server.port]), 'hex').slice(
    0,
    32,
  );
  const counts = new StoredCounts({ storage, metrics, place, log });
  await counts.restore();
  return () => counts.close();
}

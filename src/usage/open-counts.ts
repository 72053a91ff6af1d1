/** Keeps what a gateway counts in the storage that it has. */
import { hash, randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import type { Config } from '../config/config.ts';
import type { Storage } from '../storage/storage.ts';
import type { StorageLog } from '../storage/storage-log.ts';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.ts';
import { StoredCounts } from './stored-counts.ts';

interface CountsOptions {
  readonly storage: Storage;
  readonly metrics: GatewayMetrics;
  readonly log: StorageLog;
  /** Whether other processes serve at the same address. */
  readonly hasSiblings: boolean;
}

/** Takes over what was counted before, and gives the function that writes a last time. Neither ever rejects. */
export async function openCounts(
  { storage: location, dataDirectory, server }: Pick<Config, 'storage' | 'dataDirectory' | 'server'>,
  { storage, metrics, log, hasSiblings }: CountsOptions,
): Promise<() => Promise<void>> {
  // Nothing comes back to what is in memory.
  if (location.kind === 'sqlite' && location.path === ':memory:') return async () => undefined;
  const here = JSON.stringify([hostname(), dataDirectory, server.host, server.port]);
  // Whoever was here before is gone. A sibling that serves here, too, need not be.
  const place = hasSiblings ? randomUUID() : hash('sha256', here, 'hex');
  const counts = new StoredCounts({ storage, metrics, place, log });
  await counts.restore();
  return () => counts.close();
}

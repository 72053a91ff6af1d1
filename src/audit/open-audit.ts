/** Opens the audit trail that a configuration names. */
import { createHmac, hkdfSync } from 'node:crypto';
import { join } from 'node:path';
import type { Config } from '../config/config.ts';
import { GATEWAY_ACTOR } from '../domain/audit.ts';
import { openStorage, type Storage } from '../storage/storage.ts';
import type { StorageLog } from '../storage/storage-log.ts';
import { ANCHOR_FILE, readAnchor } from './anchor-file.ts';
import { readChain } from './chain.ts';
import { StoredTrail, type TrailSettings } from './stored-trail.ts';

export interface OpenedAudit {
  readonly storage: Storage;
  readonly trail: StoredTrail;
  /** Writes what waits and closes the storage. */
  close(): Promise<void>;
}

/**
 * Opens it for a gateway that serves: looks whether it is the one that was there before, and records the configuration where that
 * is another one. Throws StorageUnopened, AuditUnavailable.
 */
export async function openAudit(config: Config, log: StorageLog): Promise<OpenedAudit> {
  const storage = await openStorage(config.storage, log);
  const anchorPath = anchorPathOf(config);
  const trail = new StoredTrail({ storage, settings: trailSettingsOf(config), anchorPath, log });
  const close = async () => {
    await trail.close();
    await storage.close();
  };
  try {
    await checkAnchor(storage, trail, anchorPath, log);
    await trail.noteConfiguration(fingerprintConfig(config));
    void trail.prune();
    return { storage, trail, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What of the configuration the trail goes by. */
export function trailSettingsOf({ server, audit }: Pick<Config, 'server' | 'audit'>): TrailSettings {
  return { secrets: server.secrets, retentionMs: audit.retention };
}

/** null: what is in memory alone has nothing to come back to. */
export function anchorPathOf({ storage, dataDirectory }: Pick<Config, 'storage' | 'dataDirectory'>): string | null {
  const isInMemory = storage.kind === 'sqlite' && storage.path === ':memory:';
  return isInMemory ? null : join(dataDirectory, ANCHOR_FILE);
}

/**
 * A trail that was put back to an older state is one that the signature vouches for. What this gateway wrote down tells; it
 * says so in the trail, since what it wrote down is overwritten from now on.
 */
async function checkAnchor(storage: Storage, trail: StoredTrail, path: string | null, log: StorageLog): Promise<void> {
  const anchor = path === null ? null : readAnchor(path, storage.place);
  if (anchor === null) return;
  const { sequence } = anchor;
  const { base_sequence } = await readChain(storage.db);
  if (sequence <= base_sequence) return;
  const found = await storage.db
    .selectFrom('audit_events')
    .select('hash')
    .where('sequence', '=', sequence)
    .executeTakeFirst();
  if (found?.hash === anchor.hash) return;
  log.error({ sequence, database: storage.place }, 'the audit trail does not hold an event that it held before');
  const detail = `event ${sequence}, which this gateway had seen, is missing or another one`;
  const entry = { action: 'audit.unproven', outcome: 'FAILED', detail } as const;
  await trail.append(entry, { actor: GATEWAY_ACTOR, requestId: null }).catch(() => undefined);
}

/**
 * Stands for a configuration, and tells nothing of the secrets in it: whoever knows all but a weak one must not find that out
 * by trying. What differs from process to process of one gateway is left out.
 */
export function fingerprintConfig({ server, registries, publish, auth, audit }: Config): string {
  const { host, port, ...shared } = server;
  const key = hkdfSync('sha256', server.secrets[0] ?? '', '', 'marketplace configuration', 32);
  const text = JSON.stringify({ server: shared, registries, publish, auth, audit });
  return createHmac('sha256', new Uint8Array(key)).update(text).digest('hex').slice(0, 32);
}

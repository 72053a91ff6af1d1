/** Opens the audit trail that a configuration names. */
import type { Config } from '../config/config.ts';
import { openStorage, type Storage } from '../storage/storage.ts';
import type { StorageLog } from '../storage/storage-log.ts';
import { StoredTrail } from './stored-trail.ts';

export interface OpenedAudit {
  readonly storage: Storage;
  readonly trail: StoredTrail;
  /** Writes what waits and closes the storage. */
  close(): Promise<void>;
}

/** Throws StorageUnopened. */
export async function openAudit(config: Pick<Config, 'storage' | 'server'>, log: StorageLog): Promise<OpenedAudit> {
  const storage = await openStorage(config.storage, log);
  const trail = new StoredTrail({ storage, secrets: config.server.secrets, log });
  return {
    storage,
    trail,
    close: async () => {
      await trail.close();
      await storage.close();
    },
  };
}

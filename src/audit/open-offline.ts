/** The audit trail as the command line sees it: read, beside a gateway or without one, and never appended to. */
import { existsSync } from 'node:fs';
import type { Config } from '../config/config.ts';
import type { AuditCriteria, AuditEvent } from '../domain/audit.ts';
import { openStorage } from '../storage/storage.ts';
import type { StorageLog } from '../storage/storage-log.ts';
import { readAnchor } from './anchor-file.ts';
import { type ChainPlace, fromRow } from './chain.ts';
import { AuditCursors } from './cursor.ts';
import { anchorPathOf } from './open-audit.ts';
import { readAuditPage } from './read-events.ts';
import { ChainSigner } from './signature.ts';
import { type Verification, verifyTrail } from './verify.ts';

/** Events that are read at a time. */
const PAGE_SIZE = 1_000;

export interface OfflineTrail extends AsyncDisposable {
  /** Which database it is in, without credentials. */
  readonly place: string;
  /** Reads and judges all of it, from `fromSequence` on; `expected`: a place that was noted elsewhere. */
  verify(options: { readonly fromSequence: number; readonly expected: ChainPlace | null }): Promise<Verification>;
  /** The newest events that fit, the newest first. */
  list(criteria: AuditCriteria, count: number): Promise<readonly AuditEvent[]>;
  /** All events from one on, the oldest first. */
  walk(fromSequence: number): AsyncGenerator<AuditEvent>;
}

/** null: there is no such file. Throws StorageUnopened. */
export async function openOfflineTrail(config: Config, log: StorageLog): Promise<OfflineTrail | null> {
  const { storage: location, server } = config;
  // Opened, it would be made.
  if (location.kind === 'sqlite' && !existsSync(location.path)) return null;
  const storage = await openStorage(location, log);
  const { db, place } = storage;
  const anchorPath = anchorPathOf(config);
  return {
    place,
    verify: ({ fromSequence, expected }) => {
      const anchor = anchorPath === null ? null : readAnchor(anchorPath, place);
      return verifyTrail(storage, new ChainSigner(server.secrets), { anchor, expected, fromSequence });
    },
    async list(criteria, count) {
      const cursors = new AuditCursors(server.secrets);
      const request = { criteria, first: count, after: null, registryNames: null };
      return (await readAuditPage(storage, cursors, request)).events;
    },
    async *walk(fromSequence) {
      for (let after = fromSequence - 1; ; ) {
        const query = db.selectFrom('audit_events').selectAll().where('sequence', '>', after);
        const rows = await query.orderBy('sequence').limit(PAGE_SIZE).execute();
        yield* rows.map(fromRow);
        const last = rows.at(-1);
        if (last === undefined) return;
        after = last.sequence;
      }
    },
    [Symbol.asyncDispose]: () => storage.close(),
  };
}

/** Deletes events for their age: the chain begins later then, at a place that is signed. */
import { GATEWAY_ACTOR } from '../domain/audit.ts';
import type { Storage } from '../storage/storage.ts';
import { changeChain, fromRow } from './chain.ts';
import { completeEvent, hashEvent } from './event-hash.ts';
import type { ChainSigner } from './signature.ts';

/** Events of one transaction: others wait for it. */
const MAX_EVENTS_AT_ONCE = 1_000;

/** The trail is not what was written: nothing of it may be deleted, since it is evidence. */
export class TrailBroken extends Error {
  override readonly name = 'TrailBroken';

  constructor() {
    super('Events are not deleted for their age, because the trail does not verify. Run "marketplace audit verify".');
  }
}

export interface PruneTimes {
  /** Events from this time on are kept. */
  readonly beforeMs: number;
  readonly nowMs: number;
}

/**
 * Deletes the oldest events as long as they were recorded before a time, and records that. Several replicas may do it at
 * once. Gives how many it deleted. Throws TrailBroken, and what the database does.
 */
export async function pruneTrail(
  storage: Storage,
  signer: ChainSigner,
  { beforeMs, nowMs }: PruneTimes,
): Promise<number> {
  let deleted = 0;
  for (;;) {
    const count = await pruneSome(storage, signer, { beforeMs, nowMs });
    deleted += count;
    if (count < MAX_EVENTS_AT_ONCE) return deleted;
    // Beside the requests that are served meanwhile.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

async function pruneSome(storage: Storage, signer: ChainSigner, { beforeMs, nowMs }: PruneTimes): Promise<number> {
  const { result } = await changeChain(storage, signer, async ({ transaction, row, verdict }) => {
    const rows = await transaction
      .selectFrom('audit_events')
      .selectAll()
      .where('sequence', '>', row.base_sequence)
      .orderBy('sequence')
      .limit(MAX_EVENTS_AT_ONCE)
      .execute();
    const events = rows.map(fromRow);
    const kept = events.findIndex(({ atMs }) => atMs >= beforeMs);
    const old = kept === -1 ? events : events.slice(0, kept);
    const last = old.at(-1);
    if (last === undefined) return { result: 0, base: null, events: [] };
    if (verdict !== 'SIGNED') throw new TrailBroken();
    let previous = { sequence: row.base_sequence, hash: row.base_hash };
    for (const event of old) {
      const follows = event.sequence === previous.sequence + 1 && event.previousHash === previous.hash;
      if (!follows || hashEvent(event) !== event.hash) throw new TrailBroken();
      previous = event;
    }
    await transaction.deleteFrom('audit_events').where('sequence', '<=', last.sequence).execute();
    const detail = `the events up to ${last.sequence} were deleted for their age`;
    const entry = { action: 'audit.prune', outcome: 'SUCCEEDED', detail } as const;
    const told = completeEvent(entry, { actor: GATEWAY_ACTOR, requestId: null }, nowMs, 1);
    return { result: old.length, base: { sequence: last.sequence, hash: last.hash }, events: [told] };
  });
  return result;
}

/** The chain in the storage: read and extended within transactions that lock it, so that no two writers fork it. */
import { type Kysely, sql, type Transaction } from 'kysely';
import type { AuditEvent } from '../domain/audit.ts';
import { GATEWAY_ACTOR } from '../domain/audit.ts';
import type { Storage } from '../storage/storage.ts';
import type { AuditChainRow, AuditEventRow, StorageTables } from '../storage/tables.ts';
import { chainEvent, completeEvent, type UnchainedEvent } from './event-hash.ts';
import type { ChainEnds, ChainSigner, SignatureVerdict } from './signature.ts';

type Database = Kysely<StorageTables>;

/** Written with one statement: 13 parameters a row, of the 32,766 that SQLite takes. */
const MAX_ROWS_A_STATEMENT = 500;

/** A place in the chain. */
export interface ChainPlace {
  readonly sequence: number;
  readonly hash: string;
}

/** The chain as a change of it finds it. */
interface ChainAsFound {
  readonly transaction: Transaction<StorageTables>;
  readonly row: AuditChainRow;
  readonly verdict: SignatureVerdict;
}

/** What is to become of it: another beginning (null: it stays), and what is appended. */
interface ChainChange<T> {
  readonly result: T;
  readonly base: ChainPlace | null;
  readonly events: readonly UnchainedEvent[];
}

/**
 * Appends the events in one transaction and gives the place of the last. Where the chain was signed by nobody who has a
 * secret of the gateway's, an event that says so comes first, and stays: what is appended later must not vouch for it.
 */
export async function appendToChain(
  storage: Storage,
  signer: ChainSigner,
  events: readonly UnchainedEvent[],
): Promise<ChainPlace> {
  const { head } = await changeChain(storage, signer, async () => ({ result: null, base: null, events }));
  return head;
}

/** Changes the chain in one transaction, which nobody else changes meanwhile; `head` is its end afterwards. */
export async function changeChain<T>(
  { db, kind }: Storage,
  signer: ChainSigner,
  decide: (found: ChainAsFound) => Promise<ChainChange<T>>,
): Promise<{ readonly result: T; readonly head: ChainPlace }> {
  return db.transaction().execute(async (transaction) => {
    const row = await lockChain(transaction, kind);
    const verdict = signer.verify(row);
    const change = await decide({ transaction, row, verdict });
    const isProven = verdict === 'SIGNED' || verdict === 'UNSIGNED';
    const before = { sequence: row.head_sequence, hash: row.head_hash };
    if (change.events.length === 0) return { result: change.result, head: before };
    const chained = chainAll(before, isProven ? change.events : [describeUnproven(row), ...change.events]);
    for (let from = 0; from < chained.length; from += MAX_ROWS_A_STATEMENT) {
      const rows = chained.slice(from, from + MAX_ROWS_A_STATEMENT).map(toRow);
      await transaction.insertInto('audit_events').values(rows).execute();
    }
    const { sequence, hash } = chained.at(-1) ?? before;
    const base = change.base ?? { sequence: row.base_sequence, hash: row.base_hash };
    await writeEnds(transaction, signer, {
      ...{ base_sequence: base.sequence, base_hash: base.hash },
      ...{ head_sequence: sequence, head_hash: hash },
    });
    return { result: change.result, head: { sequence, hash } };
  });
}

/** The chain's row, which nobody else changes until the transaction ends. */
async function lockChain(transaction: Transaction<StorageTables>, kind: Storage['kind']): Promise<AuditChainRow> {
  const query = transaction.selectFrom('audit_chain').selectAll().where('id', '=', 1);
  // SQLite: the transaction has the whole database already.
  if (kind === 'sqlite') return query.executeTakeFirstOrThrow(describeLoss);
  // A server, database or user may be set not to wait for the disk: what is acknowledged here is on it.
  const durable = sql`case when current_setting('synchronous_commit') = 'off' then set_config('synchronous_commit', 'on', true) end`;
  return query.select(durable.as('durable')).forUpdate().executeTakeFirstOrThrow(describeLoss);
}

async function writeEnds(db: Database, signer: ChainSigner, ends: ChainEnds): Promise<void> {
  await db
    .updateTable('audit_chain')
    .set({ ...ends, ...signer.sign(ends) })
    .where('id', '=', 1)
    .execute();
}

/** The row that says where the chain begins and ends. Throws what the database throws. */
export function readChain(db: Database): Promise<AuditChainRow> {
  return db.selectFrom('audit_chain').selectAll().where('id', '=', 1).executeTakeFirstOrThrow(describeLoss);
}

/** It is written when the tables are made, and never deleted. */
function describeLoss(): Error {
  return new Error(
    'the audit trail must say where it begins and ends; the row that did was deleted. Put the database back.',
  );
}

function describeUnproven({ head_sequence }: AuditChainRow): UnchainedEvent {
  return completeEvent(
    {
      action: 'audit.unproven',
      outcome: 'FAILED',
      detail: `no secret of the gateway signed the trail up to ${head_sequence}`,
    },
    { actor: GATEWAY_ACTOR, requestId: null },
    Date.now(),
    1,
  );
}

function chainAll(before: ChainPlace, events: readonly UnchainedEvent[]): AuditEvent[] {
  let previous = before;
  return events.map((event) => {
    const chained = chainEvent(event, previous);
    previous = chained;
    return chained;
  });
}

function toRow(event: AuditEvent): AuditEventRow {
  return {
    sequence: event.sequence,
    at_ms: event.atMs,
    actor: event.actor,
    action: event.action,
    registry_name: event.registryName,
    template: event.template,
    version: event.version,
    outcome: event.outcome,
    request_id: event.requestId,
    detail: event.detail,
    occurrences: event.occurrences,
    hash: event.hash,
    previous_hash: event.previousHash,
  };
}

/** An event as the domain has it. */
export function fromRow(row: AuditEventRow): AuditEvent {
  return {
    sequence: row.sequence,
    atMs: row.at_ms,
    actor: row.actor,
    action: row.action,
    registryName: row.registry_name,
    template: row.template,
    version: row.version,
    outcome: row.outcome,
    requestId: row.request_id,
    detail: row.detail,
    occurrences: row.occurrences,
    hash: row.hash,
    previousHash: row.previous_hash,
  };
}

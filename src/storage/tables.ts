/** The tables, as both kinds of database have them. Times are milliseconds since 1970, hashes lower-case hex. */
import type { Selectable } from 'kysely';
import type { AuditOutcome } from '../domain/audit.ts';

interface AuditEventsTable {
  /** From 1, without gaps. */
  sequence: number;
  at_ms: number;
  actor: string;
  action: string;
  registry_name: string | null;
  template: string | null;
  version: string | null;
  outcome: AuditOutcome;
  request_id: string | null;
  detail: string | null;
  /** How many times it happened: more than one for counted events alone. */
  occurrences: number;
  hash: string;
  previous_hash: string;
}

/** One row: between which two places the chain stands, and the signature of that. */
interface AuditChainTable {
  id: number;
  /** The last event that was deleted for its age, 0 at first: the chain begins behind it. */
  base_sequence: number;
  base_hash: string;
  head_sequence: number;
  head_hash: string;
  /** Which secret signed, so that an unknown one is told apart from a wrong signature. */
  key_id: string;
  signature: string;
}

/** A process that counts, and when it was heard of last. */
interface UsageWritersTable {
  writer: string;
  place: string;
  seen_ms: number;
  /** 1: it has said goodbye. */
  is_closed: number;
}

/** What one process counted in one minute, as JSON; of minutes that were taken over there may be several. */
interface UsageSlicesTable {
  writer: string;
  start_ms: number;
  slice: string;
}

export interface StorageTables {
  audit_events: AuditEventsTable;
  audit_chain: AuditChainTable;
  usage_writers: UsageWritersTable;
  usage_slices: UsageSlicesTable;
}

export type AuditEventRow = Selectable<AuditEventsTable>;
export type AuditChainRow = Selectable<AuditChainTable>;

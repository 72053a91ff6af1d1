/**
 * The one list of migrations, for SQLite and PostgreSQL alike. What was released is never changed: a change is a new entry
 * behind the others. Each works on rows that an older version goes on writing while replicas are replaced one by one.
 */
import type { Kysely } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import type { StorageTables } from './tables.ts';

/** What the hash of the first event has before it. */
export const GENESIS_HASH = '0'.repeat(64);

const MIGRATIONS: Readonly<Record<string, Migration>> = {
  '0001_audit': { up: createAuditTables },
  '0002_usage': { up: createUsageTables },
};

async function createAuditTables(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('audit_events')
    .addColumn('sequence', 'bigint', (column) => column.primaryKey())
    .addColumn('at_ms', 'bigint', (column) => column.notNull())
    .addColumn('actor', 'text', (column) => column.notNull())
    .addColumn('action', 'text', (column) => column.notNull())
    .addColumn('registry_name', 'text')
    .addColumn('template', 'text')
    .addColumn('version', 'text')
    .addColumn('outcome', 'text', (column) => column.notNull())
    .addColumn('request_id', 'text')
    .addColumn('detail', 'text')
    .addColumn('occurrences', 'integer', (column) => column.notNull())
    .addColumn('hash', 'text', (column) => column.notNull())
    .addColumn('previous_hash', 'text', (column) => column.notNull())
    .execute();
  // Each ends with the sequence, so that a page of any filter is read in order and no further than it goes.
  for (const column of ['actor', 'action', 'registry_name', 'template', 'at_ms'] as const) {
    await db.schema
      .createIndex(`audit_events_${column}`)
      .on('audit_events')
      .columns([column, 'sequence'] as never)
      .execute();
  }
  await db.schema
    .createTable('audit_chain')
    .addColumn('id', 'integer', (column) => column.primaryKey())
    .addColumn('base_sequence', 'bigint', (column) => column.notNull())
    .addColumn('base_hash', 'text', (column) => column.notNull())
    .addColumn('head_sequence', 'bigint', (column) => column.notNull())
    .addColumn('head_hash', 'text', (column) => column.notNull())
    .addColumn('key_id', 'text', (column) => column.notNull())
    .addColumn('signature', 'text', (column) => column.notNull())
    .execute();
  const first = {
    ...{ id: 1, base_sequence: 0, base_hash: GENESIS_HASH, head_sequence: 0, head_hash: GENESIS_HASH },
    ...{ key_id: '', signature: '' },
  };
  await (db as unknown as Kysely<StorageTables>).insertInto('audit_chain').values(first).execute();
}

async function createUsageTables(db: Kysely<never>): Promise<void> {
  await db.schema
    .createTable('usage_writers')
    .addColumn('writer', 'text', (column) => column.primaryKey())
    .addColumn('place', 'text', (column) => column.notNull())
    .addColumn('seen_ms', 'bigint', (column) => column.notNull())
    .addColumn('is_closed', 'integer', (column) => column.notNull())
    .execute();
  await db.schema
    .createTable('usage_slices')
    .addColumn('writer', 'text', (column) => column.notNull())
    .addColumn('start_ms', 'bigint', (column) => column.notNull())
    .addColumn('slice', 'text', (column) => column.notNull())
    .execute();
  await db.schema
    .createIndex('usage_slices_writer')
    .on('usage_slices')
    .columns(['writer', 'start_ms'] as never)
    .execute();
  await db.schema
    .createIndex('usage_slices_start_ms')
    .on('usage_slices')
    .columns(['start_ms'] as never)
    .execute();
}

/**
 * Brings the database to this version. Several processes may do it at once: one does, the others wait (PostgreSQL by an
 * advisory lock, SQLite by its own). Throws what the database does; a database of a newer version is an error, too.
 */
export async function migrateToLatest(db: Kysely<StorageTables>): Promise<void> {
  const provider = { getMigrations: async () => ({ ...MIGRATIONS }) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  if (error !== undefined) throw error;
}

/** kysely over a pool of connections to PostgreSQL, with every wait bounded. */
import { type Dialect, PostgresDialect } from 'kysely';
import pg from 'pg';
import type { StorageLog } from './storage-log.ts';

/** Beside the chain, which one transaction at a time extends, there are reads of auditors and counts. */
const MAX_CONNECTIONS = 5;
const CONNECT_TIMEOUT_MS = 3_000;
/** Of a statement, told to the server. */
const STATEMENT_TIMEOUT_MS = 5_000;
/** The same as seen from here, where the network may be what fails. */
const QUERY_TIMEOUT_MS = 6_000;
/** A replica that stops in the middle of a transaction must not hold the chain's lock. */
const IDLE_TRANSACTION_TIMEOUT_MS = 10_000;
/** The type of bigint and of count(*) in PostgreSQL's catalogue (pg_type.dat). */
const INT8_OID = 20;

/** `url` may hold a password: nothing of it is ever logged. The pool opens its connections when they are needed. */
export function createPostgresDialect(url: string, log: StorageLog): Dialect {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'marketplace',
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    query_timeout: QUERY_TIMEOUT_MS,
    idle_in_transaction_session_timeout: IDLE_TRANSACTION_TIMEOUT_MS,
    keepAlive: true,
    types: {
      // No number here passes 2^53; as the text that pg gives otherwise they would not be compared as numbers.
      getTypeParser: (oid: number, format?: 'text' | 'binary') =>
        oid === INT8_OID ? Number : pg.types.getTypeParser(oid, format ?? 'text'),
    },
  });
  // A connection that is lost while nobody uses it: the pool makes another one. Unheard it would end the process.
  pool.on('error', (error) => log.warn({ err: error }, 'a connection to the database was lost'));
  return new PostgresDialect({ pool });
}

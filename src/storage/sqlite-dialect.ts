/** kysely over Node's own SQLite: a connection, which there is one of, and transactions that write from their beginning. */
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  type QueryResult,
  SqliteAdapter,
  SqliteIntrospector,
  SqliteQueryCompiler,
} from 'kysely';
import type { SqliteConnection } from './sqlite-session.ts';

/** What kysely needs to speak to the one connection of an SQLite file. */
export function createSqliteDialect(connection: SqliteConnection): Dialect {
  return {
    createAdapter: () => new TransactionalSqliteAdapter(),
    createDriver: () => new SqliteDriver(connection),
    createIntrospector: (db) => new SqliteIntrospector(db),
    createQueryCompiler: () => new SqliteQueryCompiler(),
  };
}

/** kysely's own assumes that tables cannot be made within a transaction. They can, and only so is a migration whole. */
class TransactionalSqliteAdapter extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class SqliteDriver implements Driver {
  readonly #connection: SqliteConnection;
  readonly #acquired: DatabaseConnection;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
    this.#acquired = new KyselyConnection(connection);
  }

  async init(): Promise<void> {}

  /** kysely itself lets nobody have it while another one does. */
  async acquireConnection(): Promise<DatabaseConnection> {
    return this.#acquired;
  }

  /** IMMEDIATE: one that reads first and writes then could find that another process wrote in between, and fail. */
  async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
  }

  async commitTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('commit'));
  }

  async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await connection.executeQuery(CompiledQuery.raw('rollback'));
    } catch {
      // A full disk and the like end the transaction by themselves: then there is none. What failed first is what is told.
    }
  }

  async releaseConnection(): Promise<void> {}

  async destroy(): Promise<void> {
    await this.#connection.close();
  }
}

class KyselyConnection implements DatabaseConnection {
  readonly #connection: SqliteConnection;

  constructor(connection: SqliteConnection) {
    this.#connection = connection;
  }

  async executeQuery<R>({ sql, parameters }: CompiledQuery): Promise<QueryResult<R>> {
    const { rows, changes } = await this.#connection.execute(sql, parameters);
    // What kysely knows of the tables is what gives rows their types.
    return { rows: rows as R[], numAffectedRows: BigInt(changes) };
  }

  streamQuery(): never {
    throw new TypeError('Rows are read in pages here, never as a stream.');
  }
}

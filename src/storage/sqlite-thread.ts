/**
 * An SQLite file on a thread of its own. Node's SQLite is synchronous: on the main thread each durable commit would hold up
 * every request for as long as the disk takes, and the count over a long table for as long as that takes.
 */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker, type WorkerOptions } from 'node:worker_threads';
import type { SqliteConnection, SqliteResult } from './sqlite-session.ts';

interface Waiting {
  resolve(result: SqliteResult): void;
  reject(error: unknown): void;
}

interface Reply {
  readonly id: number;
  readonly result?: SqliteResult;
  readonly error?: unknown;
}

/** It runs statements and keeps nothing; a page of a long list is the most it holds. */
const HEAP_LIMITS = { maxOldGenerationSizeMb: 128, maxYoungGenerationSizeMb: 8 };

/** Resolves when the file is open. Rejects with what the file system or SQLite says of it. */
export async function openSqliteThread(path: string): Promise<SqliteConnection> {
  const worker = new Worker(new URL('./sqlite-worker.ts', import.meta.url), {
    workerData: path,
    resourceLimits: HEAP_LIMITS,
    ...keepCompiled(),
  });
  const waiting = new Map<number, Waiting>();
  let ended: Error | null = null;
  let lastId = 0;
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const end = (error: Error) => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  worker.on('error', (error) => end(error instanceof Error ? error : new Error(String(error))));
  worker.on('exit', () => end(new Error('The thread of the database has ended. Restart the gateway.')));
  worker.on('message', ({ id, result, error }: Reply) => {
    const one = waiting.get(id);
    waiting.delete(id);
    if (error !== undefined) one?.reject(error);
    else one?.resolve(result ?? { rows: [], changes: 0 });
    // Only who waits keeps the process.
    if (waiting.size === 0) worker.unref();
  });
  const wait = () =>
    new Promise<SqliteResult>((resolve, reject) => {
      if (ended !== null) {
        reject(ended);
        return;
      }
      worker.ref();
      waiting.set(lastId, { resolve, reject });
    });
  await wait();
  return {
    execute(sql, parameters) {
      lastId += 1;
      const result = wait();
      if (ended === null) worker.postMessage({ id: lastId, sql, parameters });
      return result;
    },
    async close() {
      if (ended === null) {
        worker.ref();
        worker.postMessage({ id: 0, sql: null, parameters: [] });
      }
      await exited;
    },
  };
}

/**
 * A thread does not know of the compile cache that its parent has turned on, and would load the compiler of types for two
 * files: 11 of the 29 MB that it takes, and half of its start. The directory is the one of the parent, without Node's version; of the
 * rest of the environment it needs nothing.
 */
function keepCompiled(): Pick<WorkerOptions, 'env'> {
  const directory = getCompileCacheDir();
  return directory === undefined ? {} : { env: { NODE_COMPILE_CACHE: dirname(directory) } };
}

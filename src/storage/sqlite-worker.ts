/** The thread that an SQLite file lives in (sqlite-thread.ts): a commit waits for the disk here, beside all requests. */
import { parentPort, workerData } from 'node:worker_threads';
import { SqliteSession } from './sqlite-session.ts';

if (parentPort === null) throw new TypeError('This file is the entry of a worker thread.');
const port = parentPort;
const session = new SqliteSession(String(workerData));
port.postMessage({ id: 0 });

port.on('message', (message: { id: number; sql: string | null; parameters: readonly unknown[] }) => {
  const { id, sql, parameters } = message;
  if (sql === null) {
    session.close();
    port.close();
    return;
  }
  try {
    port.postMessage({ id, result: session.execute(sql, parameters) });
  } catch (error) {
    port.postMessage({ id, error });
  }
});

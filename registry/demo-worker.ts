/** The thread that the demo registries live in (demo-thread.ts), until they are told to close. */
import { parentPort } from 'node:worker_threads';
import { startDemoRegistries } from './demo.ts';
import type { DemoReport } from './demo-thread.ts';

if (parentPort === null) throw new TypeError('This file is the entry of a worker thread.');
const port = parentPort;
const tell = (report: DemoReport) => port.postMessage(report);

try {
  const registries = await startDemoRegistries();
  port.once('message', () => {
    // Without them the thread has nothing left to do, and ends.
    void Promise.all(registries.map((registry) => registry.close()));
  });
  tell({ started: registries.map(({ name, type, url }) => ({ name, type, url })) });
} catch (error) {
  tell({ fault: error instanceof Error ? error.message : String(error) });
}

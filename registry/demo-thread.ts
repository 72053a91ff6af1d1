/**
 * The demo registries on a thread of their own: they are other servers, and start beside the gateway that is loaded meanwhile.
 */
import { getCompileCacheDir } from 'node:module';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { DemoRegistry } from './demo.ts';

type DemoPlace = Omit<DemoRegistry, 'close'>;

/** What the thread tells: once, where its registries are or why there are none. */
export type DemoReport = { readonly started: readonly DemoPlace[] } | { readonly fault: string };

export interface Demo {
  readonly registries: readonly DemoPlace[];
  /** Stops them. */
  close(): Promise<void>;
}

/** Starts them. Rejects, with none left running, when one cannot start or a file of its data cannot be used. */
export async function openDemoThread(): Promise<Demo> {
  // A thread does not know of the compile cache of its parent. The directory is that one's, without Node's version.
  const compiled = getCompileCacheDir();
  const worker = new Worker(new URL('./demo-worker.ts', import.meta.url), {
    env: compiled === undefined ? {} : { NODE_COMPILE_CACHE: dirname(compiled) },
  });
  const exited = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  const report = await new Promise<DemoReport>((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  if ('fault' in report) {
    await exited;
    throw new Error(report.fault);
  }
  return {
    registries: report.started,
    async close() {
      worker.postMessage('close');
      await exited;
    },
  };
}

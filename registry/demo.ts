/**
 * The three registries that a gateway without a configuration brings along: real servers on loopback, over the folders
 * beside this file.
 */
import { fileURLToPath } from 'node:url';
import { createRegistry } from './registry.ts';

/** One demo registry; `name` is also its folder. */
export interface DemoRegistry {
  readonly name: string;
  readonly type: 'official' | 'community' | 'institutional';
  readonly url: string;
  readonly close: () => Promise<void>;
}

const DEMO_REGISTRIES = [
  { name: 'official', type: 'official' },
  { name: 'community', type: 'community' },
  { name: 'institutional', type: 'institutional' },
] as const;

/**
 * Starts all three, read-only, each on a free port of 127.0.0.1. Rejects, with none left running, when one cannot start or a
 * file of its data cannot be used.
 */
export async function startDemoRegistries(): Promise<readonly DemoRegistry[]> {
  const started = await Promise.allSettled(DEMO_REGISTRIES.map(startDemoRegistry));
  const running = started.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  const failed = started.find((one) => one.status === 'rejected');
  if (failed === undefined) return running;
  await Promise.all(running.map((registry) => registry.close()));
  throw failed.reason;
}

async function startDemoRegistry({ name, type }: (typeof DEMO_REGISTRIES)[number]): Promise<DemoRegistry> {
  const folder = fileURLToPath(new URL(`./demo/${name}`, import.meta.url));
  const registry = createRegistry({ folder, readOnly: true, recordRequests: 0 });
  const url = await registry.listen();
  const fault = registry.faults[0];
  if (fault === undefined) return { name, type, url, close: registry.close };
  await registry.close();
  throw new Error(`the demo data must be valid, but ${name}/${fault.file} is not: ${fault.message}`);
}

/** What a search leaves for the collector of garbage: bytes, not times, and the same on every machine within a few percent. */
import { describe, expect, it } from 'vitest';
import { generateQuery } from '../../bench/catalog.ts';
import type { JobExtras } from '../../bench/job.ts';
import { startRegistries } from '../../bench/processes/registries.ts';
import { type GatewaySide, startGatewaySide } from '../../bench/sides.ts';
import { median } from '../../bench/statistics.ts';

/** Nothing is collected while a batch is measured: the young generation holds more than a batch allocates, many times over. */
const FLAGS = ['--expose-gc', '--min-semi-space-size=128', '--max-semi-space-size=128'];
/** Until the functions that take part are compiled for good. */
const WARM_UP = 400;
const BATCHES = 5;
const BATCH = 40;
const KILOBYTE = 1024;
/** Two processes start and 600 requests follow one another: half a minute on a machine that is busy otherwise. */
const TIMEOUT_MS = 90_000;

/** Of one request in bytes of V8's heap: the median over batches. */
async function measureAllocation(
  { process, client, write }: GatewaySide,
  queryOf: (number: number) => string,
  extras: JobExtras,
): Promise<number> {
  let next = 0;
  const ask = async (count: number) => {
    for (let asked = 0; asked < count; asked += 1) {
      await client.send(write({ query: queryOf(next++), order: 'POPULARITY' }, extras));
    }
  };
  await ask(WARM_UP);
  const batches: number[] = [];
  for (let batch = 0; batch < BATCHES; batch += 1) {
    await process.collectGarbage();
    const before = await process.readUsage();
    await ask(BATCH);
    const after = await process.readUsage();
    batches.push((after.heapBytes - before.heapBytes) / BATCH);
  }
  return median(batches);
}

describe('a search over three registries', () => {
  it.each([
    { which: 'that was asked before', queryOf: () => generateQuery(0), extras: {}, mostKilobytes: 36 },
    {
      which: 'that was asked before, with a live field',
      ...{ queryOf: () => generateQuery(0), extras: { timings: true }, mostKilobytes: 750 },
    },
    { which: 'that nobody asked before', queryOf: generateQuery, extras: {}, mostKilobytes: 1_400 },
  ])(
    '$which allocates no more than $mostKilobytes kB',
    async ({ queryOf, extras, mostKilobytes }) => {
      await using registries = await startRegistries({ count: 3, templatesEach: 240 });
      await using gateway = await startGatewaySide({ registryUrls: registries.urls, flags: FLAGS });
      const bytes = await measureAllocation(gateway, queryOf, extras);
      // No request is answered for nothing: less would be no measurement.
      expect(bytes).toBeGreaterThan(KILOBYTE);
      expect(bytes).toBeLessThan(mostKilobytes * KILOBYTE);
    },
    TIMEOUT_MS,
  );
});

/** All benchmarks by name, with sizes that keep the whole run under four minutes on two cores. */
import type { Table } from './report.ts';
import { measureBurst } from './tables/burst.ts';
import { measureCold } from './tables/cold.ts';
import { measureDepth } from './tables/depth.ts';
import { measureHot } from './tables/hot.ts';
import { measureHung } from './tables/hung.ts';
import { measureSoak } from './tables/soak.ts';
import { measureStart } from './tables/start.ts';

export interface Benchmark {
  readonly name: string;
  run(): Promise<Table>;
}

/** Enough for two words of a query to be found in more than a window of a registry. */
const TEMPLATES_EACH = 240;

/** In the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'hot',
    run: () =>
      measureHot({
        registries: 3,
        templatesEach: TEMPLATES_EACH,
        ...{ rounds: 5, oneByOne: 200, atOnce: 500, clients: 8, warmUp: 600 },
      }),
  },
  {
    name: 'cold-3',
    run: () =>
      measureCold({
        registries: 3,
        templatesEach: TEMPLATES_EACH,
        ...{ rounds: 5, oneByOne: 100, atOnce: 150, clients: 8, warmUp: 500 },
      }),
  },
  {
    name: 'cold-20',
    run: () =>
      measureCold({
        registries: 20,
        templatesEach: TEMPLATES_EACH,
        ...{ rounds: 5, oneByOne: 20, atOnce: 40, clients: 8, warmUp: 150 },
      }),
  },
  {
    name: 'cold-100',
    run: () =>
      measureCold({
        registries: 100,
        templatesEach: TEMPLATES_EACH,
        ...{ rounds: 3, oneByOne: 8, atOnce: 16, clients: 4, warmUp: 40 },
      }),
  },
  {
    name: 'depth',
    run: () => measureDepth({ registries: 3, templatesEach: 7_000, depths: [1, 10, 100, 1_000], pages: 10 }),
  },
  {
    name: 'hung',
    run: () =>
      measureHung({ registries: 19, templatesEach: TEMPLATES_EACH, searches: 150, clients: 4, timeoutMs: 300 }),
  },
  {
    name: 'burst',
    run: () => measureBurst({ registries: 20, templatesEach: TEMPLATES_EACH, searches: 500, repeats: 5 }),
  },
  { name: 'start', run: () => measureStart({ repeats: 5 }) },
  {
    name: 'soak',
    run: () => measureSoak({ registries: 3, templatesEach: TEMPLATES_EACH, searches: 20_000, clients: 8 }),
  },
];

/** Those that run only when they are asked for by name: they take longer. */
export const LONG_BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'soak-long',
    run: () => measureSoak({ registries: 3, templatesEach: TEMPLATES_EACH, searches: 100_000, clients: 8 }),
  },
];

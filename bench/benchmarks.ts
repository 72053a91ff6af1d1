/** All benchmarks by name, with sizes that keep the whole run near ten minutes on two idle cores. */
import type { Table } from './report.ts';
import { measureBurst } from './tables/burst.ts';
import { measureCold } from './tables/cold.ts';
import { measureDepth } from './tables/depth.ts';
import { measureHot } from './tables/hot.ts';
import { measureHung } from './tables/hung.ts';
import { measureLatency, measureOverlap } from './tables/latency.ts';
import { measureReplicas } from './tables/replicas.ts';
import { measureSoak } from './tables/soak.ts';
import { measureStart } from './tables/start.ts';
import { measureStatus } from './tables/status.ts';

export interface Benchmark {
  readonly name: string;
  run(): Promise<Table>;
}

/** Enough for a query to be found in more than a window of a registry. */
const TEMPLATES_EACH = 240;

/** In the order in which they run. */
export const BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'hot',
    run: () =>
      measureHot({
        registries: 3,
        templatesEach: TEMPLATES_EACH,
        // Some 15,000 requests pass before a process has compiled and collected what it started with. One has several rows here,
        // and would be through with it long before the others.
        ...{ rounds: 15, aloneMs: 60, togetherMs: 300, connections: 64, warmUpMs: 4_000, settleMs: 100 },
      }),
  },
  {
    name: 'cold-3',
    run: () =>
      measureCold({
        ...{ registries: 3, templatesEach: TEMPLATES_EACH, isWhole: true },
        ...{ rounds: 15, aloneMs: 80, togetherMs: 300, connections: 16, warmUpMs: 3_000, settleMs: 100 },
      }),
  },
  {
    name: 'cold-20',
    run: () =>
      measureCold({
        ...{ registries: 20, templatesEach: TEMPLATES_EACH, isWhole: false },
        ...{ rounds: 3, aloneMs: 300, togetherMs: 700, connections: 8, warmUpMs: 1_500, settleMs: 300 },
      }),
  },
  {
    name: 'cold-100',
    run: () =>
      measureCold({
        ...{ registries: 100, templatesEach: TEMPLATES_EACH, isWhole: false },
        ...{ rounds: 3, aloneMs: 400, togetherMs: 800, connections: 4, warmUpMs: 1_200, settleMs: 300 },
      }),
  },
  {
    name: 'latency-20',
    run: () =>
      measureLatency({
        registries: 20,
        templatesEach: TEMPLATES_EACH,
        ...{ delayMs: 20, rounds: 7, aloneMs: 600, warmUpMs: 5_000, settleMs: 300 },
      }),
  },
  {
    name: 'overlap-20',
    run: () =>
      measureOverlap({
        registries: 20,
        templatesEach: TEMPLATES_EACH,
        ...{ delayMs: 20, rounds: 7, aloneMs: 600, warmUpMs: 5_000, settleMs: 300 },
      }),
  },
  {
    name: 'depth',
    run: () =>
      measureDepth({ registries: 3, templatesEach: 7_000, depths: [1, 10, 100, 1_000], pages: 10, repeats: 3 }),
  },
  {
    name: 'hung',
    run: () =>
      measureHung({ registries: 19, templatesEach: TEMPLATES_EACH, searches: 100, clients: 4, timeoutMs: 300 }),
  },
  {
    name: 'burst',
    run: () => measureBurst({ registries: 3, templatesEach: TEMPLATES_EACH, searches: 1_000, repeats: 3 }),
  },
  {
    name: 'status-100',
    run: () =>
      measureStatus({
        registries: 100,
        templatesEach: 20,
        searches: 200,
        rounds: 3,
        aloneMs: 500,
        warmUpMs: 1_000,
        settleMs: 300,
      }),
  },
  {
    name: 'replicas',
    run: () =>
      measureReplicas({
        ...{ registries: 3, templatesEach: TEMPLATES_EACH, replicas: [1, 2] },
        ...{ searchesEach: 400, sameSearches: 200, clientsEach: 8, rounds: 3 },
      }),
  },
  { name: 'start', run: () => measureStart({ repeats: 5 }) },
  {
    name: 'soak-short',
    run: () =>
      measureSoak({
        ...{ name: 'soak-short', registries: 3, templatesEach: TEMPLATES_EACH },
        ...{ searches: 6_000, clients: 8, idleMs: 45_000 },
      }),
  },
];

/** Those that run only when they are asked for by name: they take longer. */
export const LONG_BENCHMARKS: readonly Benchmark[] = [
  {
    name: 'soak',
    run: () =>
      measureSoak({
        ...{ name: 'soak', registries: 3, templatesEach: TEMPLATES_EACH },
        ...{ searches: 100_000, clients: 8, idleMs: 120_000 },
      }),
  },
];

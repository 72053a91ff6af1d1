import { defineConfig } from 'vitest/config';
import base from './vitest.config.ts';

/** Tests with real servers that processes share, which are stopped, frozen and cut off. One file at a time: they load the machine. */
export default defineConfig({
  ...base,
  test: {
    ...base.test,
    include: ['test/cluster/**/*.cluster.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    maxWorkers: 1,
  },
});

import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    hookTimeout: 20_000,
    // Two workers: the machines this runs on have two cores, and the tests with deadlines must not starve each other.
    maxWorkers: 2,
  },
});

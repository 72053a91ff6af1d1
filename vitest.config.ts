import { defineConfig } from 'vitest/config';

export default defineConfig({
  resolve: {
    // As Node resolves it. Vite would take the package's other build for our files, and GraphQL refuses two of itself.
    alias: [{ find: /^graphql$/, replacement: new URL('node_modules/graphql/index.js', import.meta.url).pathname }],
  },
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    expect: { poll: { timeout: 15_000 } },
    // Two workers: the machines this runs on have two cores, and the tests with deadlines must not starve each other.
    maxWorkers: 2,
  },
});

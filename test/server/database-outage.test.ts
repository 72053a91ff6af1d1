import { hash } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { startPostgres, type TestPostgres } from '../helpers/postgres.ts';
import { serveRegistries, wireTemplates } from './serve-registries.ts';

const ADMIN_KEY = 'key-of-an-admin';
let postgres: TestPostgres | null = null;
beforeAll(async () => {
  postgres = await startPostgres();
}, 60_000);
afterAll(() => postgres?.[Symbol.asyncDispose]());

describe('while the database is down', () => {
  it('searches go on, what has to be on record is refused, and all is well again when it is back', {
    timeout: 60_000,
  }, async ({ skip }) => {
    const database = postgres;
    if (database === null || process.env.DATABASE_URL_TEST) return skip();
    await using served = await serveRegistries({
      catalogs: { open: wireTemplates('open', 3) },
      auth: { apiKeys: [{ id: 'root', sha256: hash('sha256', ADMIN_KEY, 'hex'), roles: ['admin'] }] },
      environment: { DATABASE_URL: await database.createDatabase() },
    });
    const fetchContent = () => fetch(`${served.origin}/content/open/open-01/1.0.0`);
    expect((await fetchContent()).status).toBe(200);
    const stateOf = async () => (await served.ask('{ gateway { database { state since } } }')).data;
    const measure = async () =>
      /^marketplace_database_up .*$/m.exec(await (await fetch(`${served.origin}/metrics`)).text())?.[0];
    expect(await stateOf()).toMatchObject({ gateway: { database: { state: 'UP' } } });
    const invalidate = () =>
      served.ask('mutation { invalidateCache(input: {}) { removed } }', {}, { 'x-api-key': ADMIN_KEY });
    expect((await invalidate()).errors).toEqual([]);
    await served.ask('{ search { partial nodes { name } } }');
    await database.stop();
    // The very first that has to be on record is refused before it is done: what was kept is kept.
    expect((await invalidate()).errors[0]?.extensions.code).toBe('AUDIT_UNAVAILABLE');
    served.forgetArrivals();
    const search = await served.ask('{ search { partial nodes { name } } }');
    expect(search).toMatchObject({ errors: [], data: { search: { partial: false } } });
    expect(served.registries[0]?.requests.filter((request) => JSON.stringify(request).includes('/search'))).toEqual([]);
    expect((await served.ask('{ template(name: "open-01") { name } }')).errors).toEqual([]);
    const refused = await fetchContent();
    expect([refused.status, await refused.json()]).toMatchObject([503, { error: { code: 'AUDIT_UNAVAILABLE' } }]);
    expect((await served.ask('mutation { invalidateCache(input: {}) { removed } }')).errors[0]?.extensions.code).toBe(
      'UNAUTHENTICATED',
    );
    expect(served.logLines.filter(({ msg }) => msg === 'the audit trail cannot be written or read')).toHaveLength(1);
    expect(await stateOf()).toMatchObject({ gateway: { database: { state: 'DOWN' } } });
    expect(await measure()).toBe('marketplace_database_up 0');
    expect((await served.ask('{ gateway { health { status message } } }')).data).toEqual({
      gateway: {
        health: {
          status: 'DEGRADED',
          message: 'The database cannot be written or read: what must be on record is refused.',
        },
      },
    });
    await database.start();
    await expect.poll(async () => (await fetchContent()).status, { timeout: 15_000 }).toBe(200);
    expect(await stateOf()).toMatchObject({ gateway: { database: { state: 'UP' } } });
    expect(await measure()).toBe('marketplace_database_up 1');
  });
});

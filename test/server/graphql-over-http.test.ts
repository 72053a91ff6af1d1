import { serverAudits } from 'graphql-http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ServedFixture, serveFixture } from './serve-fixture.ts';

let served: ServedFixture;
beforeAll(async () => {
  served = await serveFixture();
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
});

describe('GraphQL over HTTP, as the reference implementation audits it', () => {
  const audits = serverAudits({ url: () => `${served.origin}/graphql`, fetchFn: fetch });

  it('there are audits', () => {
    expect(audits.length).toBeGreaterThanOrEqual(61);
  });

  it.each(audits.map((audit) => [audit.id, audit.name, audit] as const))('%s: %s', async (_, __, audit) => {
    const result = await audit.fn();
    expect(result.status === 'ok' ? 'ok' : result.reason).toBe('ok');
  });
});

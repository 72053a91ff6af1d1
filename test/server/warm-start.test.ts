/** A gateway that is stopped and started again. */
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { describe, expect, it } from 'vitest';
import { createRegistry } from '../../registry/registry.ts';
import { parseConfigObject } from '../../src/config/load.ts';
import { createGateway } from '../../src/gateway.ts';
import { listen } from '../../src/server/listen.ts';
import { CacheFolder } from '../cache/answers.ts';
import { createAsk } from './ask.ts';
import { wireTemplates } from './serve-registries.ts';

const SEARCH = `{ search(query: "template", orderBy: { field: POPULARITY }) {
  totalCount totalCountAccuracy nodes { name version title } registries { outcome cache error { type } }
} }`;

describe('a gateway that was stopped in order', () => {
  it.each([
    ['answers from its data directory what was asked for before, without asking a registry', '16mb', 'HIT'],
    ['begins with nothing where no disk is to be used', 'off', 'MISS'],
  ])('%s', async (_promise, disk, outcome) => {
    using folder = new CacheFolder();
    const registry = createRegistry({ templates: wireTemplates('t', 30) });
    const config = parseConfigObject(
      {
        server: { secret: 'for tests alone: 0123456789abcdef0123456789abcdef', cache: { disk } },
        registries: [{ name: 'one', type: 'official', url: await registry.listen() }],
      },
      { dataDirectory: folder.path },
    );
    const askOnce = async (): Promise<unknown> => {
      const gateway = await createGateway(config, { log: pino({ level: 'silent' }) });
      const listener = await listen({ host: '127.0.0.1', port: 0, handle: gateway.handle });
      const { data, errors } = await createAsk(listener.origin)(SEARCH);
      await listener.close(1_000);
      await gateway.close();
      expect(errors).toEqual([]);
      return data;
    };
    const before = await askOnce();
    registry.clearRequests();
    const after = await askOnce();
    const asked = registry.requests.filter(({ path }) => path.startsWith('/api/v1/search'));
    expect(asked).toHaveLength(outcome === 'HIT' ? 0 : 1);
    expect(after).toMatchObject({ search: { registries: [{ outcome: 'OK', cache: outcome, error: null }] } });
    expect(JSON.stringify(after).replace(`"${outcome}"`, '"MISS"')).toBe(JSON.stringify(before));
    const file = join(folder.path, 'cache.sqlite');
    if (outcome === 'HIT') expect(statSync(file).mode & 0o777).toBe(0o600);
    else expect(() => statSync(file)).toThrow();
    await registry.close();
  });
});

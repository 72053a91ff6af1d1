import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { serveRegistries, wireTemplates } from '../server/serve-registries.ts';

const METRICS = `{ gateway { metrics(window: ONE_HOUR) {
  searches errors { name count } popularTemplates { name registryName views }
} } }`;

it('the metrics of a gateway go on after a restart: searches, popular templates, errors by code', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'marketplace-usage-'));
  const options = { catalogs: { open: wireTemplates('open', 3) }, dataDirectory: folder };
  {
    await using served = await serveRegistries(options);
    for (let time = 0; time < 3; time += 1) await served.ask('{ search { totalCount } }');
    await served.ask('{ template(name: "open-01") { name } }');
    await served.ask('{ search(after: "nonsense") { totalCount } }');
  }
  await using served = await serveRegistries(options);
  const { data } = await served.ask(METRICS);
  expect(data).toEqual({
    gateway: {
      metrics: {
        searches: 3,
        errors: [{ name: 'BAD_CURSOR', count: 1 }],
        popularTemplates: [{ name: 'open-01', registryName: 'open', views: 1 }],
      },
    },
  });
  rmSync(folder, { recursive: true });
});

import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it } from 'vitest';
import { encodeTemplateId } from '../../resolvers/node-id.ts';
import { serveRegistries, wireTemplates } from './serve-registries.ts';

/** A registry that has every name, in version 99.0.0, and leads every search with claimed ones. */
async function startRogue() {
  const asked: string[] = [];
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://rogue.test');
    const name = decodeURIComponent(url.pathname.split('/')[4] ?? '');
    if (name !== '') asked.push(name);
    const row = (each: string) => ({ name: each, version: '99.0.0', marketplace: { downloads: 1_000_000 } });
    const rows = ['uni-00', 'UNI-01', 'uni%2d02', 'free'].map(row);
    const search = { templates: url.searchParams.get('offset') === '0' ? rows : [], total_count: rows.length };
    const body = name !== '' ? row(name) : url.pathname.endsWith('/search') ? search : [];
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

async function serveBesideRogue(url: string) {
  return serveRegistries({
    catalogs: { university: wireTemplates('uni', 3) },
    settings: { university: { type: 'institutional', priority: 9, claims: ['uni*'] } },
    more: [{ name: 'rogue', type: 'community', url, priority: 1 }],
  });
}

const SEARCH = '{ search(first: 50) { nodes { name version registry { name } } } }';

describe('a name that one registry claims and another one has', () => {
  it('is not served from the other one by any way in, also while the claiming one is gone', async () => {
    await using rogue = await startRogue();
    await using gateway = await serveBesideRogue(rogue.url);
    const ids = ['uni-00', 'UNI-00', 'uni%2d00', 'uni/new'].map((name) => encodeTemplateId('rogue', name, '99.0.0'));
    const ask = async () => {
      const query = `query ($ids: [ID!]!) {
        nodes(ids: $ids) { ... on Template { name version } }
        a: template(name: "uni-00") { version sources { registry { name } } }
        b: template(name: "uni-00", registry: "rogue") { version }
        c: template(name: "UNI%2D00", version: "99.0.0") { version }
      }`;
      const { data } = await gateway.ask(query, { ids });
      const contents = await Promise.all(
        ['uni-00', 'UNI-00', 'uni%252d00'].map((name) => fetch(`${gateway.origin}/content/rogue/${name}/99.0.0`)),
      );
      return { data, statuses: contents.map(({ status }) => status) };
    };
    expect(await ask()).toEqual({
      data: {
        nodes: [null, null, null, null],
        a: { version: '1.0.0', sources: [{ registry: { name: 'university' } }] },
        b: null,
        c: null,
      },
      statuses: [404, 404, 404],
    });
    await Promise.all(gateway.registries.map((registry) => registry.close()));
    await gateway.ask('{ template(name: "uni-00", version: "3") { version } }');
    const { data, statuses } = await ask();
    expect(JSON.stringify(data)).not.toContain('99.0.0');
    expect(statuses).toEqual([404, 404, 404]);
    expect(rogue.asked.filter((name) => /^uni/i.test(name))).toEqual([]);
  });

  it('is left out of searches, and told in the log once an hour, and counted', async () => {
    await using rogue = await startRogue();
    await using gateway = await serveBesideRogue(rogue.url);
    for (let time = 0; time < 3; time += 1) {
      const { data } = await gateway.ask(SEARCH, {}, { 'x-request-id': `search-${time}` });
      const { nodes } = (data as { search: { nodes: { name: string; registry: { name: string } }[] } }).search;
      expect(nodes.filter(({ registry }) => registry.name === 'rogue').map(({ name }) => name)).toEqual(['free']);
    }
    const told = gateway.logLines.filter(({ msg }) => String(msg).includes('another one claims'));
    expect(told.map(({ registry, template }) => [registry, template]).sort()).toEqual([
      ['rogue', 'UNI-01'],
      ['rogue', 'uni%2d02'],
      ['rogue', 'uni-00'],
    ]);
    expect((await gateway.ask('{ registries { name metrics { claimedNames } } }')).data).toEqual({
      registries: [
        { name: 'rogue', metrics: { claimedNames: 3 } },
        { name: 'university', metrics: { claimedNames: 0 } },
      ],
    });
  });
});

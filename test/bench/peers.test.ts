import { describe, expect, it } from 'vitest';
import { generateQuery } from '../../bench/catalog.ts';
import type { Client } from '../../bench/client.ts';
import { PAGE_SIZE } from '../../bench/job.ts';
import { startPeers } from '../../bench/peers/start.ts';
import { startRegistries } from '../../bench/processes/registries.ts';
import { startBareSide, startGatewaySide } from '../../bench/sides.ts';

async function ask(client: Client, request: Buffer): Promise<unknown> {
  return JSON.parse((await client.send(request)).toString());
}

describe('the sides of the benchmarks', () => {
  it('do the same job: the same document has the same answer from the gateway, the bare side and every peer', async () => {
    await using registries = await startRegistries({ count: 2, templatesEach: 120 });
    await using gateway = await startGatewaySide({ registryUrls: registries.urls });
    await using bare = await startBareSide(registries.urls);
    await using peers = await startPeers(registries.urls);
    for (const order of ['POPULARITY', 'RELEVANCE'] as const) {
      const query = generateQuery(7);
      const wanted = await ask(gateway.client, gateway.write({ query, order }));
      expect(wanted).toMatchObject({ data: { search: { registries: [{ outcome: 'OK' }, { outcome: 'OK' }] } } });
      const wire = order === 'POPULARITY' ? 'popularity' : 'relevance';
      const answers = [
        await ask(bare.client, bare.write({ query, order: wire, rows: PAGE_SIZE })),
        ...(await Promise.all(peers.map((peer) => ask(peer.client, peer.write({ query, order }))))),
      ];
      // By relevance registries give their best rows by their own scores: which of them are read is each side's matter.
      for (const answer of answers) order === 'POPULARITY' ? expect(answer).toEqual(wanted) : expectSameForm(answer);
    }
  });
});

function expectSameForm(answer: unknown): void {
  expect(answer).toMatchObject({ data: { search: { registries: [{ outcome: 'OK' }, { outcome: 'OK' }] } } });
  expect(answer).toHaveProperty('data.search.nodes.length', PAGE_SIZE);
}

import { describe, expect, it } from 'vitest';
import { measureBurst } from '../../bench/tables/burst.ts';
import { measureCold } from '../../bench/tables/cold.ts';
import { measureDepth } from '../../bench/tables/depth.ts';
import { measureHot } from '../../bench/tables/hot.ts';
import { measureHung } from '../../bench/tables/hung.ts';
import { measureLatency, measureOverlap } from '../../bench/tables/latency.ts';
import { measureReplicas } from '../../bench/tables/replicas.ts';
import { measureSoak } from '../../bench/tables/soak.ts';
import { measureStart } from '../../bench/tables/start.ts';
import { measureStatus } from '../../bench/tables/status.ts';

const ONE_ROUND = { rounds: 1, aloneMs: 20, togetherMs: 40, connections: 2, warmUpMs: 20, settleMs: 10 };
const ONE_CLIENT = { delayMs: 5, rounds: 1, aloneMs: 40, warmUpMs: 20, settleMs: 10 };

describe('the benchmarks, at their smallest', () => {
  it('compare a hot search with a bare server and with the peers', async () => {
    const { rows, verdicts } = await measureHot({ registries: 2, templatesEach: 120, ...ONE_ROUND });
    expect(rows.map((row) => row[''])).toEqual([
      'limit: node:http, the same bytes',
      'gateway',
      'gateway, caller by API key, limits counted',
      'gateway, by relevance',
      'gateway, with a live field (tookMs)',
      'Apollo Server, datasource-rest, response cache',
      'Mercurius, JIT, cache',
      'GraphQL Yoga, response cache',
    ]);
    for (const row of rows) expect(row['CPU µs']).toBeGreaterThan(0);
    expect(verdicts).toHaveLength(2);
  });

  it('compare a cold search with a bare fan-out, by popularity and by relevance', async () => {
    const { rows, verdicts } = await measureCold({ registries: 2, templatesEach: 120, isWhole: true, ...ONE_ROUND });
    expect(rows).toHaveLength(10);
    for (const row of rows) expect(row['of limit']).toBeGreaterThan(0);
    expect(verdicts).toHaveLength(2);
  });

  it('compare the wait for slow registries with the registries themselves', async () => {
    const { rows, verdicts } = await measureLatency({ registries: 2, templatesEach: 120, ...ONE_CLIENT });
    expect(rows).toHaveLength(8);
    for (const row of rows) expect(row['p50 ms']).toBeGreaterThanOrEqual(4);
    expect(verdicts).toHaveLength(1);
  });

  it('have a gateway learn which names registries share before they measure what that costs', async () => {
    const { rows, notes } = await measureOverlap({ registries: 2, templatesEach: 120, ...ONE_CLIENT });
    expect(rows).toHaveLength(6);
    expect(notes.join()).toMatch(/until it had listed the names of 1 registries/);
  });

  it('ask for health and metrics, and see that no registry is called for it', async () => {
    const size = { registries: 2, templatesEach: 20, searches: 5, rounds: 1, aloneMs: 20, warmUpMs: 20, settleMs: 10 };
    const { rows, verdicts } = await measureStatus(size);
    expect(rows).toHaveLength(5);
    for (const row of rows) expect(row['p50 ms']).toBeGreaterThan(0);
    expect(verdicts).toHaveLength(2);
    expect(verdicts[1]).toMatchObject({ measured: '0 calls', met: true });
  });

  it('find that a deep page asks registries for no more rows than a shallow one', async () => {
    const walk = { depths: [1, 10, 60], pages: 3, repeats: 1 };
    const { rows } = await measureDepth({ registries: 2, templatesEach: 800, ...walk });
    for (const order of ['POPULARITY', 'RELEVANCE']) {
      const ofOrder = rows.filter((row) => row.order === order);
      expect(ofOrder).toHaveLength(3);
      // R + min(R, n) + ⌈n/W⌉ windows of at most 51 rows (the contract's bound), at any depth.
      for (const row of ofOrder) expect(row['rows asked, most']).toBeLessThanOrEqual(5 * 51);
      // Two registries, every row of both up to page 60: 1,200 of 800 there are.
      expect(ofOrder.map((row) => row['by number: rows asked'])).toEqual([40, 400, 1_800]);
    }
  });

  it('find that identical searches at once ask each registry once', async () => {
    const { rows, verdicts } = await measureBurst({ registries: 2, templatesEach: 120, searches: 50, repeats: 2 });
    expect(rows[1]).toMatchObject({ '': 'gateway', 'searches, most of a registry': 1, 'all calls, all registries': 2 });
    expect(rows[2]).toMatchObject({ '': 'gateway, collapse', 'searches, most of a registry': 1 });
    expect(rows.map((row) => row['answers not whole'])).toEqual([0, 0, 0, 0, 0, 0]);
    expect(verdicts).toMatchObject([{ met: true }]);
  });

  it('measure what a registry that hangs costs', async () => {
    const { rows } = await measureHung({ registries: 2, templatesEach: 120, searches: 4, clients: 2, timeoutMs: 100 });
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(row['p99 ms']).toBeGreaterThan(0);
  });

  it('watch memory over many searches, and then idle', async () => {
    const soak = { name: 'soak', searches: 40, clients: 4, idleMs: 0 };
    const { rows } = await measureSoak({ registries: 2, templatesEach: 120, ...soak });
    expect(rows.map((row) => row[''])).toEqual([
      'bare, after 10',
      'gateway, after 0',
      'gateway, after 10',
      'gateway, after 20',
      'gateway, after 30',
      'gateway, after 40',
      'gateway, idle for 0 s',
    ]);
  });

  it('find that gateways that share a Redis server ask each registry once', async () => {
    const sizes = { searchesEach: 6, sameSearches: 4, clientsEach: 2, rounds: 1 };
    const { rows, notes } = await measureReplicas({ registries: 2, templatesEach: 120, replicas: [1, 2], ...sizes });
    if (notes.join().includes('not installed')) return;
    expect(rows.map((row) => row[''])).toEqual(['1 gateway, no Redis', '1 with Redis', '2 with Redis']);
    for (const row of rows) expect(row['CPU µs']).toBeGreaterThan(0);
  });

  it('time the start of the gateway', async () => {
    const { rows } = await measureStart({ repeats: 1 });
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(row['p50 ms']).toBeGreaterThan(0);
  });
});

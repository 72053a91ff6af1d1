import { describe, expect, it } from 'vitest';
import { BENCHMARKS } from '../../bench/benchmarks.ts';
import { generateLongQuery, generateQuery, generateTemplates, WORD_OF_ALL } from '../../bench/catalog.ts';
import { median, percentile, runClients } from '../../bench/measure.ts';
import { formatTable } from '../../bench/report.ts';
import { measureBurst } from '../../bench/tables/burst.ts';
import { measureCold } from '../../bench/tables/cold.ts';
import { measureDepth } from '../../bench/tables/depth.ts';
import { measureHot } from '../../bench/tables/hot.ts';
import { measureHung } from '../../bench/tables/hung.ts';
import { measureSoak } from '../../bench/tables/soak.ts';

const ONE_ROUND = { rounds: 1, oneByOne: 2, atOnce: 4, clients: 2, warmUp: 2 };

describe('the benchmarks, at their smallest', () => {
  it('compare a hot search with a bare server', async () => {
    const { rows } = await measureHot({ registries: 2, templatesEach: 120, ...ONE_ROUND });
    expect(rows.map((row) => row[''])).toEqual([
      'bare node:http, the same bytes',
      'gateway, by popularity',
      'gateway, by relevance',
    ]);
    for (const row of rows) expect(row['CPU µs']).toBeGreaterThan(0);
  });

  it('compare a cold search with a bare fan-out, by popularity and by relevance', async () => {
    const { rows } = await measureCold({ registries: 2, templatesEach: 240, ...ONE_ROUND });
    expect(rows).toHaveLength(5);
    for (const row of rows) expect(row['CPU of 1 client, times the bare']).toBeGreaterThan(0);
  });

  it('find that a deep page asks registries for no more rows than a shallow one', async () => {
    const { rows } = await measureDepth({ registries: 2, templatesEach: 800, depths: [1, 10, 60], pages: 3 });
    for (const order of ['POPULARITY', 'RELEVANCE']) {
      const most = rows.filter((row) => row.order === order).map((row) => Number(row['rows asked, most']));
      expect(most).toHaveLength(3);
      // R + min(R, n) + ⌈n/W⌉ windows of at most 51 rows (the contract's bound), at any depth.
      for (const rowsAsked of most) expect(rowsAsked).toBeLessThanOrEqual(5 * 51);
    }
  });

  it('find that identical searches at once ask each registry once', async () => {
    const { rows } = await measureBurst({ registries: 3, templatesEach: 240, searches: 100, repeats: 2 });
    expect(rows.at(-1)).toMatchObject({ '': 'gateway', 'requests, most of a registry': 1 });
    expect(rows.at(-1)).toMatchObject({ 'answers without some registry': 0 });
  });

  it('measure what a registry that hangs costs', async () => {
    const { rows } = await measureHung({ registries: 2, templatesEach: 240, searches: 4, clients: 2, timeoutMs: 100 });
    expect(rows).toHaveLength(3);
    for (const row of rows) expect(row['p99 ms']).toBeGreaterThan(0);
  });

  it('watch memory over many searches', async () => {
    const { rows } = await measureSoak({ registries: 2, templatesEach: 240, searches: 40, clients: 4 });
    expect(rows).toHaveLength(6);
  });
});

describe('what the benchmarks are made of', () => {
  it('has no query twice', () => {
    const queries = Array.from({ length: 3_700 }, (_, number) => generateQuery(number));
    expect(new Set(queries).size).toBe(queries.length);
    const longQueries = Array.from({ length: 100_000 }, (_, number) => generateLongQuery(number));
    expect(new Set(longQueries).size).toBe(longQueries.length);
  });

  it('has templates that are alike in each run, of names that no two registries share', () => {
    const [first, again, other] = [generateTemplates(0, 50), generateTemplates(0, 50), generateTemplates(1, 50)];
    expect(again).toEqual(first);
    expect(new Set([...first, ...other].map(({ name }) => name)).size).toBe(100);
    for (const { description } of first) expect(description).toContain(WORD_OF_ALL);
  });

  it('takes the nearest rank as a percentile, and the middle as the median', () => {
    expect(percentile([3, 1, 2, 4], 0.5)).toBe(2);
    expect(percentile([3, 1, 2, 4], 0.99)).toBe(4);
    expect(median([3, 1, 2])).toBe(2);
    expect(median([3, 1, 2, 4])).toBe(2.5);
  });

  it('shares a count of requests among clients', async () => {
    let asked = 0;
    const ask = async () => {
      asked += 1;
    };
    const latencies = await runClients(ask, 10, 3);
    expect([asked, latencies.length]).toEqual([10, 10]);
  });

  it('has a name for each, and tables as Markdown', () => {
    const names = BENCHMARKS.map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
    const table = {
      name: 'x',
      title: 'Title',
      rows: [
        { '': 'bare', ms: 1 },
        { '': 'gateway', ms: null },
      ],
      notes: ['A note.'],
    };
    expect(formatTable(table)).toBe('## Title\n\n|  | ms |\n|---|--:|\n| bare | 1 |\n| gateway | – |\n\n- A note.\n');
  });
});

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BENCHMARKS, LONG_BENCHMARKS } from '../../bench/benchmarks.ts';
import { generateQuery, generateTemplates, WORD_OF_ALL } from '../../bench/catalog.ts';
import { watchMachine } from '../../bench/disturbance.ts';
import { drawFlameGraph, readFrames, sumByFunction } from '../../bench/flame-graph.ts';
import { formatSpread, type Measurement, ratioOfLimit, runClients, times } from '../../bench/measure.ts';
import { describeProfiles } from '../../bench/profile.ts';
import { formatResults, formatTable, type Table } from '../../bench/report.ts';
import { median, percentile } from '../../bench/statistics.ts';

describe('what is searched for', () => {
  it('has no query twice', () => {
    const queries = Array.from({ length: 100_000 }, (_, number) => generateQuery(number));
    expect(new Set(queries).size).toBe(queries.length);
  });

  it('is in templates that are alike in each run, of names that no two registries share', () => {
    const [first, again, other] = [generateTemplates(0, 50), generateTemplates(0, 50), generateTemplates(1, 50)];
    expect(again).toEqual(first);
    expect(new Set([...first, ...other].map(({ name }) => name)).size).toBe(100);
    for (const { description } of first) expect(description).toContain(WORD_OF_ALL);
  });

  it('has names that two registries share where that is asked for: one in so many, each in two registries', () => {
    const [first, other, third] = [0, 1, 2].map((index) => generateTemplates(index, 50, { sharedEvery: 10 }));
    const names = (templates: typeof first) => new Set(templates?.map(({ name }) => name));
    expect([...names(first)].filter((name) => names(other).has(name))).toHaveLength(5);
    expect([...names(third)].filter((name) => names(first).has(name) || names(other).has(name))).toEqual([]);
  });
});

describe('the measuring', () => {
  it('takes the nearest rank as a percentile, and the middle as the median', () => {
    expect(percentile([3, 1, 2, 4], 0.5)).toBe(2);
    expect(percentile([3, 1, 2, 4], 0.99)).toBe(4);
    expect(median([3, 1, 2])).toBe(2);
    expect(median([3, 1, 2, 4])).toBe(2.5);
  });

  it('compares round by round, so that a slow time of the machine is one for both', () => {
    const measured = (name: string, cpuUs: readonly number[]): Measurement => {
      const rounds = cpuUs.map((each) => ({ p50Ms: 0, p99Ms: 0, requestsPerSecond: 0, cpuUs: each }));
      return { name, rounds, p50Ms: 0, p99Ms: 0, requestsPerSecond: 0, cpuUs: median(cpuUs) };
    };
    const ratio = ratioOfLimit(measured('limit', [10, 20, 40]), measured('ours', [20, 40, 50]));
    expect(ratio).toEqual({ value: 0.5, least: 0.5, most: 0.8 });
    expect(formatSpread(ratio)).toBe('0.5–0.8');
  });

  it('shares a count of requests among clients', async () => {
    let asked = 0;
    const ask = async () => {
      asked += 1;
    };
    const latencies = await runClients(ask, times(10), 3);
    expect([asked, latencies.length]).toEqual([10, 10]);
  });

  it.runIf(process.platform === 'linux')('tells work of other processes from its own', () => {
    const workMs = 300;
    const startedMs = performance.now();
    const endsUs = process.cpuUsage().user + workMs * 1_000;
    const [tellOwn, tellOthers] = [watchMachine(() => [process.pid]), watchMachine(() => [])];
    while (process.cpuUsage().user < endsUs);
    const [own, others] = [tellOwn(), tellOthers()];
    // Whatever else runs here is in both: the difference is what this process did.
    const differenceMs = (others.others - own.others) * (performance.now() - startedMs);
    expect(differenceMs).toBeGreaterThan(workMs / 2);
  });
});

describe('the report', () => {
  const table: Table = {
    name: 'x',
    title: 'Title',
    rows: [
      { '': 'bare', ms: 1 },
      { '': 'gateway', ms: null },
    ],
    verdicts: [
      { target: 'fast', measured: '1 ms', met: true },
      { target: 'small', measured: '2 GB', met: false },
    ],
    notes: ['A note.'],
  };

  it('is a table, whether each target was met, and how it was measured', () => {
    expect(formatTable(table)).toBe(
      '## Title\n\n|  | ms |\n|---|--:|\n| bare | 1 |\n| gateway | – |\n\n' +
        '- Target: fast: 1 ms. Met.\n- Target: small: 2 GB. MISSED.\n- A note.\n- `npm run bench -- x`\n',
    );
  });

  it('says first, of all tables, which targets were missed', () => {
    const setting = { date: 'today', commit: 'c0ffee', machine: 'm', node: 'v24', loadBefore: 0 };
    const text = formatResults(setting, [table]);
    expect(text).toContain('1 of the 2 targets of this run are MISSED');
    expect(text).toContain('| x | small | 2 GB | MISSED |');
    expect(text.indexOf('| x | small')).toBeLessThan(text.indexOf('## Title'));
    const met = { ...table, verdicts: table.verdicts.slice(0, 1) };
    expect(formatResults(setting, [met])).toContain('All 1 targets of this run are met.');
  });

  it('has a name for each benchmark', () => {
    const names = [...BENCHMARKS, ...LONG_BENCHMARKS].map(({ name }) => name);
    expect(new Set(names).size).toBe(names.length);
  });
});

describe('a flame graph', () => {
  const frame = (functionName: string, url = '') => ({ functionName, url, lineNumber: 6 });
  const profile = {
    nodes: [
      { id: 1, callFrame: frame('(root)'), children: [2, 5] },
      { id: 2, callFrame: frame('outer', new URL('../../src/a.ts', import.meta.url).href), children: [3] },
      { id: 3, callFrame: frame('inner', 'file:///x/node_modules/@scope/lib/b.js'), children: [4] },
      { id: 4, callFrame: frame('outer', new URL('../../src/a.ts', import.meta.url).href) },
      { id: 5, callFrame: frame('(idle)') },
    ],
    samples: [2, 3, 4, 5],
    timeDeltas: [10, 20, 30, 400],
  };
  const root = readFrames(profile);

  it('is drawn of each thread of a process, under the name of the process', () => {
    const folder = mkdtempSync(join(tmpdir(), 'marketplace-profiles-'));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'gateway-2'));
    for (const thread of [0, 1]) {
      const name = `CPU.20260101.120000.4711.${thread}.00${thread + 1}.cpuprofile`;
      writeFileSync(join(folder, 'gateway-2', name), JSON.stringify(profile));
    }
    expect(describeProfiles(folder)).toContain('outer ./src/a.ts:7');
    const names = ['gateway-2', 'gateway-2-thread-1'].flatMap((name) => [`${name}.cpuprofile`, `${name}.svg`]);
    expect(readdirSync(folder).toSorted()).toEqual(names.toSorted());
  });

  it('counts time by function, with what it calls, and leaves out when there was nothing to do', () => {
    expect(root.totalUs).toBe(60);
    expect(sumByFunction(root)).toEqual([
      { name: 'outer ./src/a.ts:7', selfUs: 40, totalUs: 60 },
      { name: 'inner @scope/lib/b.js:7', selfUs: 20, totalUs: 50 },
      { name: '(root)', selfUs: 0, totalUs: 60 },
    ]);
  });

  it('is drawn as wide as the time took, callers below', () => {
    const drawing = drawFlameGraph(root);
    expect(drawing.match(/<rect/g)).toHaveLength(4);
    expect(drawing).toContain('<title>inner @scope/lib/b.js:7: 83.3 %, 33.3 % in itself</title>');
  });
});

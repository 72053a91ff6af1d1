/**
 * `npm run bench`: measures, and prints tables, or with --json one JSON document; with --write it writes them to RESULTS.md
 * too, with --profile <folder> every measured process leaves a CPU profile. Names of benchmarks choose among them.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { BENCHMARKS, type Benchmark, LONG_BENCHMARKS } from './benchmarks.ts';
import { profileInto } from './processes/remote.ts';
import { describeProfiles } from './profile.ts';
import { describeSetting, formatResults, formatSetting, formatTable, type Table } from './report.ts';

const RESULTS = new URL('RESULTS.md', import.meta.url);

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
});
const chosen = chooseBenchmarks(positionals);
if (chosen === null) {
  const names = [...BENCHMARKS, ...LONG_BENCHMARKS].map(({ name }) => name).join(', ');
  process.stderr.write(`Name benchmarks out of: ${names}, or all; "${positionals.join(' ')}" was given.\n`);
  process.exitCode = 2;
} else await measure(chosen);

/**
 * All but the long ones when none is named, the long ones too for "all"; a name is also that of all which begin with it and a
 * dash. null: a name is none.
 */
function chooseBenchmarks(names: readonly string[]): readonly Benchmark[] | null {
  if (names.length === 0) return BENCHMARKS;
  const all = [...BENCHMARKS, ...LONG_BENCHMARKS];
  if (names.length === 1 && names[0] === 'all') return all;
  const groups = names.map((wanted) => {
    const exact = all.filter(({ name }) => name === wanted);
    return exact.length > 0 ? exact : BENCHMARKS.filter(({ name }) => name.startsWith(`${wanted}-`));
  });
  return groups.some((group) => group.length === 0) ? null : groups.flat();
}

async function measure(benchmarks: readonly Benchmark[]): Promise<void> {
  const setting = describeSetting();
  if (values.profile !== undefined) profileInto(values.profile);
  if (!values.json) process.stdout.write(`# Benchmarks\n\n${formatSetting(setting)}\n`);
  const tables: Table[] = [];
  for (const benchmark of benchmarks) {
    process.stderr.write(`measuring ${benchmark.name} ...\n`);
    const table = await benchmark.run();
    tables.push(table);
    if (!values.json) process.stdout.write(`${formatTable(table)}\n`);
  }
  if (values.json) process.stdout.write(`${JSON.stringify({ ...setting, tables }, null, 2)}\n`);
  if (values.profile !== undefined) process.stdout.write(describeProfiles(values.profile));
  if (values.write) await writeFile(RESULTS, formatResults(setting, tables));
}

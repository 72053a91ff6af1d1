/** `npm run bench`: measures, and prints tables, or with --json one JSON document. Names of benchmarks choose among them. */
import { parseArgs } from 'node:util';
import { BENCHMARKS, type Benchmark, LONG_BENCHMARKS } from './benchmarks.ts';
import { describeSetting, formatSetting, formatTable, type Table } from './report.ts';

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: 'boolean' } } });
const asJson = values.json === true;
const chosen = chooseBenchmarks(positionals);
if (chosen === null) {
  const names = [...BENCHMARKS, ...LONG_BENCHMARKS].map(({ name }) => name).join(', ');
  process.stderr.write(`Name benchmarks out of: ${names}; "${positionals.join(' ')}" was given.\n`);
  process.exitCode = 2;
} else await measure(chosen);

/** All but the long ones when none is named; a name is also that of all which begin with it and a dash. */
function chooseBenchmarks(names: readonly string[]): readonly Benchmark[] | null {
  if (names.length === 0) return BENCHMARKS;
  const groups = names.map((wanted) => {
    const exact = [...BENCHMARKS, ...LONG_BENCHMARKS].filter(({ name }) => name === wanted);
    return exact.length > 0 ? exact : BENCHMARKS.filter(({ name }) => name.startsWith(`${wanted}-`));
  });
  return groups.some((group) => group.length === 0) ? null : groups.flat();
}

async function measure(benchmarks: readonly Benchmark[]): Promise<void> {
  const setting = describeSetting();
  if (!asJson) process.stdout.write(`# Benchmarks\n\n${formatSetting(setting)}\n`);
  const tables: Table[] = [];
  for (const benchmark of benchmarks) {
    process.stderr.write(`measuring ${benchmark.name} ...\n`);
    const table = await benchmark.run();
    tables.push(table);
    if (!asJson) process.stdout.write(`${formatTable(table)}\n`);
  }
  if (asJson) process.stdout.write(`${JSON.stringify({ ...setting, tables }, null, 2)}\n`);
}

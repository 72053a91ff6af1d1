/** How results are shown: as tables for people, as JSON for machines. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { round } from './statistics.ts';

/** One benchmark's result. Every row has the same members, which are the columns. */
export interface Table {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Readonly<Record<string, string | number | null>>[];
  readonly verdicts: readonly Verdict[];
  /** What to know of how it was measured. */
  readonly notes: readonly string[];
}

/** Whether a target was met. */
export interface Verdict {
  readonly target: string;
  readonly measured: string;
  readonly met: boolean;
}

/** The machine and the moment, for every result. */
export interface Setting {
  readonly date: string;
  readonly commit: string;
  readonly machine: string;
  readonly node: string;
  /** Mean number of processes that ran or waited in the last minute, before the first measurement. */
  readonly loadBefore: number;
}

export function describeSetting(): Setting {
  const processors = cpus();
  return {
    date: new Date().toISOString(),
    commit: describeCommit(),
    machine: `${processors.length} × ${processors[0]?.model.trim() ?? 'unknown'}, ${formatBytes(totalmem())}, Linux ${release()}`,
    node: process.version,
    loadBefore: round(loadavg()[0] ?? 0, 2),
  };
}

function describeCommit(): string {
  const git = (...argumentsList: string[]) => execFileSync('git', argumentsList, { encoding: 'utf8' }).trim();
  try {
    const changed = git('status', '--porcelain', '--untracked-files=no', '--', 'src', 'resolvers', 'datasources');
    return `${git('rev-parse', '--short', 'HEAD')}${changed === '' ? '' : ' with changes that were not committed'}`;
  } catch {
    return 'not from a repository';
  }
}

/** Markdown. */
export function formatSetting(setting: Setting): string {
  const { date, commit, machine, node, loadBefore } = setting;
  return `- Date: ${date}\n- Commit: ${commit}\n- Machine: ${machine}\n- Node ${node}; load before the run: ${loadBefore}\n`;
}

/** Markdown. */
export function formatTable({ name, title, rows, verdicts, notes }: Table): string {
  const lines = [
    `## ${title}\n`,
    ...formatRows(rows),
    '',
    ...verdicts.map((verdict) => `- Target: ${verdict.target}: ${verdict.measured}. ${formatOutcome(verdict)}.`),
    ...notes.map((note) => `- ${note}`),
    `- \`npm run bench -- ${name}\``,
  ];
  return `${lines.join('\n')}\n`;
}

function formatRows(rows: Table['rows']): readonly string[] {
  const columns = Object.keys(rows[0] ?? {});
  return [
    `| ${columns.join(' | ')} |`,
    `|${columns.map((_, index) => (index === 0 ? '---' : '--:')).join('|')}|`,
    ...rows.map((row) => `| ${columns.map((column) => row[column] ?? '–').join(' | ')} |`),
  ];
}

function formatOutcome({ met }: Verdict): string {
  return met ? 'Met' : 'MISSED';
}

/** The whole page that is kept: what was reached, what was not, and every table. Markdown. */
export function formatResults(setting: Setting, tables: readonly Table[]): string {
  const verdicts = tables.flatMap((table) => table.verdicts.map((verdict) => ({ table: table.name, verdict })));
  const missed = verdicts.filter(({ verdict }) => !verdict.met).length;
  const summary =
    missed === 0
      ? `All ${verdicts.length} targets of this run are met.`
      : `${missed} of the ${verdicts.length} targets of this run are MISSED; the first table says which and by how much.`;
  return [
    '# Results\n',
    `Written by \`npm run bench -- --write\`, nothing of it by hand. ${summary} How it is measured: [README.md](README.md).\n`,
    formatSetting(setting),
    ...formatRows(
      verdicts.map(({ table, verdict }) => ({
        table,
        target: verdict.target,
        measured: verdict.measured,
        '': formatOutcome(verdict),
      })),
    ),
    '',
    tables.map(formatTable).join('\n'),
  ].join('\n');
}

export function formatBytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${round(bytes / 2 ** 20, 1)} MB` : `${round(bytes / 2 ** 30, 1)} GB`;
}

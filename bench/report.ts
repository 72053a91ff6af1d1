/** How results are shown: as tables for people, as JSON for machines. */
import { execFileSync } from 'node:child_process';
import { cpus, loadavg, release, totalmem } from 'node:os';

/** One benchmark's result. Every row has the same members, which are the columns. */
export interface Table {
  readonly name: string;
  readonly title: string;
  readonly rows: readonly Readonly<Record<string, string | number | null>>[];
  /** What to know of how it was measured, and whether the target was met. */
  readonly notes: readonly string[];
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
export function formatTable({ title, rows, notes }: Table): string {
  const columns = Object.keys(rows[0] ?? {});
  const lines = [
    `## ${title}\n`,
    `| ${columns.join(' | ')} |`,
    `|${columns.map((_, index) => (index === 0 ? '---' : '--:')).join('|')}|`,
    ...rows.map((row) => `| ${columns.map((column) => row[column] ?? '–').join(' | ')} |`),
    '',
    ...notes.map((note) => `- ${note}`),
  ];
  return `${lines.join('\n')}\n`;
}

/** Rounds to so many digits behind the point. */
export function round(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}

export function formatBytes(bytes: number): string {
  return bytes < 2 ** 30 ? `${round(bytes / 2 ** 20, 1)} MB` : `${round(bytes / 2 ** 30, 1)} GB`;
}

/** Whether a target was met, in words for a note. */
export function formatVerdict(target: string, met: boolean): string {
  return `Target: ${target}. ${met ? 'Met' : 'MISSED'}.`;
}

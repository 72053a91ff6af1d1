/** Reading CPU profiles: as text, and as a flame graph beside each. */
import { readdirSync, readFileSync, renameSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawFlameGraph, type Frame, readFrames, sumByFunction } from './flame-graph.ts';

const SHOWN_FUNCTIONS = 25;

/** As Node names the profile of a thread: CPU.<date>.<time>.<process>.<thread>.<number>; the main thread is 0. */
const PROFILE_OF_THREAD = /^CPU\.\d+\.\d+\.\d+\.(\d+)\.\d+\.cpuprofile$/;

/**
 * Of each process's folder in the folder: moves its profiles out of there, that of the main thread under the process's name, those
 * of other threads with their number behind it. Then, of each profile: writes a flame graph beside it, as one SVG file that any browser shows, and gives in words
 * which functions took the time.
 */
export function describeProfiles(folder: string): string {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) moveProfiles(folder, entry.name);
  }
  return readdirSync(folder)
    .filter((name) => name.endsWith('.cpuprofile'))
    .map((name) => {
      const root = readFrames(JSON.parse(readFileSync(join(folder, name), 'utf8')));
      const drawing = join(folder, name.replace(/cpuprofile$/, 'svg'));
      writeFileSync(drawing, drawFlameGraph(root));
      return `${drawing}\n${formatFunctions(root)}\n`;
    })
    .join('\n');
}

function moveProfiles(folder: string, process: string): void {
  const own = join(folder, process);
  const profiles = readdirSync(own).filter((name) => PROFILE_OF_THREAD.test(name));
  for (const name of profiles) {
    const thread = PROFILE_OF_THREAD.exec(name)?.[1] ?? '';
    renameSync(join(own, name), join(folder, `${process}${thread === '0' ? '' : `-thread-${thread}`}.cpuprofile`));
  }
  if (profiles.length > 0 && readdirSync(own).length === 0) rmdirSync(own);
}

function formatFunctions(root: Frame): string {
  const share = (timeUs: number) => `${((timeUs / root.totalUs) * 100).toFixed(1).padStart(5)} %`;
  const lines = sumByFunction(root)
    .slice(0, SHOWN_FUNCTIONS)
    .map(({ name, selfUs, totalUs }) => `${share(selfUs)} ${share(totalUs)}  ${name}`);
  return ['   self   total  function', ...lines].join('\n');
}

/** Reading CPU profiles: as text, and as a flame graph beside each. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { drawFlameGraph, type Frame, readFrames, sumByFunction } from './flame-graph.ts';

const SHOWN_FUNCTIONS = 25;

/**
 * Of each profile in the folder: writes a flame graph beside it, as one SVG file that any browser shows, and gives in words
 * which functions took the time.
 */
export function describeProfiles(folder: string): string {
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

function formatFunctions(root: Frame): string {
  const share = (timeUs: number) => `${((timeUs / root.totalUs) * 100).toFixed(1).padStart(5)} %`;
  const lines = sumByFunction(root)
    .slice(0, SHOWN_FUNCTIONS)
    .map(({ name, selfUs, totalUs }) => `${share(selfUs)} ${share(totalUs)}  ${name}`);
  return ['   self   total  function', ...lines].join('\n');
}

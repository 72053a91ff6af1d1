/** Flame graphs of CPU profiles as V8 writes them (Chrome DevTools Protocol, Profiler.Profile). */

export interface CpuProfile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string; readonly lineNumber: number };
    readonly children?: readonly number[];
  }[];
  /** Ids of the nodes that ran, one for each sample, and the microseconds since the sample before. */
  readonly samples: readonly number[];
  readonly timeDeltas: readonly number[];
}

/** A function as it was called from its caller. */
export interface Frame {
  readonly name: string;
  /** In the function itself, and with all that it called; microseconds. */
  readonly selfUs: number;
  readonly totalUs: number;
  readonly children: readonly Frame[];
}

const PROJECT = new URL('..', import.meta.url).href;
const IDLE = '(idle)';
const WIDTH = 1_600;
const ROW = 17;
/** Narrower ones cannot be seen. */
const LEAST_WIDTH = 0.4;
/** Of the font in which names are written, in pixels. */
const LETTER_WIDTH = 6.6;

/** The tree of calls. Time in which the process had nothing to do is left out. */
export function readFrames({ nodes, samples, timeDeltas }: CpuProfile): Frame {
  const selfUs = new Map<number, number>();
  for (const [index, id] of samples.entries()) selfUs.set(id, (selfUs.get(id) ?? 0) + (timeDeltas[index] ?? 0));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const build = (node: CpuProfile['nodes'][number]): Frame => {
    const children = (node.children ?? [])
      .map((id) => byId.get(id))
      .filter((child) => child !== undefined)
      .filter(({ callFrame }) => callFrame.functionName !== IDLE)
      .map(build);
    const own = selfUs.get(node.id) ?? 0;
    const totalUs = children.reduce((sum, child) => sum + child.totalUs, own);
    return { name: nameFrame(node.callFrame), selfUs: own, totalUs, children };
  };
  const [root] = nodes;
  if (root === undefined) throw new Error('a profile must have nodes');
  return build(root);
}

function nameFrame({ functionName, url, lineNumber }: CpuProfile['nodes'][number]['callFrame']): string {
  const name = functionName === '' ? '(anonymous)' : functionName;
  if (url === '') return name;
  const library = /node_modules\/((?:@[^/]+\/)?[^/]+\/.*)$/.exec(url)?.[1];
  const place = library ?? (url.startsWith(PROJECT) ? `./${url.slice(PROJECT.length)}` : url);
  return `${name} ${place}:${lineNumber + 1}`;
}

/** The greatest own time first. What calls itself is counted once in its total. */
export function sumByFunction(root: Frame): readonly Omit<Frame, 'children'>[] {
  const sums = new Map<string, { selfUs: number; totalUs: number }>();
  const add = (frame: Frame, callers: ReadonlySet<string>) => {
    const sum = sums.get(frame.name) ?? { selfUs: 0, totalUs: 0 };
    sums.set(frame.name, sum);
    sum.selfUs += frame.selfUs;
    if (!callers.has(frame.name)) sum.totalUs += frame.totalUs;
    const path = new Set(callers).add(frame.name);
    for (const child of frame.children) add(child, path);
  };
  add(root, new Set());
  return [...sums].map(([name, sum]) => ({ name, ...sum })).sort((left, right) => right.selfUs - left.selfUs);
}

/** SVG: the callers below, what they call above them, as wide as the time that it took. */
export function drawFlameGraph(root: Frame): string {
  const height = (measureDepth(root) + 1) * ROW;
  const boxes: string[] = [];
  const draw = (frame: Frame, left: number, depth: number) => {
    const width = (frame.totalUs / root.totalUs) * WIDTH;
    if (width < LEAST_WIDTH) return;
    boxes.push(drawBox(frame, { left, top: height - (depth + 1) * ROW, width }, root.totalUs));
    let childLeft = left;
    for (const child of frame.children.toSorted((one, other) => other.totalUs - one.totalUs)) {
      draw(child, childLeft, depth + 1);
      childLeft += (child.totalUs / root.totalUs) * WIDTH;
    }
  };
  draw(root, 0, 0);
  return (
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" font-family="monospace" font-size="11">\n` +
    `${boxes.join('\n')}\n</svg>\n`
  );
}

function drawBox(
  { name, totalUs, selfUs }: Frame,
  { left, top, width }: { readonly left: number; readonly top: number; readonly width: number },
  wholeUs: number,
): string {
  const letters = Math.floor((width - 4) / LETTER_WIDTH);
  const shown = letters < 3 ? '' : name.length > letters ? `${name.slice(0, letters - 1)}…` : name;
  const percent = (timeUs: number) => `${((timeUs / wholeUs) * 100).toFixed(1)} %`;
  const place = `x="${left.toFixed(1)}" y="${top}"`;
  return (
    `<g><title>${escapeText(name)}: ${percent(totalUs)}, ${percent(selfUs)} in itself</title>` +
    `<rect ${place} width="${width.toFixed(1)}" height="${ROW - 1}" rx="2" fill="${chooseColour(name)}"/>` +
    `<text x="${(left + 2).toFixed(1)}" y="${top + ROW - 5}">${escapeText(shown)}</text></g>`
  );
}

/** By where the code is from: this project's, a library's, Node's, V8's. */
function chooseColour(name: string): string {
  if (name.startsWith('(')) return '#d0d0d0';
  if (/ \.\//.test(name)) return '#f2a65a';
  if (/ node:/.test(name)) return '#9bc1bc';
  return '#f4e285';
}

function measureDepth({ children }: Frame): number {
  return 1 + children.reduce((most, child) => Math.max(most, measureDepth(child)), 0);
}

function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;');
}

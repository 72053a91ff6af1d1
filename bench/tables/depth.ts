/** What a page costs at depth 1, 10, 100 and 1,000, and beside it where pages are known by their number alone. */
import { WORD_OF_ALL } from '../catalog.ts';
import { PAGE_SIZE, readJob } from '../job.ts';
import { type RegistriesProcess, startRegistries } from '../processes/registries.ts';
import type { Measurable } from '../processes/remote.ts';
import type { Table, Verdict } from '../report.ts';
import { type BareSide, type GatewaySide, startBareSide, startGatewaySide } from '../sides.ts';
import { mean, median, round } from '../statistics.ts';

const ORDERS = ['POPULARITY', 'RELEVANCE'] as const;
/** What registries give at once at most (the protocol): so much is read ahead of a page that is known by its number. */
const MOST_AT_ONCE = 100;
/** The rows that the gateway asks of a registry at once, unless configured otherwise. */
const WINDOW = 50;
/** A page at the greatest depth may cost this many times the first page in CPU: differences below it are noise. */
const MOST_CPU_GROWTH = 1.25;

export interface DepthOptions {
  readonly registries: number;
  readonly templatesEach: number;
  /** In pages, ascending, the first 1. */
  readonly depths: readonly number[];
  /** Pages measured from each depth on: they begin at different places of a window. */
  readonly pages: number;
  /** How often each of them is asked for. */
  readonly repeats: number;
}

/** What one page cost. */
interface Cost {
  readonly tookMs: number;
  readonly cpuUs: number;
  readonly requests: number;
  readonly rowsAsked: number;
}

interface Costs {
  readonly order: (typeof ORDERS)[number];
  readonly depth: number;
  readonly gateway: readonly Cost[];
  readonly byNumber: readonly Cost[];
}

export async function measureDepth({ registries: count, templatesEach, ...walk }: DepthOptions): Promise<Table> {
  // Registries that forbid keeping: each page is asked of them anew.
  await using registries = await startRegistries({ count, templatesEach, noStore: true });
  await using gateway = await startGatewaySide({ registryUrls: registries.urls });
  await using bare = await startBareSide(registries.urls);
  const all: Costs[] = [];
  for (const order of ORDERS) all.push(...(await measureOrder(order, { registries, gateway, bare }, walk)));
  return {
    name: 'depth',
    title: `Cost of a page of ${PAGE_SIZE} by its depth, ${count} registries of ${templatesEach} templates`,
    rows: all.map(describeCosts),
    verdicts: ORDERS.map((order) =>
      judgeGrowth(
        order,
        all.filter((each) => each.order === order),
        count,
      ),
    ),
    notes: [
      'Each page is asked of the registries anew: they forbid that answers are kept. Requests and rows are of all registries ' +
        'together, means over the pages from that depth on. Collapse is off. "By number" is the bare side where a page is known by ' +
        `its number alone: every row before it is read of each registry, ${MOST_AT_ONCE} at once.`,
    ],
  };
}

interface Sides {
  readonly registries: RegistriesProcess;
  readonly gateway: GatewaySide;
  readonly bare: BareSide;
}

async function measureOrder(
  order: Costs['order'],
  { registries, gateway, bare }: Sides,
  { depths, pages, repeats }: Pick<DepthOptions, 'depths' | 'pages' | 'repeats'>,
): Promise<readonly Costs[]> {
  const cursors = await findCursors(gateway, order, Math.max(...depths) + pages);
  const costs = depths.map((depth) => ({ order, depth, gateway: [] as Cost[], byNumber: [] as Cost[] }));
  for (let repeat = 0; repeat < repeats; repeat += 1) {
    for (let page = 0; page < pages; page += 1) {
      for (const { depth, gateway: own } of costs) {
        const after = cursors[depth + page - 1] ?? null;
        const request = gateway.write({ query: WORD_OF_ALL, order, after }, { cursor: true });
        own.push(await measureCost(gateway.process, registries, () => gateway.client.send(request)));
      }
    }
    for (const { depth, byNumber } of costs) {
      const search = { query: WORD_OF_ALL, order: order === 'POPULARITY' ? 'popularity' : 'relevance' } as const;
      const request = bare.write({ ...search, rows: depth * PAGE_SIZE, readAhead: MOST_AT_ONCE });
      byNumber.push(await measureCost(bare.process, registries, () => bare.client.send(request)));
    }
  }
  return costs;
}

/** Walks over so many pages; gives the cursor after which each of them begins. */
async function findCursors(gateway: GatewaySide, order: Costs['order'], pages: number) {
  const cursors: (string | null)[] = [];
  for (let after: string | null = null; cursors.length < pages; ) {
    cursors.push(after);
    const request = gateway.write({ query: WORD_OF_ALL, order, after }, { cursor: true });
    const { nodes, pageInfo } = readJob((await gateway.client.send(request)).toString());
    if (nodes.length !== PAGE_SIZE) throw new Error(`page ${cursors.length} must be full, it has ${nodes.length} rows`);
    after = pageInfo.endCursor ?? null;
  }
  return cursors;
}

async function measureCost(
  process: Measurable,
  registries: RegistriesProcess,
  work: () => Promise<unknown>,
): Promise<Cost> {
  await registries.forgetArrivals();
  const before = await process.readUsage();
  const startedMs = performance.now();
  await work();
  const tookMs = performance.now() - startedMs;
  const after = await process.readUsage();
  const arrivals = await registries.readArrivals();
  return {
    tookMs,
    cpuUs: after.cpuUs - before.cpuUs,
    requests: arrivals.reduce((sum, { calls }) => sum + calls, 0),
    rowsAsked: arrivals.reduce((sum, { rowsAsked }) => sum + rowsAsked, 0),
  };
}

function describeCosts({ order, depth, gateway, byNumber }: Costs) {
  return {
    order,
    depth,
    requests: round(mean(gateway.map((cost) => cost.requests)), 1),
    'rows asked': round(mean(gateway.map((cost) => cost.rowsAsked)), 0),
    'rows asked, most': Math.max(...gateway.map((cost) => cost.rowsAsked)),
    'CPU µs': round(median(gateway.map((cost) => cost.cpuUs)), 0),
    'p50 ms': round(median(gateway.map((cost) => cost.tookMs)), 2),
    'by number: requests': round(mean(byNumber.map((cost) => cost.requests)), 0),
    'by number: rows asked': round(mean(byNumber.map((cost) => cost.rowsAsked)), 0),
    'by number: CPU µs': round(median(byNumber.map((cost) => cost.cpuUs)), 0),
    'by number: p50 ms': round(median(byNumber.map((cost) => cost.tookMs)), 2),
  };
}

function judgeGrowth(order: string, costs: readonly Costs[], registries: number): Verdict {
  const [shallow] = costs;
  const deep = costs.at(-1);
  if (shallow === undefined || deep === undefined) throw new Error('there must be depths to compare');
  const rows = ({ gateway }: Costs) => mean(gateway.map((cost) => cost.rowsAsked));
  const cpu = ({ gateway }: Costs) => median(gateway.map((cost) => cost.cpuUs));
  // Where in a window the pages of one depth begin is chance: half a window of each registry is no growth.
  const moreRows = round(rows(deep) - rows(shallow), 0);
  const growth = round(cpu(deep) / cpu(shallow), 2);
  return {
    target: `page ${deep.depth} costs what page ${shallow.depth} costs, by ${order.toLowerCase()}`,
    measured: `${moreRows} rows more asked, ${growth} times the CPU`,
    met: moreRows <= (registries * WINDOW) / 2 && growth <= MOST_CPU_GROWTH,
  };
}

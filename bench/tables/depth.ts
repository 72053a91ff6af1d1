/** What a page costs at depth 1, 10, 100 and 1,000: asked of a gateway that has nothing in its cache. */
import { WORD_OF_ALL } from '../catalog.ts';
import { type Client, openClient, readSearch, searchBody, waitUntilReady } from '../client.ts';
import { median } from '../measure.ts';
import { type BareSearch, startBareProcess } from '../processes/bare.ts';
import { startGatewayProcess } from '../processes/gateway.ts';
import { type SearchArrivals, startRegistries } from '../processes/registries.ts';
import { formatVerdict, round, type Table } from '../report.ts';

const PAGE_SIZE = 20;
const WINDOW = 50;
/** Of all registries together. */
const ROWS_ASKED = 'rows asked, mean';
const ORDERS = ['POPULARITY', 'RELEVANCE'] as const;

export interface DepthOptions {
  readonly registries: number;
  readonly templatesEach: number;
  /** In pages, ascending, the first 1. */
  readonly depths: readonly number[];
  /** Pages measured from each depth on, each asked of a gateway without a cache: they begin at different places of a window. */
  readonly pages: number;
}

interface Cost {
  readonly tookMs: number;
  readonly arrivals: readonly SearchArrivals[];
}

export async function measureDepth({ registries: count, templatesEach, ...walk }: DepthOptions): Promise<Table> {
  const { remote: registries, urls } = await startRegistries({ count, templatesEach });
  await using _registries = registries;
  await using gateway = startGatewayProcess();
  await using bare = startBareProcess();
  await using bareClient = openClient(await bare.call('start', { registryUrls: urls }));
  const startFresh = async () => {
    const origin = await gateway.call('start', { registryUrls: urls });
    await waitUntilReady(origin);
    return openClient(origin);
  };
  const measure = async (work: () => Promise<unknown>): Promise<Cost> => {
    await registries.call('forgetArrivals', null as never);
    const startedMs = performance.now();
    await work();
    const tookMs = performance.now() - startedMs;
    return { tookMs, arrivals: await registries.call('readArrivals', null as never) };
  };

  const rows: Table['rows'][number][] = [];
  for (const order of ORDERS) {
    await using walker = await startFresh();
    const cursors = await findCursors(walker, order, Math.max(...walk.depths) + walk.pages);
    const costs = new Map(walk.depths.map((depth) => [depth, { gateway: [] as Cost[], bare: [] as Cost[] }]));
    for (let page = 0; page < walk.pages; page += 1) {
      for (const [depth, sides] of costs) {
        await using client = await startFresh();
        const body = searchBody({ query: WORD_OF_ALL, order, after: cursors[depth + page - 1] ?? null });
        sides.gateway.push(await measure(async () => readSearch(await client.post('/graphql', body))));
        sides.bare.push(await measure(() => bareClient.post('/', bareWindow(order, depth + page, count))));
      }
    }
    for (const [depth, { gateway, bare }] of costs) rows.push(describeRow(order, depth, gateway, bare));
  }
  return {
    name: 'depth',
    title: `Cost of a page of ${PAGE_SIZE} by its depth, ${count} registries of ${templatesEach} templates`,
    rows,
    notes: [
      'Each page is the first that a gateway with an empty cache is asked for, so its first connections are in the time. ' +
        'Bare: one window of 50 rows from each registry, at the same depth. Requests and rows are of all registries ' +
        'together; questions are those whether one carries names of another (collapse), which a gateway that knows the lists ' +
        'of names does not ask.',
      judgeGrowth(rows, count),
    ],
  };
}

/** Walks over so many pages; gives the cursor after which each of them begins. */
async function findCursors(client: Client, order: (typeof ORDERS)[number], pages: number) {
  const cursors: (string | null)[] = [];
  for (let after: string | null = null; cursors.length < pages; ) {
    cursors.push(after);
    const body = searchBody({ query: WORD_OF_ALL, order, after });
    const { nodes, pageInfo } = readSearch(await client.post('/graphql', body));
    if (nodes.length !== PAGE_SIZE) throw new Error(`page ${cursors.length} must be full, it has ${nodes.length} rows`);
    after = pageInfo.endCursor;
  }
  return cursors;
}

function bareWindow(order: (typeof ORDERS)[number], depth: number, registries: number): BareSearch {
  const offset = Math.floor(((depth - 1) * PAGE_SIZE) / registries / WINDOW) * WINDOW;
  return { query: WORD_OF_ALL, order: order === 'POPULARITY' ? 'popularity' : 'relevance', rows: WINDOW, offset };
}

function describeRow(order: string, depth: number, costs: readonly Cost[], bareCosts: readonly Cost[]) {
  const totals = (pick: (arrivals: SearchArrivals) => number) =>
    costs.map(({ arrivals }) => arrivals.reduce((sum, each) => sum + pick(each), 0));
  const requests = totals((each) => each.requests);
  const rowsAsked = totals((each) => each.rowsAsked);
  return {
    order,
    depth,
    'p50 ms': round(median(costs.map(({ tookMs }) => tookMs)), 2),
    'requests, mean': round(mean(requests), 1),
    'requests, most': Math.max(...requests),
    [ROWS_ASKED]: round(mean(rowsAsked), 0),
    'rows asked, most': Math.max(...rowsAsked),
    'questions, mean': round(mean(totals((each) => each.questions)), 1),
    'bare p50 ms': round(median(bareCosts.map(({ tookMs }) => tookMs)), 2),
  };
}

function mean(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** From the second depth on: before the first page there is nothing that a place must be found by. */
function judgeGrowth(rows: Table['rows'], registries: number): string {
  const growths = ORDERS.map((order) => {
    const asked = rows.filter((row) => row.order === order).map((row) => Number(row[ROWS_ASKED]));
    return (asked.at(-1) ?? Number.NaN) - (asked[asked.length > 1 ? 1 : 0] ?? Number.NaN);
  });
  // Where in a window the pages of one depth begin is chance: half a window of each registry is no growth.
  const met = Math.max(...growths) <= (registries * WINDOW) / 2;
  const target = 'the rows asked do not grow with the depth (by less than half a window of each registry)';
  return formatVerdict(`${target}: ${growths.join(' and ')} from the second depth to the last`, met);
}

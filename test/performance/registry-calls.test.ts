/** What searches cost the registries. Counts, not times: they are the same on every machine. */
import { describe, expect, it } from 'vitest';
import { generateQuery, WORD_OF_ALL } from '../../bench/catalog.ts';
import { type JobSearch, readJob } from '../../bench/job.ts';
import { type Arrivals, type RegistriesProcess, startRegistries } from '../../bench/processes/registries.ts';
import { type GatewaySide, startGatewaySide } from '../../bench/sides.ts';

const REGISTRIES = 3;
/** Rows read of a registry at once, as configured by default, and the row before them that shows that they fit. */
const WINDOW = 50;
/** Rows of the first windows of three lists: what a page takes of each, with rare exceptions. */
const FIRST_WINDOW = 13;
const SEAM = 1;
const PAGE = 20;
const ORDERS = ['POPULARITY', 'RELEVANCE'] as const;

async function startBoth(templatesEach: number) {
  const stack = new AsyncDisposableStack();
  const registries = stack.use(await startRegistries({ count: REGISTRIES, templatesEach }));
  const gateway = stack.use(await startGatewaySide({ registryUrls: registries.urls }));
  return { registries, gateway, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function search(gateway: GatewaySide, variables: JobSearch) {
  return readJob((await gateway.client.send(gateway.write(variables, { cursor: true }))).toString());
}

/** Of all registries together, while the work is done. */
async function countArrivals(registries: RegistriesProcess, work: () => Promise<unknown>) {
  await registries.forgetArrivals();
  await work();
  const arrivals = await registries.readArrivals();
  const sum = (pick: (each: Arrivals) => number) => arrivals.reduce((total, each) => total + pick(each), 0);
  return {
    windows: arrivals.map(({ windows }) => windows),
    rowsAsked: sum(({ rowsAsked }) => rowsAsked),
    questions: arrivals.map(({ questions }) => questions),
    calls: sum(({ calls }) => calls),
  };
}

describe.each(ORDERS)('what a search by %s asks of registries', (order) => {
  it('is one window of each for a first page, and nothing when it is asked again', async () => {
    await using sides = await startBoth(240);
    const variables = { query: generateQuery(1), order };
    const cold = await countArrivals(sides.registries, () => search(sides.gateway, variables));
    expect(cold).toMatchObject({ windows: [1, 1, 1], calls: REGISTRIES });
    expect(cold.rowsAsked).toBe(REGISTRIES * FIRST_WINDOW);
    const hot = await countArrivals(sides.registries, () => search(sides.gateway, variables));
    expect(hot.calls).toBe(0);
  });

  it('is one question more for each at most where names are collapsed', async () => {
    await using sides = await startBoth(240);
    const variables = { query: generateQuery(1), order, collapse: true };
    const { windows, questions } = await countArrivals(sides.registries, () => search(sides.gateway, variables));
    expect(windows).toEqual([1, 1, 1]);
    expect(Math.max(...questions)).toBeLessThanOrEqual(1);
  });

  it('is over a walk no more rows than are shown, but for a window of each', async () => {
    await using sides = await startBoth(700);
    const pages = 60;
    const costs: { readonly calls: number }[] = [];
    let rowsAsked = 0;
    let after: string | null = null;
    for (let page = 0; page < pages; page += 1) {
      const cost = await countArrivals(sides.registries, async () => {
        const { pageInfo } = await search(sides.gateway, { query: WORD_OF_ALL, order, after });
        after = pageInfo.endCursor ?? null;
      });
      costs.push(cost);
      rowsAsked += cost.rowsAsked;
    }
    expect(rowsAsked).toBeLessThanOrEqual((pages * PAGE + REGISTRIES * WINDOW) * (1 + SEAM / WINDOW));
    // R + min(R, n) + ⌈n/W⌉ windows for one page (the contract's bound), however deep it is.
    const most = REGISTRIES + Math.min(REGISTRIES, PAGE) + Math.ceil(PAGE / WINDOW);
    for (const { calls } of costs) expect(calls).toBeLessThanOrEqual(most);
  });

  it('is one window of each when many ask the same at once', async () => {
    await using sides = await startBoth(240);
    const variables = { query: generateQuery(2), order };
    const { windows, calls } = await countArrivals(sides.registries, () =>
      Promise.all(Array.from({ length: 200 }, () => search(sides.gateway, variables))),
    );
    expect(windows).toEqual([1, 1, 1]);
    expect(calls).toBe(REGISTRIES);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { makeRows } from '../helpers/faulty-registry-source.ts';
import { openFederation } from '../helpers/open-federation.ts';
import { requestOf } from '../helpers/walks.ts';

const CACHE = { search: 60_000, template: 600_000, catalog: 3_600_000, staleWhileRevalidate: 10_000 };
const START_MS = 1_800_000_000_000;

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: START_MS });
});

afterEach(() => {
  vi.useRealTimers();
});

const REQUEST = requestOf({ field: 'POPULARITY' }, { direction: 'FORWARD', count: 20, cursor: null });

describe('until when the answers of a view are true', () => {
  it('is for ever and of nobody before anything was asked', async () => {
    await using one = await startFaultyRegistry({ rows: makeRows(2) });
    await using gateway = await openFederation({ one });
    const { freshUntilMs, registryNames } = gateway.view().readFreshness();
    expect([freshUntilMs, registryNames.size]).toEqual([Number.POSITIVE_INFINITY, 0]);
  });

  it('is the shortest of its parts, and names whose they are', async () => {
    await using one = await startFaultyRegistry({ rows: makeRows(2) });
    await using gateway = await openFederation({ one }, {}, { cache: CACHE });
    const view = gateway.view();
    const [row] = makeRows(2);
    await view.lookUpTemplate(row?.name ?? '', null, null);
    expect(view.readFreshness().freshUntilMs).toBe(START_MS + 600_000);
    await view.search({ ...REQUEST, collapse: false });
    expect(view.readFreshness().freshUntilMs).toBe(START_MS + 60_000);
    expect([...view.readFreshness().registryNames]).toEqual(['one']);
  });

  it('is five minutes at most where names are collapsed', async () => {
    await using one = await startFaultyRegistry({ rows: makeRows(2) });
    await using gateway = await openFederation({ one }, {}, { cache: { ...CACHE, search: 3_600_000 } });
    const view = gateway.view();
    await view.search({ ...REQUEST, collapse: true });
    expect(view.readFreshness().freshUntilMs).toBe(START_MS + 300_000);
  });

  it('is limited by the absence of a template too', async () => {
    await using one = await startFaultyRegistry({ rows: makeRows(2) });
    await using gateway = await openFederation({ one }, {}, { cache: CACHE });
    const view = gateway.view();
    expect(await view.lookUpTemplate('nobody/has-it', null, null)).toBeNull();
    const { freshUntilMs, registryNames } = view.readFreshness();
    expect([...registryNames]).toEqual(['one']);
    expect(freshUntilMs).toBeGreaterThan(START_MS);
    expect(freshUntilMs).toBeLessThanOrEqual(START_MS + 60_000);
  });

  it('is over at once when a registry is silent or a little late', async () => {
    await using one = await startFaultyRegistry({ rows: makeRows(2) });
    await using two = await startFaultyRegistry({ rows: makeRows(2) });
    await using gateway = await openFederation({ one, two }, {}, { cache: CACHE });
    await gateway.view().search(REQUEST);
    vi.setSystemTime(START_MS + 65_000);
    const late = gateway.view();
    await late.search(REQUEST);
    expect(late.readFreshness().freshUntilMs).toBe(0);
    await two.setMode('refused');
    const template = (await late.search(REQUEST)).edges[0]?.template;
    const view = gateway.view();
    if (template === undefined) throw new TypeError('the page must have a row');
    expect((await view.sourcesOf(template)).complete).toBe(false);
    expect(view.readFreshness().freshUntilMs).toBe(0);
  });

  it('is counted from the beginning of a search that another had begun', async () => {
    await using one = await startFaultyRegistry({ rows: makeRows(2) });
    await using gateway = await openFederation({ one }, {}, { cache: CACHE });
    const first = gateway.view().search(REQUEST);
    const laterThanMs = performance.now();
    const view = gateway.view();
    await Promise.all([first, view.search(REQUEST)]);
    expect(view.readFreshness().sinceMs).toBeLessThan(laterThanMs);
  });
});

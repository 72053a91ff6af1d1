import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FederationView, SearchResult } from '../../src/federation/answers.ts';
import { startFaultyRegistry } from '../helpers/faulty-registry.ts';
import { makeRows } from '../helpers/faulty-registry-source.ts';
import { openFederation } from '../helpers/open-federation.ts';
import { requestOf } from '../helpers/walks.ts';

const CACHE = { search: 60_000, staleWhileRevalidate: 10_000, staleIfError: 100_000 };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date'], now: 1_800_000_000_000 });
});

afterEach(() => {
  vi.useRealTimers();
});

function search(view: FederationView): Promise<SearchResult> {
  return view.search(requestOf({ field: 'POPULARITY' }, { direction: 'FORWARD', count: 20, cursor: null }));
}

describe('a page of answers that are a little past their lifetime', () => {
  it('is in order: nobody failed, and it says what it is made of and how old that is', async () => {
    await using registry = await startFaultyRegistry({ rows: makeRows(5), behaviour: { claimsTotalOrder: true } });
    await using gateway = await openFederation({ one: registry }, {}, { cache: CACHE });
    const fresh = await search(gateway.view());
    expect([fresh.totalCount, fresh.totalCountAccuracy]).toEqual([5, 'EXACT']);
    vi.setSystemTime(Date.now() + 65_000);
    const stale = await search(gateway.view());
    expect(stale.partial).toBe(false);
    expect(stale.reports[0]).toMatchObject({ outcome: 'OK', cache: 'STALE', error: null, freshUntilMs: 0 });
    expect(stale.reports[0]?.ageSeconds).toBeCloseTo(65, 0);
    // It may be another number by now.
    expect([stale.totalCount, stale.totalCountAccuracy]).toEqual([5, 'ESTIMATE']);
    expect(stale.freshUntilMs).toBe(0);
  });

  it('is told apart from one whose registry could not be asked', async () => {
    await using registry = await startFaultyRegistry({ rows: makeRows(5), behaviour: { claimsTotalOrder: true } });
    await using gateway = await openFederation({ one: registry }, {}, { cache: CACHE });
    await search(gateway.view());
    vi.setSystemTime(Date.now() + 80_000);
    await registry.setMode('refused');
    const [report] = (await search(gateway.view())).reports;
    expect(report).toMatchObject({ outcome: 'STALE', cache: 'STALE', error: { type: 'CONNECTION' } });
  });
});

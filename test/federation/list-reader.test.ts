import { describe, expect, it } from 'vitest';
import { RegistryFailure } from '../../src/domain/errors.ts';
import type { RowRequest } from '../../src/domain/registry.ts';
import { NO_CRITERIA } from '../../src/domain/search.ts';
import { ListReader } from '../../src/federation/list-reader.ts';
import type { ListQuery } from '../../src/federation/span-reader.ts';
import { RegistryTraits } from '../../src/federation/traits.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import type { CatalogBehaviour } from '../helpers/faulty-registry-catalog.ts';

const BY_NAME: ListQuery = { query: '', criteria: NO_CRITERIA, order: { field: 'NAME', direction: 'ASC' } };
const row = (index: number) => ({ name: `n${String(index).padStart(4, '0')}`, version: '1' });

function open(count: number, behaviour: CatalogBehaviour = { claimsTotalOrder: true }, windowSize = 10) {
  const rows = Array.from({ length: count }, (_, index) => row(index));
  const source = new CatalogSource({ name: 'one', rank: 0, rows, behaviour, keepsAnswers: true });
  const traits = new RegistryTraits();
  const openReader = (firstSize = windowSize) =>
    new ListReader(source, BY_NAME, windowSize, traits, Number.POSITIVE_INFINITY, { firstSize });
  return { source, traits, reader: openReader(), openReader };
}

const namesOf = (rows: readonly ({ readonly name: string } | null)[]) => rows.map((each) => each?.name);
const namesFrom = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => row(from + index).name);

/** Offset and limit of each request. */
function spansOf(source: CatalogSource): string[] {
  return source.asked.map((path) => {
    const query = new URLSearchParams(path.split('?')[1]);
    return `${query.get('offset')}+${query.get('limit')}`;
  });
}

describe('a window', () => {
  it('is asked for once, with the row before it, which shows whether the two fit together', async () => {
    const { reader, source } = open(100);
    const [first, second, again] = [await reader.load(0), await reader.load(1), await reader.load(1)];
    expect(namesOf(first.rows)).toEqual(namesFrom(0, 10));
    expect(namesOf(second.rows)).toEqual(namesFrom(10, 20));
    expect([first.before, second.before?.name]).toEqual([undefined, row(9).name]);
    expect(again).toBe(second);
    expect(spansOf(source)).toEqual(['0+10', '9+11']);
  });

  it('ends the list when it is short, and lies behind the end when it is empty', async () => {
    const { reader } = open(15);
    const [second, fifth] = [await reader.load(1), await reader.load(5)];
    expect([second.rows.length, second.atEnd]).toEqual([5, true]);
    expect([fifth.rows.length, fifth.atEnd]).toEqual([0, true]);
    expect(reader.length).toBe(15);
  });

  it.each([0, 10, 20])('the length of a list of %i is known when its end was seen', async (count) => {
    const { reader } = open(count);
    expect(reader.length).toBeNull();
    const { rows, atEnd } = await reader.readRows(0, count + 5);
    expect([rows.length, atEnd, reader.length]).toEqual([count, true, count]);
    expect(reader.wholeList()?.length).toBe(count);
  });

  it('far behind the end tells nothing of the length', async () => {
    const { reader } = open(15);
    await reader.load(7);
    expect(reader.length).toBeNull();
    expect(reader.wholeList()).toBeNull();
  });
});

describe('names that are asked for', () => {
  it('are all found, where the registry repeats entries too', async () => {
    for (const [repeatsEvery, requests] of [
      [1000, 1],
      [3, 2],
      [1, 3],
    ] as const) {
      const { reader, source } = open(40, { repeatsEvery });
      const found = await reader.readNamed(namesFrom(10, 20));
      expect([...new Set(namesOf(found))]).toEqual(namesFrom(10, 20));
      expect(source.asked).toHaveLength(requests);
    }
  });
});

describe('a first window that is shorter than the others', () => {
  it('is followed by whole ones, and every row is found where it is', async () => {
    const { openReader, source } = open(40);
    const reader = openReader(4);
    const { rows, atEnd } = await reader.readRows(0, 50);
    expect([namesOf(rows), atEnd, reader.length]).toEqual([namesFrom(0, 40), true, 40]);
    expect(spansOf(source)).toEqual(['0+4', '3+11', '13+11', '23+11', '33+11']);
    for (let offset = 0; offset < 40; offset += 1) {
      const index = reader.indexOf(offset);
      expect(reader.startOf(index)).toBeLessThanOrEqual(offset);
      expect(offset).toBeLessThan(reader.startOf(index) + reader.sizeOf(index));
      expect(reader.rowAt(offset)?.name).toBe(row(offset).name);
    }
    expect(reader.wholeList()?.length).toBe(40);
  });

  it('is asked for together with those behind it where a page needs them, each once', async () => {
    const { openReader, source } = open(100);
    const reader = openReader(4);
    reader.askAhead(0, 4);
    expect(source.asked).toEqual([]);
    reader.askAhead(0, 25);
    await new Promise(setImmediate);
    expect(spansOf(source)).toEqual(['0+4', '3+11', '13+11', '23+11']);
    expect([reader.windows.size, reader.wholeList()]).toEqual([0, null]);
    const { rows } = await reader.readRows(0, 30);
    expect(namesOf(rows)).toEqual(namesFrom(0, 30));
    expect(source.asked).toHaveLength(4);
  });

  it('is told of a failure by whoever loads what was asked for ahead', async () => {
    const { openReader, source } = open(100);
    const reader = openReader(4);
    source.lose();
    reader.askAhead(0, 25);
    await expect(reader.load(1)).rejects.toThrow(RegistryFailure);
  });
});

describe('windows that were fetched at different times', () => {
  it('fit together: the older one is fetched again when an entry went before the seam', async () => {
    const { source, openReader } = open(100);
    await openReader().load(0);
    source.catalog.remove(row(3).name);
    const reader = openReader();
    const { rows } = await reader.readRows(0, 20);
    expect(namesOf(rows)).toEqual([...namesFrom(0, 3), ...namesFrom(4, 21)]);
    expect(reader.generation).toBe(1);
  });

  it('fit together: the older one is fetched again when an entry came before the seam', async () => {
    const { source, openReader } = open(100);
    await openReader().load(0);
    source.catalog.insert({ name: 'n0003a', version: '1' });
    const { rows } = await openReader().readRows(0, 20);
    expect(namesOf(rows)).toEqual([...namesFrom(0, 4), 'n0003a', ...namesFrom(4, 19)]);
  });

  it('fit together backwards too: the upper window is the older one there', async () => {
    const { source, openReader } = open(100);
    await openReader().load(1);
    source.catalog.remove(row(3).name);
    const reader = openReader();
    await reader.load(1);
    await reader.load(0);
    expect(namesOf((await reader.readRows(0, 20)).rows)).toEqual([...namesFrom(0, 3), ...namesFrom(4, 21)]);
  });

  it('fit together at the end: the list has become shorter than a window in the cache says', async () => {
    const { source, openReader } = open(100);
    await openReader().load(9);
    source.catalog.remove(...namesFrom(3, 8));
    const reader = openReader();
    await reader.load(9);
    await reader.load(10);
    expect(namesOf((await reader.readRows(90, 120)).rows)).toEqual(namesFrom(95, 100));
    expect(reader.length).toBe(95);
  });

  it('are not fetched again where nothing changed', async () => {
    const { source, openReader } = open(100);
    await openReader().load(0);
    await openReader().readRows(0, 100);
    await openReader().readRows(0, 100);
    expect(new Set(spansOf(source)).size).toBe(source.asked.length);
  });

  it('are a fault of the registry when it never answers the same twice, and it is not asked for ever', async () => {
    const { source, openReader } = open(100);
    const search = source.catalog.search.bind(source.catalog);
    let turn = 0;
    source.catalog.search = (query) => {
      const page = search(query);
      turn += 1;
      return { ...page, templates: page.templates.map((each) => ({ ...each, name: `${each.name}-${turn}` })) };
    };
    await expect(openReader().readRows(0, 50)).rejects.toMatchObject({ type: 'PROTOCOL' });
    expect(source.asked.length).toBeLessThan(40);
  });
});

describe('a registry that gives fewer rows than it is asked for', () => {
  it.each([1, 3, 7, 9, 10, 11])('at most %i at a time is read whole all the same', async (capLimit) => {
    const { reader, openReader, traits } = open(95, { claimsTotalOrder: true, capLimit });
    expect(namesOf((await reader.readRows(0, 200)).rows)).toEqual(namesFrom(0, 95));
    expect(reader.length).toBe(95);
    if (capLimit < 11) expect(traits.pageCap).toBe(capLimit);
    expect(namesOf((await openReader().load(4)).rows)).toEqual(namesFrom(40, 50));
  });

  it('and does not count is read whole', async () => {
    const { reader } = open(95, { omitsCount: true, capLimit: 7 });
    expect(namesOf((await reader.readRows(0, 200)).rows)).toEqual(namesFrom(0, 95));
  });

  it.each([-20, -1, 1, 7, 200])('and counts %i beside the truth is read whole, and found out', async (miscountsBy) => {
    const { reader, traits } = open(95, { miscountsBy });
    expect(namesOf((await reader.readRows(0, 300)).rows)).toEqual(namesFrom(0, 95));
    expect(traits.miscounts).toBe(true);
  });

  it('and counts one window and more too many does not let itself be read deeper, as far as can be told', async () => {
    const { reader } = open(95, { miscountsBy: 200 });
    await reader.readRows(0, 300);
    expect(reader.reachable).toBe(95);
    expect(reader.wholeList()).toBeNull();
  });
});

describe('a registry that refuses to go deeper', () => {
  it('is read up to there, and says how far that was', async () => {
    const { source, reader } = open(95);
    const searchRows = source.searchRows.bind(source);
    source.searchRows = (request: RowRequest, options) => {
      if (request.offset >= 39) return Promise.reject(new RegistryFailure('INVALID', 'one', { statusCode: 400 }));
      return searchRows(request, options);
    };
    const { rows, atEnd } = await reader.readRows(0, 95);
    expect([rows.length, atEnd, reader.reachable]).toEqual([40, true, 40]);
    expect(reader.wholeList()).toBeNull();
  });

  it('at its very beginning has failed', async () => {
    const { source, reader } = open(95);
    source.failure = new RegistryFailure('INVALID', 'one');
    await expect(reader.load(0)).rejects.toBeInstanceOf(RegistryFailure);
  });
});

describe('malformed entries', () => {
  it('keep their places, so that offsets stay those of the registry', async () => {
    const { source, reader } = open(30);
    const search = source.catalog.search.bind(source.catalog);
    source.catalog.search = (query) => {
      const page = search(query);
      return {
        ...page,
        templates: page.templates.map((each) => (each.name === row(12).name ? { ...each, name: '' } : each)),
      };
    };
    const { rows } = await reader.readRows(10, 20);
    expect(namesOf(rows)).toEqual([row(10).name, row(11).name, undefined, ...namesFrom(13, 20)]);
    expect(reader.record.malformed).toBe(1);
  });
});

describe('names', () => {
  it('are asked for among the matches in one request', async () => {
    const { source, reader } = open(95);
    const found = await reader.readNamed([row(3).name, 'nowhere', row(90).name]);
    expect(namesOf(found)).toEqual([row(3).name, row(90).name]);
    expect(source.asked).toHaveLength(1);
    expect(reader.totalCount).toBeNull();
    expect(reader.record.rowsRead).toBe(0);
  });
});

describe('the record of reading', () => {
  it('counts requests and rows, and knows the oldest answer and its cache', async () => {
    const { openReader } = open(95);
    const cold = openReader();
    await cold.readRows(0, 20);
    expect(cold.record).toMatchObject({ requests: 2, rowsRead: 21, cache: 'MISS', malformed: 0 });
    const warm = openReader();
    await warm.readRows(0, 20);
    expect(warm.record.cache).toBe('HIT');
    const mixed = openReader();
    await mixed.readRows(0, 30);
    expect(mixed.record.cache).toBe('MISS');
    expect(mixed.record.oldestFetchMs).toBe(cold.record.oldestFetchMs);
  });
});

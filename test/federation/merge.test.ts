import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RegistryFailure } from '../../src/domain/errors.ts';
import { NO_CRITERIA, type TemplateOrder } from '../../src/domain/search.ts';
import { positionOfRow } from '../../src/federation/list-order.ts';
import { ListReader } from '../../src/federation/list-reader.ts';
import { mergePage } from '../../src/federation/merge.ts';
import { comparePositionsIn, type Position } from '../../src/federation/order.ts';
import type { ListQuery } from '../../src/federation/span-reader.ts';
import { type Entry, RegistryStream } from '../../src/federation/stream.ts';
import { RegistryTraits } from '../../src/federation/traits.ts';
import { CatalogSource } from '../helpers/catalog-source.ts';
import { readRows } from '../helpers/wire-rows.ts';

const ORDER: TemplateOrder = { field: 'POPULARITY', direction: 'DESC' };
const LIST: ListQuery = { query: '', criteria: NO_CRITERIA, order: ORDER };
const compare = comparePositionsIn(ORDER);

/** What a stream does after its rows. */
type Ending = 'END' | 'LOSE' | 'BREAK' | 'BOUND';

/** A stream over sorted keys, handed out in chunks. */
class ChunkStream extends RegistryStream {
  reads = 0;
  readonly #chunks: Entry[][];
  readonly #ending: Ending;

  constructor(rank: number, chunks: readonly (readonly number[])[], ending: Ending) {
    const source = new CatalogSource({ name: `r${rank}`, rank, rows: [] });
    const reader = new ListReader(source, LIST, 10, new RegistryTraits(), Number.POSITIVE_INFINITY);
    const start = { position: null, hint: 0, rowHash: null };
    const context = { direction: 'FORWARD', compare, accepts: () => true, scanRows: 10 } as const;
    super({ source, priority: rank + 1 }, reader, start, context);
    this.#ending = ending;
    this.#chunks = chunks.map((keys, at) => {
      const rows = readRows(
        source.info.name,
        keys.map((key, index) => ({ name: `c${at}i${index}`, downloads: key })),
      );
      return rows.map((row) => ({ ...positionOfRow(row, ORDER, rank), row, stream: this, hint: 0, relevance: null }));
    });
  }

  override get nextHint(): number {
    return 0;
  }

  protected override async readOn(): Promise<readonly Entry[] | 'END' | { readonly barrier: Position }> {
    this.reads += 1;
    const chunk = this.#chunks.shift();
    await Promise.resolve();
    if (chunk !== undefined) return chunk;
    switch (this.#ending) {
      case 'END':
        return 'END';
      case 'LOSE':
        throw new RegistryFailure('CONNECTION', this.registry.source.info.name);
      case 'BREAK':
        throw new TypeError('a defect');
      case 'BOUND':
        return { barrier: { ...BARRIER, rank: this.rank } };
    }
  }
}

const BARRIER: Position = { key: 50, tier: 0, name: 'm', nameLower: 'm', rank: 0, windowStart: 0, score: 0 };

function take(streams: readonly RegistryStream[], count: number) {
  return mergePage(streams, count, {
    compare,
    collapse: null,
    deadlineMs: Number.POSITIVE_INFINITY,
    asFailure: (error) => {
      if (error instanceof RegistryFailure) return error;
      throw error;
    },
  });
}

const keysOf = (entries: readonly Entry[]) => entries.map(({ key }) => key);
const descending = (keys: readonly number[]) => [...keys].sort((a, b) => b - a);

/** Chunks of one descending list. */
const anyChunks = fc.array(fc.array(fc.nat(30), { minLength: 1, maxLength: 5 }), { maxLength: 5 }).map((chunks) => {
  const keys = descending(chunks.flat());
  return chunks.map((chunk) => keys.splice(0, chunk.length));
});

describe('one page of many streams', () => {
  it('is the first of everything sorted, and says truly whether there is more', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyChunks, { maxLength: 5 }), fc.integer({ min: 1, max: 40 }), async (lists, count) => {
        const all = descending(lists.flat(2));
        const page = await take(
          lists.map((chunks, rank) => new ChunkStream(rank, chunks, 'END')),
          count,
        );
        expect(keysOf(page.entries)).toEqual(all.slice(0, count));
        expect(page.hasMore).toBe(all.length > count);
        expect(page.isBounded).toBe(false);
        expect(page.end?.key ?? null).toBe(all[Math.min(count, all.length) - 1] ?? null);
      }),
      { seed: 20_266, numRuns: 300 },
    );
  });

  it('does not read on in a stream whose rows it does not need', async () => {
    const needed = new ChunkStream(0, [[9, 8], [7, 6], [1]], 'END');
    const other = new ChunkStream(1, [[5, 4], [3]], 'END');
    const { entries } = await take([needed, other], 4);
    expect(keysOf(entries)).toEqual([9, 8, 7, 6]);
    expect([needed.reads, other.reads]).toEqual([2, 1]);
  });

  it('has the rows of the others when a registry is lost on the way', async () => {
    const lost = new ChunkStream(0, [[9, 5]], 'LOSE');
    const page = await take(
      [
        lost,
        new ChunkStream(
          1,
          [
            [8, 7],
            [3, 2],
          ],
          'END',
        ),
      ],
      10,
    );
    expect(keysOf(page.entries)).toEqual([9, 8, 7, 5, 3, 2]);
    expect(page.hasMore).toBe(false);
    expect(lost.state).toMatchObject({ type: 'LOST', position: { key: 5 } });
  });

  it('has no place for a registry that was lost before its first row', async () => {
    const lost = new ChunkStream(0, [], 'LOSE');
    await take([lost, new ChunkStream(1, [[8, 7]], 'END')], 10);
    expect(lost.state).toMatchObject({ type: 'LOST', position: null });
  });

  it('is empty when nobody answers, and there is nothing more now', async () => {
    const page = await take([new ChunkStream(0, [], 'LOSE'), new ChunkStream(1, [], 'LOSE')], 10);
    expect(page).toEqual({ entries: [], hasMore: false, isBounded: false, end: null });
  });

  it('ends where a stream has reached its bound: what lies behind might have to come later', async () => {
    const bounded = new ChunkStream(0, [[90, 60]], 'BOUND');
    const page = await take([bounded, new ChunkStream(1, [[80, 55, 40, 30]], 'END')], 10);
    expect(keysOf(page.entries)).toEqual([90, 80, 60, 55]);
    expect([page.hasMore, page.isBounded, page.end?.key]).toEqual([true, true, 50]);
  });

  it('is no shorter for a bound that lies behind it', async () => {
    const page = await take([new ChunkStream(0, [[90, 60]], 'BOUND'), new ChunkStream(1, [[80, 55]], 'END')], 3);
    expect([keysOf(page.entries), page.hasMore, page.isBounded]).toEqual([[90, 80, 60], true, false]);
  });

  it('makes a defect heard, and does not take it for a registry that failed', async () => {
    await expect(take([new ChunkStream(0, [[1]], 'BREAK'), new ChunkStream(1, [[5]], 'LOSE')], 10)).rejects.toThrow(
      'a defect',
    );
  });
});

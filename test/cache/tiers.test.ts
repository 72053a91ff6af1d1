/** What holds for every tier of the cache: the one in memory, and the one in a file, from which a restart begins. */
import { describe, expect, it } from 'vitest';
import type { AnswerCache } from '../../src/cache/answer-cache.ts';
import { CacheFolder, findValue, makeAnswer } from './answers.ts';

interface Tier {
  readonly name: string;
  /** The same answers, as far as the tier keeps them: in memory as they are, in a file after a restart. */
  settle(cache: AnswerCache, folder: CacheFolder): Promise<AnswerCache>;
  open(folder: CacheFolder, maxBytes: number): AnswerCache;
}

const TIERS: readonly Tier[] = [
  {
    name: 'memory',
    settle: async (cache) => cache,
    open: (folder, maxBytes) => folder.open({ memoryBytes: maxBytes, disk: null }),
  },
  {
    name: 'a file',
    async settle(cache, folder) {
      await cache.close();
      return folder.open();
    },
    open: (folder, maxBytes) => folder.open({ maxBytes }),
  },
];

describe.each(TIERS)('the tier in $name', ({ open, settle }) => {
  it('gives back what was kept: the value, and all that is known of it', async () => {
    using folder = new CacheFolder();
    const before = open(folder, 1_000_000);
    const answers = [
      makeAnswer(before, 'small', { names: ['ä/ß', 'two'] }),
      makeAnswer(before, 'large', { padding: 50_000 }),
      makeAnswer(before, 'of a template', { subject: { layer: 'TEMPLATE', name: 'x' } }),
      makeAnswer(before, 'categories', { subject: { layer: 'CATALOG' } }),
    ];
    for (const answer of answers) expect(before.keep(answer)).toBe(true);
    const cache = await settle(before, folder);
    for (const { key, value, head, subject } of answers) {
      expect(await findValue(cache, key)).toEqual(value);
      expect(cache.get(key)).toMatchObject({ head, subject, registry: 'r' });
    }
    await cache.close();
    expect(folder.logged).toEqual([]);
  });

  it('keeps the word that there is none', async () => {
    using folder = new CacheFolder();
    const before = open(folder, 1_000_000);
    const { head } = makeAnswer(before, 'k');
    before.keep(makeAnswer(before, 'k', { head: { ...head, isAbsent: true }, bytes: null, value: null }));
    const cache = await settle(before, folder);
    expect(await findValue(cache, 'k')).toBeNull();
    await cache.close();
  });

  it('has nothing of what it was not given, nor of what was forgotten', async () => {
    using folder = new CacheFolder();
    const before = open(folder, 1_000_000);
    for (const key of ['a', 'b']) before.keep(makeAnswer(before, key));
    const between = await settle(before, folder);
    between.forget('a');
    const cache = await settle(between, folder);
    expect(await findValue(cache, 'a')).toBeUndefined();
    expect(await findValue(cache, 'b')).toBeDefined();
    expect(await findValue(cache, 'c')).toBeUndefined();
    await cache.close();
  });

  it('gives the latest of a key', async () => {
    using folder = new CacheFolder();
    const before = open(folder, 1_000_000);
    before.keep(makeAnswer(before, 'k', { names: ['old'] }));
    const between = await settle(before, folder);
    between.keep(makeAnswer(between, 'k', { names: ['new'] }));
    const cache = await settle(between, folder);
    expect(await findValue(cache, 'k')).toMatchObject({ rows: [{ name: 'new' }] });
    await cache.close();
  });

  it('holds no more bytes than it may, and lets go what was not used for longest', async () => {
    using folder = new CacheFolder();
    const before = open(folder, 400_000);
    const random = () => Array.from({ length: 3_000 }, () => Math.random().toString(36).slice(2, 12));
    for (let number = 0; number < 40; number += 1) {
      before.keep(makeAnswer(before, `key-${number}`, { names: random() }));
    }
    const cache = await settle(before, folder);
    const kept = await Promise.all(Array.from({ length: 40 }, (_, number) => findValue(cache, `key-${number}`)));
    const numbers = kept.flatMap((value, number) => (value === undefined ? [] : [number]));
    expect(numbers.length).toBeGreaterThan(0);
    expect(numbers.length).toBeLessThan(20);
    await cache.close();
  });

  it('drops what an invalidation speaks of, counts it, and keeps the rest', async () => {
    using folder = new CacheFolder();
    const before = open(folder, 1_000_000);
    before.keep(makeAnswer(before, 'of r'));
    before.keep(makeAnswer(before, 'of s', { registry: 's' }));
    before.keep(makeAnswer(before, 'x of r', { subject: { layer: 'TEMPLATE', name: 'x' } }));
    before.keep(makeAnswer(before, 'y of r', { subject: { layer: 'TEMPLATE', name: 'Y' } }));
    const between = await settle(before, folder);
    expect(await between.invalidate({ registry: 'r', template: 'y', layer: 'TEMPLATE' })).toBe(1);
    expect(await between.invalidate({ layer: 'SEARCH', registry: 's' })).toBe(1);
    const cache = await settle(between, folder);
    const kept = await Promise.all(['of r', 'of s', 'x of r', 'y of r'].map((key) => findValue(cache, key)));
    expect(kept.map((value) => value !== undefined)).toEqual([true, false, true, false]);
    expect(await cache.invalidate({})).toBe(2);
    expect(await cache.invalidate({})).toBe(0);
    await cache.close();
  });
});

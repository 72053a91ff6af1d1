import { describe, expect, it } from 'vitest';
import { createAnswerStore } from '../../src/cache/answer-store.ts';

const unexpected = (error: unknown): void => {
  throw error;
};

describe('the store of answers', () => {
  it('gives back the very object', async () => {
    const store = createAnswerStore(1_000_000, unexpected);
    const value = { sizeBytes: 10, nested: new Map([['a', 1]]) };
    await store.set('k', value, 60_000);
    expect(await store.get('k')).toBe(value);
    await store.delete('k');
    expect(await store.get('k')).toBeUndefined();
    await store.close();
  });

  it('holds no more bytes than it may, and lets go what was not used for longest', async () => {
    const store = createAnswerStore(100_000, unexpected);
    for (const key of ['a', 'b', 'c']) await store.set(key, { sizeBytes: 30_000 }, 60_000);
    await store.get('a');
    await store.set('d', { sizeBytes: 30_000 }, 60_000);
    const kept = await Promise.all(['a', 'b', 'c', 'd'].map((key) => store.get(key)));
    expect(kept.map((value) => value !== undefined)).toEqual([true, false, true, true]);
  });

  it('does not keep what is larger than all of it', async () => {
    const store = createAnswerStore(1_000, unexpected);
    await store.set('k', { sizeBytes: 5_000 }, 60_000);
    expect(await store.get('k')).toBeUndefined();
  });

  it('keeps nothing for no time', async () => {
    const store = createAnswerStore(1_000_000, unexpected);
    await store.set('k', { sizeBytes: 1 }, 0);
    expect(await store.get('k')).toBeUndefined();
  });
});

/** What is done while the process has little to do. */
import type { EventLoopUtilization } from 'node:perf_hooks';
import { getHeapStatistics } from 'node:v8';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { giveHeapBack } from '../../src/cache/give-back.ts';
import { SqliteStore } from '../../src/cache/sqlite-store.ts';
import { CacheFolder, findValue, keysOf, makeAnswer } from './answers.ts';

let utilization = 0;
const readUtilization = (): EventLoopUtilization => ({ idle: 0, active: 0, utilization });

beforeEach(() => {
  utilization = 0;
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});

afterEach(() => {
  vi.useRealTimers();
});

/** One second of the quiet time's clock, and the turns that its work takes. */
async function passSecond(): Promise<void> {
  await vi.advanceTimersByTimeAsync(1_000);
  for (let turn = 0; turn < 200; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

describe('a quiet process', () => {
  it.each([true, false])('keeps what was not used again in less room; with a file: %s', async (hasFile) => {
    using folder = new CacheFolder();
    const cache = folder.open({ readUtilization, ...(hasFile ? {} : { disk: null }) });
    const answers = Array.from({ length: 30 }, (_, number) => makeAnswer(cache, `key-${number}`, { padding: 40_000 }));
    for (const answer of answers) cache.keep(answer);
    const before = cache.readUsage().weightBytes;
    await passSecond();
    expect(cache.readUsage().weightBytes).toBeLessThan(before / 10);
    for (const { key, value } of answers) expect(await findValue(cache, key)).toEqual(value);
    await cache.close();
  });

  it('writes what it has, so that not even a crash costs it', async () => {
    using folder = new CacheFolder();
    const cache = folder.open({ readUtilization });
    cache.keep(makeAnswer(cache, 'k'));
    const store = new SqliteStore(folder.file, 1_000_000, folder.log);
    utilization = 0.5;
    await passSecond();
    expect(keysOf(store)).toEqual([]);
    utilization = 0.01;
    await passSecond();
    expect(keysOf(store)).toEqual(['k']);
    await store.disconnect();
    await cache.close();
  });

  it('looks no more when all is done, until there is something again', async () => {
    using folder = new CacheFolder();
    const cache = folder.open({ readUtilization });
    cache.keep(makeAnswer(cache, 'k'));
    for (let second = 0; second < 40; second += 1) await passSecond();
    expect(vi.getTimerCount()).toBe(0);
    cache.keep(makeAnswer(cache, 'l'));
    expect(vi.getTimerCount()).toBe(1);
    await cache.close();
  });

  it("gives back the memory that V8's heap holds and does not use", () => {
    let garbage: object[] | null = Array.from({ length: 1_000_000 }, (_, index) => ({ index, text: `${index}` }));
    expect(garbage).toHaveLength(1_000_000);
    const before = getHeapStatistics().total_physical_size;
    garbage = null;
    giveHeapBack();
    expect(getHeapStatistics().total_physical_size).toBeLessThan(before - 50_000_000);
    expect(Object.hasOwn(globalThis, 'gc')).toBe(false);
  });
});

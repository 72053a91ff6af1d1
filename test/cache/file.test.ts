/** The file of the cache: what may befall it, and that nothing of it befalls the gateway. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, it, vi } from 'vitest';
import { SqliteStore } from '../../src/cache/sqlite-store.ts';
import { CacheFolder, findValue, HOUR_MS, keysOf, makeAnswer, until } from './answers.ts';

/** A file with `count` answers, the keys `key-0`, `key-1`, ... */
async function fill(folder: CacheFolder, count: number): Promise<void> {
  const cache = folder.open();
  for (let number = 0; number < count; number += 1) {
    cache.keep(makeAnswer(cache, `key-${number}`, { names: [`name-${number}`], padding: 5_000 }));
  }
  await cache.close();
}

describe('the file of the cache', () => {
  it("is for its owner's eyes alone, and holds no answer in the clear that is long", async () => {
    using folder = new CacheFolder();
    await fill(folder, 3);
    expect(statSync(folder.file).mode & 0o777).toBe(0o600);
    expect(readFileSync(folder.file).includes('xxxxxxxxxx')).toBe(false);
  });

  it('never has what is of one caller alone, however it is used', async () => {
    using folder = new CacheFolder();
    const cache = folder.open();
    const lookUp = { subject: { layer: 'TEMPLATE', name: 'x' } } as const;
    for (const [key, isPrivate] of [
      ['own', true],
      ['common', false],
    ] as const) {
      cache.keep(makeAnswer(cache, key, { ...lookUp, isPrivate }));
      await findValue(cache, key);
      await findValue(cache, key);
    }
    await cache.close();
    const store = new SqliteStore(folder.file, 1_000_000, folder.log);
    expect(keysOf(store)).toEqual(['common']);
    await store.disconnect();
  });

  it('is looked at for no key that it does not have', async () => {
    using folder = new CacheFolder();
    await fill(folder, 3);
    const reads = vi.spyOn(SqliteStore.prototype, 'get');
    const cache = folder.open();
    await cache.whenListed();
    for (let number = 3; number < 1_000; number += 1) await findValue(cache, `key-${number}`);
    expect(reads).toHaveBeenCalledTimes(0);
    await findValue(cache, 'key-0');
    await findValue(cache, 'key-0');
    expect(reads).toHaveBeenCalledTimes(1);
    await cache.close();
    reads.mockRestore();
  });

  it('has what is used for the second time, and what is rare, though the process ends without a word', async () => {
    using folder = new CacheFolder();
    const cache = folder.open();
    cache.keep(makeAnswer(cache, 'used'));
    await findValue(cache, 'used');
    cache.keep(makeAnswer(cache, 'a look-up', { subject: { layer: 'TEMPLATE', name: 'x' } }));
    cache.keep(makeAnswer(cache, 'never used'));
    const store = new SqliteStore(folder.file, 1_000_000, folder.log);
    await until(() => keysOf(store).length > 0);
    expect(keysOf(store).toSorted()).toEqual(['a look-up', 'used']);
    await store.disconnect();
    await cache.close();
  });

  it('has it also when another process has kept it from being written for a while', async () => {
    using folder = new CacheFolder();
    const cache = folder.open();
    const other = new DatabaseSync(folder.file);
    other.exec('BEGIN IMMEDIATE');
    cache.keep(makeAnswer(cache, 'a look-up', { subject: { layer: 'TEMPLATE', name: 'x' } }));
    // Longer than the first attempt waits.
    setTimeout(() => other.exec('COMMIT'), 350);
    const store = new SqliteStore(folder.file, 1_000_000, folder.log);
    await until(() => keysOf(store).length > 0);
    await store.disconnect();
    other.close();
    await cache.close();
    expect(folder.logged).toEqual([]);
  });

  it('gives nothing that has expired', async () => {
    using folder = new CacheFolder();
    await fill(folder, 1);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + HOUR_MS + 1 });
    const cache = folder.open();
    expect(await findValue(cache, 'key-0')).toBeUndefined();
    await cache.close();
    vi.useRealTimers();
  });

  it.each([
    ['is no database', (file: string) => writeFileSync(file, 'this is none'.repeat(1_000))],
    ['is torn', (file: string) => truncateSync(file, statSync(file).size / 2 - 100)],
    [
      'is of another version',
      (file: string) => {
        const database = new DatabaseSync(file);
        database.exec('PRAGMA user_version = 99');
        database.close();
      },
    ],
  ])('that %s is put aside and made anew', async (_promise, spoil) => {
    using folder = new CacheFolder();
    await fill(folder, 200);
    spoil(folder.file);
    const cache = folder.open();
    for (let number = 0; number < 200; number += 1) await findValue(cache, `key-${number}`);
    cache.keep(makeAnswer(cache, 'new'));
    await cache.close();
    expect(folder.logged.length).toBeGreaterThan(0);
    expect(readdirSync(`${folder.path}/data`)).toContain('cache.sqlite.aside');
    const again = folder.open();
    expect(await findValue(again, 'new')).toBeDefined();
    await again.close();
  });

  it.each(['body', 'label'])('gives no record whose %s is torn', async (column) => {
    using folder = new CacheFolder();
    await fill(folder, 2);
    const database = new DatabaseSync(folder.file);
    database.exec(`UPDATE answers SET ${column} = substr(${column}, 1, length(${column}) - 1) WHERE key = 'key-0'`);
    database.close();
    const cache = folder.open();
    expect(await findValue(cache, 'key-0')).toBeUndefined();
    expect(await findValue(cache, 'key-1')).toMatchObject({ rows: [{ name: 'name-1' }] });
    await cache.close();
  });

  it('that cannot be made is done without, and said so once', async () => {
    using folder = new CacheFolder();
    writeFileSync(`${folder.path}/data`, 'a file in the place of the folder');
    const cache = folder.open();
    for (const key of ['a', 'b']) {
      cache.keep(makeAnswer(cache, key, { subject: { layer: 'CATALOG' } }));
      expect(await findValue(cache, key)).toBeDefined();
    }
    await cache.close();
    expect(folder.logged).toHaveLength(1);
  });

  it('that can grow no more is done without, and said so once', async () => {
    using folder = new CacheFolder();
    // One answer is larger than the whole file may be.
    const cache = folder.open({ maxBytes: 100_000 });
    const names = Array.from({ length: 60_000 }, () => Math.random().toString(36).slice(2, 12));
    for (const key of ['a', 'b']) {
      cache.keep(makeAnswer(cache, key, { names }));
      expect(await findValue(cache, key)).toBeDefined();
    }
    await cache.close();
    expect(folder.logged).toHaveLength(1);
  });

  it('is shared by processes that write at the same time', async () => {
    using folder = new CacheFolder();
    const writers = ['a', 'b', 'c'].map((name) =>
      fork(new URL('./writer.ts', import.meta.url), [folder.file, name], {
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      }),
    );
    const codes = await Promise.all(writers.map(async (writer) => (await once(writer, 'exit'))[0]));
    expect(codes).toEqual([0, 0, 0]);
    const cache = folder.open();
    for (const name of ['a', 'b', 'c']) {
      for (let number = 0; number < 100; number += 1) {
        expect(await findValue(cache, `${name}-${number}`)).toMatchObject({ rows: [{ name: `${name}-${number}` }] });
      }
    }
    await cache.close();
    expect(folder.logged).toEqual([]);
  });
});

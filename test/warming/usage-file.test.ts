import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { NO_CRITERIA } from '../../src/domain/search.ts';
import { Usage } from '../../src/federation/usage.ts';
import { readUsage, writeUsage } from '../../src/warming/usage-file.ts';
import { CacheFolder } from '../cache/answers.ts';
import { requestOf } from '../helpers/walks.ts';

afterEach(() => {
  vi.useRealTimers();
});

function createUsage(): Usage {
  const usage = new Usage();
  const search = {
    registries: ['one'],
    request: requestOf(
      { query: 'rna', filter: { categories: ['ml'] } },
      { direction: 'FORWARD', count: 20, cursor: null },
    ),
  };
  const lookUp = { registries: ['one'], name: 'rna', version: null, registryName: null };
  usage.searches.note('a search', () => search, 3);
  usage.lookUps.note('a look-up', () => lookUp, 2);
  return usage;
}

describe('the file of what is used most', () => {
  it('gives back what was written, and nobody but its owner may read it', async () => {
    using folder = new CacheFolder();
    const path = join(folder.path, 'data', 'usage.json');
    await writeUsage(path, createUsage());
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(folder.path, 'data'))).toEqual(['usage.json']);
    const read = readUsage(path);
    const [search] = read.searches.list(10);
    expect(search?.item.request).toMatchObject({ query: 'rna', filter: { ...NO_CRITERIA, categories: ['ml'] } });
    expect(search?.count).toBeCloseTo(3, 1);
    expect(read.lookUps.list(10)[0]?.item.name).toBe('rna');
  });

  it('lets what was used before a long stop count for less', async () => {
    using folder = new CacheFolder();
    const path = join(folder.path, 'usage.json');
    await writeUsage(path, createUsage());
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 3 * 60 * 60_000 });
    expect(readUsage(path).searches.list(10)[0]?.count).toBeCloseTo(1.5, 1);
    vi.setSystemTime(Date.now() + 24 * 60 * 60_000);
    expect(readUsage(path).searches.list(10)).toEqual([]);
  });

  it.each([
    ['is missing', null],
    ['was cut off', '{"version":1,"writtenAtMs":0,"searches":[{"key":"a'],
    ['is of another version', '{"version":2,"writtenAtMs":0,"searches":[],"lookUps":[]}'],
    [
      'says what no gateway has written',
      '{"version":1,"writtenAtMs":0,"searches":[{"key":"a","count":5,"item":{}}],"lookUps":[]}',
    ],
  ])('that %s is begun anew', (_promise, text) => {
    using folder = new CacheFolder();
    const path = join(folder.path, 'usage.json');
    if (text !== null) writeFileSync(path, text);
    expect(readUsage(path).searches.list(10)).toEqual([]);
  });
});

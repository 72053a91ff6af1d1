import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { FileWatch } from '../../src/live/file-watch.ts';
import { PATIENT } from '../helpers/clock-bound.ts';

const root = mkdtempSync(join(tmpdir(), 'marketplace-watch-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folders = 0;
function makeFolder(): string {
  folders += 1;
  const folder = join(root, String(folders));
  mkdirSync(folder);
  return folder;
}

/** Watches a file, and counts how often it was told of. */
function watchFile(path: string): { told: number; watch: FileWatch } {
  const watched = { told: 0, watch: new FileWatch(() => (watched.told += 1)) };
  watched.watch.watch([path]);
  return watched;
}

/** As a cluster mounts a configuration map: the file is a link through a link that is exchanged. */
function mount(folder: string, version: string, content: string): void {
  mkdirSync(join(folder, version));
  writeFileSync(join(folder, version, 'c.yaml'), content);
  symlinkSync(version, join(folder, '..data_tmp'));
  renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
}

describe('a watched file', () => {
  it.each<[string, (path: string) => void]>([
    ['is written anew', (path) => writeFileSync(path, 'two')],
    ['is written with as many bytes', (path) => writeFileSync(path, 'eno')],
    [
      'is replaced by another of its name',
      (path) => {
        writeFileSync(`${path}.tmp`, 'two');
        renameSync(`${path}.tmp`, path);
      },
    ],
    ['vanishes', (path) => rmSync(path)],
    ['is touched', (path) => utimesSync(path, new Date(), new Date())],
  ])('is told of once when it %s', async (_how, change) => {
    const folder = makeFolder();
    const path = join(folder, 'c.yaml');
    writeFileSync(path, 'one');
    const watched = watchFile(path);
    change(path);
    await expect.poll(() => watched.told, PATIENT).toBe(1);
    watched.watch.close();
    expect(watched.told).toBe(1);
  });

  it('is told of when the folder that its link leads to is exchanged', async () => {
    const folder = makeFolder();
    mount(folder, 'v1', 'one');
    const path = join(folder, 'c.yaml');
    symlinkSync('..data/c.yaml', path);
    const watched = watchFile(path);
    mount(folder, 'v2', 'two');
    await expect.poll(() => watched.told, PATIENT).toBe(1);
    mount(folder, 'v3', 'three');
    await expect.poll(() => watched.told, PATIENT).toBe(2);
    watched.watch.close();
  });

  it('is told of when it comes to be, and when its whole folder is replaced', async () => {
    const folder = makeFolder();
    const inner = join(folder, 'inner');
    const path = join(inner, 'c.yaml');
    const watched = watchFile(path);
    mkdirSync(inner);
    writeFileSync(path, 'one');
    await expect.poll(() => watched.told, PATIENT).toBe(1);
    rmSync(inner, { recursive: true });
    mkdirSync(inner);
    writeFileSync(path, 'two');
    await expect.poll(() => watched.told, PATIENT).toBeGreaterThanOrEqual(2);
    watched.watch.close();
  });

  it('is not told of while it is being written', async () => {
    const folder = makeFolder();
    const path = join(folder, 'c.yaml');
    writeFileSync(path, 'one');
    const watched = watchFile(path);
    let written = 0;
    const toldWhileWriting: number[] = [];
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => {
        written += 1;
        writeFileSync(path, 'x'.repeat(written));
        toldWhileWriting.push(watched.told);
        if (written < 30) return;
        clearInterval(timer);
        resolve();
      }, 20);
    });
    expect(toldWhileWriting.filter((told) => told > 0)).toEqual([]);
    await expect.poll(() => watched.told, PATIENT).toBe(1);
    watched.watch.close();
  });

  it('is not confused with what lies beside it', async () => {
    const folder = makeFolder();
    const [path, other] = [join(folder, 'c.yaml'), join(folder, 'other')];
    writeFileSync(path, 'one');
    const watched = watchFile(path);
    const beside = watchFile(other);
    writeFileSync(other, 'something');
    await expect.poll(() => beside.told, PATIENT).toBe(1);
    expect(watched.told).toBe(0);
    watched.watch.close();
    beside.watch.close();
  });
});

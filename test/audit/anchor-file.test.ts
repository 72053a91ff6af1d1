import { mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { ANCHOR_FILE, readAnchor, writeAnchor } from '../../src/audit/anchor-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'marketplace-anchor-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('what is written down of how far the trail has come', () => {
  it('holds for the same database, also where the folder of both was moved, and for no other', async () => {
    const path = join(folder, ANCHOR_FILE);
    await writeAnchor(path, { sequence: 7, hash: 'f'.repeat(64), database: join(folder, 'marketplace.sqlite') });
    expect(readAnchor(path, join(folder, 'marketplace.sqlite'))?.sequence).toBe(7);
    expect(readAnchor(path, join(folder, 'other.sqlite'))).toBeNull();
    expect(readAnchor(path, 'elsewhere/marketplace.sqlite')).toBeNull();
    expect(readAnchor(path, 'postgres://db.example/marketplace.sqlite')).toBeNull();
    const moved = mkdtempSync(join(folder, 'moved-'));
    renameSync(path, join(moved, ANCHOR_FILE));
    expect(readAnchor(join(moved, ANCHOR_FILE), join(moved, 'marketplace.sqlite'))?.sequence).toBe(7);
  });
});

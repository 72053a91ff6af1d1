import { describe, expect, it } from 'vitest';
import { RecentShare } from '../../src/federation/recent-share.ts';

const noteAll = (share: RecentShare, cases: readonly boolean[]) => {
  for (const each of cases) share.note(each);
  return share.isHigh;
};
const many = (count: number, isSo: boolean) => Array<boolean>(count).fill(isSo);

describe('the share of recent cases', () => {
  it('expects nothing before anything was seen, nor of single cases', () => {
    expect(new RecentShare().isHigh).toBe(false);
    for (let round = 0, share = new RecentShare(); round < 50; round += 1) {
      expect(noteAll(share, [true, ...many(40, false)])).toBe(false);
    }
  });

  it('is high after a few that were so, and for long after that', () => {
    const share = new RecentShare();
    expect(noteAll(share, many(3, true))).toBe(true);
    expect(noteAll(share, many(30, false))).toBe(true);
    expect(noteAll(share, many(60, false))).toBe(false);
  });

  it('stays high where a third is so', () => {
    const share = new RecentShare();
    noteAll(share, many(8, true));
    for (let round = 0; round < 200; round += 1) expect(noteAll(share, [false, false, true])).toBe(true);
  });
});

import { describe, expect, it } from 'vitest';
import { SharedParts } from '../../src/server/shared-parts.ts';

describe('a part that configurations share', () => {
  it('is one for those with equal settings, and is closed by the last that has it', async () => {
    const events: string[] = [];
    const parts = new SharedParts<{ close(): Promise<void> }>();
    const take = (issuer: string) =>
      parts.take({ issuer }, () => {
        events.push(`open ${issuer}`);
        return { close: async () => void events.push(`close ${issuer}`) };
      });
    const first = take('a');
    const second = take('a');
    expect(second.part).toBe(first.part);
    const other = take('b');
    await first.release();
    expect(events).toEqual(['open a', 'open b']);
    await second.release();
    await other.release();
    expect(events).toEqual(['open a', 'open b', 'close a', 'close b']);
    const again = take('a');
    expect(again.part).not.toBe(first.part);
    await again.release();
  });
});

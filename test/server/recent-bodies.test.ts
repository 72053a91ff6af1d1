import { describe, expect, it } from 'vitest';
import { RecentBodies } from '../../src/server/recent-bodies.ts';

const BODY = Buffer.from(JSON.stringify({ query: '{ search(query: "rna-seq") { totalCount } }' }));

describe('bodies that came lately', () => {
  it('are found by their bytes in their room alone', () => {
    const recent = new RecentBodies<string>();
    recent.remember('here', BODY, 'answer');
    expect(recent.find('here', Buffer.from(BODY))).toBe('answer');
    expect(recent.find('there', BODY)).toBeUndefined();
  });

  it('are not mistaken for bodies that differ in one byte, or go on', () => {
    const recent = new RecentBodies<string>();
    recent.remember('here', BODY, 'answer');
    for (let at = 0; at < BODY.length; at += 1) {
      const other = Buffer.from(BODY);
      other[at] = (other[at] ?? 0) ^ 1;
      expect(recent.find('here', other)).toBeUndefined();
    }
    expect(recent.find('here', BODY.subarray(0, -1))).toBeUndefined();
    expect(recent.find('here', Buffer.concat([BODY, BODY]))).toBeUndefined();
    expect(recent.find('here', Buffer.alloc(0))).toBeUndefined();
  });

  it('are remembered as they came, whatever becomes of the buffer', () => {
    const recent = new RecentBodies<string>();
    const buffer = Buffer.from(BODY);
    recent.remember('here', buffer, 'answer');
    buffer.fill(0);
    expect(recent.find('here', BODY)).toBe('answer');
    expect(recent.find('here', buffer)).toBeUndefined();
  });

  it('are forgotten with their answer', () => {
    const recent = new RecentBodies<string>();
    const other = Buffer.from('{"query":"{ gateway { version } }"}');
    recent.remember('here', BODY, 'answer');
    recent.remember('here', other, 'other');
    recent.forget('answer');
    expect(recent.find('here', BODY)).toBeUndefined();
    expect(recent.find('here', other)).toBe('other');
  });

  it('are not remembered where they are large, nor more of them than there are places', () => {
    const recent = new RecentBodies<number>();
    const large = Buffer.alloc(5000, 'a');
    recent.remember('here', large, 0);
    expect(recent.find('here', large)).toBeUndefined();
    const bodies = Array.from({ length: 1000 }, (_, number) => Buffer.from(`{"query":"${number}"}`));
    for (const [number, body] of bodies.entries()) recent.remember('here', body, number);
    const found = bodies.filter((body) => recent.find('here', body) !== undefined);
    expect(found.length).toBeGreaterThan(0);
    expect(found.length).toBeLessThanOrEqual(64);
  });
});

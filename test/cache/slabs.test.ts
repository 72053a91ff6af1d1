import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Slabs, type Slice } from '../../src/cache/slabs.ts';

const MEGABYTE = 1024 * 1024;

describe('slabs', () => {
  it('give back what was stored, whatever was freed, moved and pinned meanwhile', () => {
    const step = fc.record({
      bytes: fc.integer({ min: 0, max: 400_000 }),
      fill: fc.integer({ min: 0, max: 255 }),
      /** Which of the stored are freed, and which are pinned and freed. */
      frees: fc.array(fc.nat(), { maxLength: 3 }),
      pins: fc.array(fc.nat(), { maxLength: 2 }),
      trims: fc.boolean(),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const slabs = new Slabs();
        const stored: { slice: Slice; expected: Buffer }[] = [];
        const pinned: { slice: Slice; view: Buffer; expected: Buffer }[] = [];
        for (const { bytes, fill, frees, pins, trims } of steps) {
          const expected = Buffer.alloc(bytes, fill);
          stored.push({ slice: slabs.store(expected), expected });
          for (const pin of pins) {
            const entry = stored[pin % stored.length];
            if (entry === undefined) continue;
            slabs.pin(entry.slice);
            pinned.push({ ...entry, view: slabs.view(entry.slice) });
          }
          for (const free of frees) {
            const [entry] = stored.splice(free % Math.max(1, stored.length), 1);
            if (entry !== undefined) slabs.free(entry.slice);
          }
          if (trims) slabs.trim();
          for (const { slice, expected } of stored) expect(slabs.view(slice).equals(expected)).toBe(true);
          for (const { view, expected } of pinned) expect(view.equals(expected)).toBe(true);
        }
        for (const { slice } of pinned) slabs.unpin(slice);
        for (const { slice } of stored) slabs.free(slice);
        slabs.trim();
        expect(slabs.liveBytes).toBe(0);
        expect(slabs.heldBytes).toBeLessThanOrEqual(MEGABYTE);
      }),
      { numRuns: 60 },
    );
  });

  it('hold little more than what lives in them, however unevenly it leaves', () => {
    const slabs = new Slabs();
    const slices: Slice[] = [];
    for (let round = 0; round < 5_000; round += 1) {
      slices.push(slabs.store(Buffer.alloc(20_000, round)));
      // All but every eighth leave soon.
      const old = slices[round - 50];
      if (round % 8 !== 0 && old !== undefined) slabs.free(old);
    }
    expect(slabs.heldBytes).toBeLessThan(slabs.liveBytes * 1.25 + 10 * MEGABYTE);
  });

  it('refuse to show what was freed', () => {
    const slabs = new Slabs();
    const slice = slabs.store(Buffer.from('gone'));
    slabs.free(slice);
    expect(() => slabs.view(slice)).toThrow(RangeError);
  });
});

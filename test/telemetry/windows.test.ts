import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Windows } from '../../src/telemetry/windows.ts';

const FINE_MS = 5_000;
const MINUTE_MS = 60_000;

class Count {
  value = 0;
  add(other: Count): void {
    this.value += other.value;
  }
}

const sumOf = (windows: Windows<Count>, windowMs: number) =>
  windows.since(windowMs).reduce((total, { value }) => total + value, 0);

/** What each way to look must tell of what was counted at these times. */
const LOOKS = {
  WINDOWS(windows: Windows<Count>, countedAt: readonly number[], nowMs: number): void {
    for (const [windowMs, partMs] of [
      [MINUTE_MS, FINE_MS],
      [5 * MINUTE_MS, FINE_MS],
      [60 * MINUTE_MS, MINUTE_MS],
    ] as const) {
      // A part is in a window as long as any of it is.
      const sinceMs = Math.floor((nowMs - windowMs) / partMs) * partMs;
      expect(sumOf(windows, windowMs)).toBe(countedAt.filter((atMs) => atMs >= sinceMs).length);
    }
  },
  TOTAL(windows: Windows<Count>, countedAt: readonly number[]): void {
    expect(windows.total().value).toBe(countedAt.length);
  },
  MINUTES(windows: Windows<Count>): void {
    const minutes = windows.listMinutes();
    expect(minutes.reduce((total, { part }) => total + part.value, 0)).toBe(sumOf(windows, 60 * MINUTE_MS));
  },
};

describe('counters over windows', () => {
  it('tell what was counted since, neither less nor more by a part, however time goes on and whoever looks', () => {
    const step = fc.record({
      waitMs: fc.oneof(fc.integer({ min: 0, max: 4_000 }), fc.integer({ min: 0, max: 400_000 })),
      counts: fc.integer({ min: 0, max: 3 }),
      // A look may be what finds that a part is over: each kind has to be the first now and then.
      looks: fc.shuffledSubarray(['WINDOWS', 'TOTAL', 'MINUTES'] as const, { minLength: 0 }),
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: MINUTE_MS }), fc.array(step, { maxLength: 80 }), (offsetMs, steps) => {
        let nowMs = 1_000_000_000 + offsetMs;
        const windows = new Windows(
          () => nowMs,
          () => new Count(),
        );
        const countedAt: number[] = [];
        for (const { waitMs, counts, looks } of steps) {
          nowMs += waitMs;
          for (let count = 0; count < counts; count += 1) {
            windows.current.value += 1;
            countedAt.push(nowMs);
          }
          for (const look of looks) LOOKS[look](windows, countedAt, nowMs);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('go on when the clock is set back, and begin anew when it is set back by hours', () => {
    let nowMs = 1_000_000_000;
    const windows = new Windows(
      () => nowMs,
      () => new Count(),
    );
    windows.current.value += 1;
    nowMs -= 60_000;
    windows.current.value += 1;
    expect(windows.since(MINUTE_MS).reduce((sum, { value }) => sum + value, 0)).toBe(2);
    nowMs -= 7_200_000;
    windows.current.value += 1;
    expect(windows.since(60 * MINUTE_MS).reduce((sum, { value }) => sum + value, 0)).toBe(1);
    expect(windows.total().value).toBe(3);
  });
});

import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Gate } from '../../datasources/http/gate.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Sends a visitor to the gate and tells when it was let in. */
function visit(gate: Gate, entered: number[], background = false, isWanted = () => true): void {
  if (gate.tryEnter(background)) entered.push(performance.now());
  else {
    const admit = (admitted: boolean): void => {
      if (admitted) entered.push(performance.now());
    };
    gate.stand({ isBackground: () => background, isWanted, admit });
  }
}

describe('the gate of a rate limit', () => {
  it('lets everybody in, never faster than the limit, whatever comes when', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ afterMs: fc.integer({ min: 0, max: 120 }), background: fc.boolean() }), { maxLength: 60 }),
        fc.integer({ min: 1, max: 200 }),
        fc.integer({ min: 1, max: 20 }),
        async (visitors, requestsPerSecond, burst) => {
          const gate = new Gate({ requestsPerSecond, burst, concurrent: 1_000, maxQueue: 1_000 });
          const entered: number[] = [];
          for (const { afterMs, background } of visitors) {
            await vi.advanceTimersByTimeAsync(afterMs);
            visit(gate, entered, background);
          }
          await vi.advanceTimersByTimeAsync(((visitors.length + burst) / requestsPerSecond) * 1_000 + 5_000);
          expect(entered).toHaveLength(visitors.length);
          for (const [first, startMs] of entered.entries()) {
            for (let last = first; last < entered.length; last += 1) {
              const spanMs = (entered[last] ?? 0) - startMs;
              expect(last - first + 1).toBeLessThanOrEqual(burst + (spanMs / 1_000) * requestsPerSecond + 1e-6);
            }
          }
        },
      ),
      { numRuns: 60 },
    );
  });

  it('lets in those who wait when the pause is over', async () => {
    for (const pauseMs of [0.4, 1, 999.7, 1_000, 1_000.3, 2_500]) {
      const gate = new Gate(null);
      const entered: number[] = [];
      gate.pauseFor(pauseMs);
      const startedAtMs = performance.now();
      visit(gate, entered);
      visit(gate, entered, true);
      await vi.advanceTimersByTimeAsync(pauseMs + 10);
      expect(entered).toHaveLength(2);
      expect((entered[0] ?? 0) - startedAtMs).toBeGreaterThanOrEqual(pauseMs - 1e-6);
    }
  });

  it('forgets nobody when the pause ends between two looks at the clock', async () => {
    for (let stepMs = 0.05; stepMs < 1.2; stepMs += 0.05) {
      const gate = new Gate(null);
      const entered: number[] = [];
      let nowMs = 0;
      const clock = vi.spyOn(performance, 'now').mockImplementation(() => {
        nowMs += stepMs;
        return nowMs;
      });
      gate.pauseFor(1);
      visit(gate, entered);
      await vi.advanceTimersByTimeAsync(100);
      clock.mockRestore();
      expect(entered).toHaveLength(1);
    }
  });

  it('lets a visitor in when another leaves', async () => {
    const gate = new Gate({ requestsPerSecond: 1_000, burst: 10, concurrent: 1, maxQueue: 10 });
    const entered: number[] = [];
    visit(gate, entered);
    visit(gate, entered);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(entered).toHaveLength(1);
    expect(vi.getTimerCount()).toBe(0);
    gate.leave();
    expect(entered).toHaveLength(2);
  });

  it('spends no token on a visitor whom nobody waits for any more', async () => {
    const gate = new Gate({ requestsPerSecond: 1, burst: 1, concurrent: 10, maxQueue: 10 });
    const entered: number[] = [];
    visit(gate, entered);
    visit(gate, entered, false, () => false);
    visit(gate, entered);
    await vi.advanceTimersByTimeAsync(1_001);
    expect(entered).toHaveLength(2);
  });

  it('sends everybody away when it closes, and leaves no timer', () => {
    const gate = new Gate({ requestsPerSecond: 1, burst: 1, concurrent: 10, maxQueue: 10 });
    const answers: boolean[] = [];
    gate.tryEnter(false);
    gate.stand({ isBackground: () => false, isWanted: () => true, admit: (admitted) => answers.push(admitted) });
    gate.close();
    expect(answers).toEqual([false]);
    expect(vi.getTimerCount()).toBe(0);
  });
});

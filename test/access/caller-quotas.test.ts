import * as fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { CallerQuotas, Quota, type UsageReport } from '../../src/access/caller-quotas.ts';
import { createClientAddressReader } from '../../src/access/client-address.ts';
import { RateLimited } from '../../src/access/errors.ts';
import { SlidingCount } from '../../src/access/sliding-count.ts';

const MINUTE_MS = 60_000;
/** The begin of some minute of the clock. */
const T0 = 1_700_000_040_000 - (1_700_000_040_000 % MINUTE_MS);

describe('a count over the last minute', () => {
  it('lets through as many as its limit at once, and then says how long to wait for the next', () => {
    const count = new SlidingCount(10);
    for (let index = 0; index < 10; index += 1) expect(count.tryAdd(1, T0)).toBe(0);
    expect(count.remaining(T0)).toBe(0);
    const waitMs = count.tryAdd(1, T0);
    expect(waitMs).toBeGreaterThan(MINUTE_MS);
    expect(count.tryAdd(1, T0 + waitMs)).toBe(0);
  });

  it('forgets evenly what was counted in the minute before', () => {
    const count = new SlidingCount(100);
    count.add(100, T0);
    expect(count.resetAtMs(T0)).toBe(T0 + 2 * MINUTE_MS);
    expect(count.remaining(T0 + MINUTE_MS)).toBe(0);
    expect(count.remaining(T0 + 1.5 * MINUTE_MS)).toBe(50);
    expect(count.remaining(T0 + 2 * MINUTE_MS)).toBe(100);
  });

  it('lets through at the very time that it has told', () => {
    for (let limit = 1; limit <= 60; limit += 1) {
      for (let amount = 1; amount <= limit; amount += 1) {
        const count = new SlidingCount(limit);
        count.add(limit, T0);
        const waitMs = count.tryAdd(amount, T0);
        expect(count.tryAdd(amount, T0 + waitMs - 1)).toBe(1);
        expect(count.tryAdd(amount, T0 + waitMs)).toBe(0);
      }
    }
  });

  it('keeps its limit in every minute of an even stream, and what it says of the wait is true', async () => {
    const steps = fc.array(fc.record({ passMs: fc.nat(20_000), amount: fc.integer({ min: 1, max: 7 }) }), {
      maxLength: 200,
    });
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 7, max: 50 }), steps, async (limit, asked) => {
        const count = new SlidingCount(limit);
        let nowMs = T0;
        const minutes = new Map<number, number>();
        for (const { passMs, amount } of asked) {
          nowMs += passMs;
          const waitMs = count.tryAdd(amount, nowMs);
          const minute = Math.floor(nowMs / MINUTE_MS);
          if (waitMs === 0) minutes.set(minute, (minutes.get(minute) ?? 0) + amount);
          else {
            expect(waitMs).toBeGreaterThan(0);
            expect(waitMs).toBeLessThanOrEqual(2 * MINUTE_MS);
            nowMs += waitMs;
            expect(count.tryAdd(amount, nowMs)).toBe(0);
            const later = Math.floor(nowMs / MINUTE_MS);
            minutes.set(later, (minutes.get(later) ?? 0) + amount);
          }
          expect(count.remaining(nowMs)).toBeGreaterThanOrEqual(0);
        }
        for (const counted of minutes.values()) expect(counted).toBeLessThanOrEqual(limit);
      }),
    );
  });

  it('goes on where the clock is set back', () => {
    const count = new SlidingCount(2);
    count.add(2, T0);
    const setBackMs = T0 - 60 * MINUTE_MS;
    const waitMs = count.tryAdd(1, setBackMs);
    expect(waitMs).toBeGreaterThan(0);
    expect(waitMs).toBeLessThanOrEqual(2 * MINUTE_MS);
    expect(count.tryAdd(1, setBackMs + waitMs)).toBe(0);
  });
});

describe('the quota of a caller', () => {
  it('bounds requests, cost and operations at one time, each by itself', () => {
    const quota = new Quota({ requestsPerMinute: 2, costPerMinute: 100, concurrent: 1 });
    quota.takeRequest(T0);
    quota.takeRequest(T0);
    expect(() => quota.takeRequest(T0)).toThrow(RateLimited);
    quota.chargeCost(60, T0);
    expect(() => quota.chargeCost(41, T0)).toThrow(RateLimited);
    quota.chargeCost(40, T0);
    expect(quota.readCost(T0)).toEqual({ remaining: 0, resetAtMs: T0 + 2 * MINUTE_MS });
    quota.enter();
    expect(() => quota.enter()).toThrow(RateLimited);
    quota.leave();
    quota.enter();
  });

  it('is the same one for a caller that goes on asking, and is let go of when it does not', () => {
    const quotas = new CallerQuotas({ requestsPerMinute: 1, costPerMinute: null, concurrent: null });
    const first = quotas.of('ada', T0);
    expect(quotas.of('ada', T0 + 130_000)).toBe(first);
    expect(quotas.of('ada', T0 + 260_000)).toBe(first);
    for (let index = 0; index < 120_000; index += 1) quotas.of(`other-${index}`, T0 + 260_000);
    expect(quotas.of('ada', T0 + 260_000)).not.toBe(first);
  });
});

describe('the quotas of several processes', () => {
  /** Processes that hear each other at once. */
  function connect(count: number, limits: ConstructorParameters<typeof CallerQuotas>[0]): readonly CallerQuotas[] {
    const processes: CallerQuotas[] = [];
    for (let index = 0; index < count; index += 1) {
      const publish = (reports: readonly UsageReport[]) => {
        for (const other of processes) if (other !== processes[index]) other.hear(reports, T0);
      };
      processes.push(new CallerQuotas(limits, { publish, subscribe: () => () => undefined }));
    }
    return processes;
  }

  it('count what a caller has used of all of them, once each has told', () => {
    const [one, two, three] = connect(3, { requestsPerMinute: 10, costPerMinute: 100, concurrent: null });
    for (let index = 0; index < 4; index += 1) one?.of('ada', T0).takeRequest(T0);
    one?.of('ada', T0).chargeCost(70, T0);
    for (let index = 0; index < 5; index += 1) two?.of('ada', T0).takeRequest(T0);
    for (const each of [one, two, three, one, two, three]) each?.tell();
    three?.of('ada', T0).takeRequest(T0);
    expect(() => three?.of('ada', T0).takeRequest(T0)).toThrow(RateLimited);
    expect(() => two?.of('ada', T0).chargeCost(31, T0)).toThrow(RateLimited);
    two?.of('ada', T0).chargeCost(30, T0);
    three?.of('bob', T0).takeRequest(T0);
  });

  it('tell by themselves, a little later, and nothing while nothing is used', () => {
    vi.useFakeTimers();
    try {
      const [one, two] = connect(2, { requestsPerMinute: 2, costPerMinute: null, concurrent: null });
      one?.of('ada', T0).takeRequest(T0);
      one?.of('ada', T0).takeRequest(T0);
      vi.advanceTimersByTime(1000);
      expect(() => two?.of('ada', T0).takeRequest(T0)).toThrow(RateLimited);
      expect(vi.getTimerCount()).toBe(0);
    } finally {
      vi.useRealTimers();
    }
  });
});

describe('the address that anonymous requests are counted by', () => {
  const direct = createClientAddressReader([]);
  const behind = createClientAddressReader(['10.0.0.0/8', '::1', 'fd00::/8']);

  it.each([
    ['203.0.113.7', '203.0.113.7'],
    ['::ffff:203.0.113.7', '203.0.113.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:DB8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::1', '2001:db8:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('of %s is %s', (peer, expected) => {
    expect(direct(peer, '198.51.100.1')).toBe(expected);
  });

  it.each([
    ['10.0.0.1', '198.51.100.1', '198.51.100.1'],
    ['10.0.0.1', '1.1.1.1, 198.51.100.1', '198.51.100.1'],
    ['10.0.0.1', '198.51.100.1, 10.2.3.4', '198.51.100.1'],
    ['::1', '198.51.100.1:4711', '198.51.100.1'],
    ['fd00::5', '[2001:db8::1]:443', '2001:db8:0:0::/64'],
    ['203.0.113.7', '198.51.100.1', '203.0.113.7'],
    ['10.0.0.1', 'unknown', '10.0.0.1'],
    ['10.0.0.1', '', '10.0.0.1'],
    ['10.0.0.1', `${'10.0.0.2, '.repeat(5000)}10.0.0.3`, '10.0.0.2'],
  ])('behind trusted proxies (%s, "%s") is the last that none of them vouches for', (peer, forwarded, expected) => {
    expect(behind(peer, forwarded)).toBe(expected);
  });
});

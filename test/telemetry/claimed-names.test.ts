import { expect, it } from 'vitest';
import { ClaimedNames } from '../../src/telemetry/claimed-names.ts';

it('a claimed name is told once an hour, and what is remembered has a bound', () => {
  let nowMs = 0;
  const names = new ClaimedNames(() => nowMs);
  expect([names.note('a'), names.note('a'), names.note('b')]).toEqual([true, false, true]);
  nowMs += 3_599_999;
  expect(names.note('a')).toBe(false);
  nowMs += 1;
  expect([names.note('a'), names.note('a')]).toEqual([true, false]);
  for (let index = 0; index < 1_000; index += 1) names.note(`name-${index}`);
  expect(names.note('a')).toBe(true);
});

import { describe, expect, it } from 'vitest';
import { Exposition } from '../../src/telemetry/exposition.ts';
import { LatencyHistogram } from '../../src/telemetry/latency-histogram.ts';
import { readExposition } from './exposition-text.ts';

describe('the text for Prometheus', () => {
  it('keeps whatever stands in a label', () => {
    const names = ['plain', 'a "quoted" one', 'back\\slash', 'two\nlines', 'ends with \\', '{a="b"} 1', 'ünïcode 🙂'];
    const page = new Exposition();
    page.gauge(
      'things',
      'Back\\slash and\ntwo lines.',
      names.map((name, index) => [{ name, other: 'x' }, index]),
    );
    const [family] = readExposition(page.toString()).values();
    expect(family?.samples.map(({ labels }) => labels.name)).toEqual(names);
    expect(family?.help).toBe('Back\\\\slash and\\ntwo lines.');
  });

  it('writes every number so that it is read back', () => {
    const numbers = [0, -1, 0.1, 1e-9, 1e21, 2 ** 53, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
    const page = new Exposition();
    page.gauge(
      'numbers',
      'Some.',
      numbers.map((number, index) => [{ index: String(index) }, number]),
    );
    const [family] = readExposition(page.toString()).values();
    expect(family?.samples.map(({ value }) => value)).toEqual(numbers);
  });

  it('counts in buckets exactly what was recorded, on the bounds too', () => {
    const histogram = new LatencyHistogram();
    const durations = [0, 0.25, 0.26, 1, 1.0001, 2.5, 99, 100, 100.1, 5_000, 10_000, 10_001, 1e9];
    for (const duration of durations) histogram.record(duration);
    const page = new Exposition();
    page.histogram('took_seconds', 'How long.', [[{}, histogram]]);
    const samples = readExposition(page.toString()).get('took_seconds')?.samples ?? [];
    const buckets = samples.filter(({ name }) => name === 'took_seconds_bucket');
    expect(buckets.length).toBe(16);
    for (const { labels, value } of buckets) {
      const boundMs = Number(labels.le?.replace('+Inf', 'Infinity')) * 1000;
      expect(value).toBe(durations.filter((duration) => duration <= boundMs).length);
    }
    const sum = samples.find(({ name }) => name === 'took_seconds_sum')?.value ?? 0;
    expect(sum).toBeCloseTo(durations.reduce((total, duration) => total + duration, 0) / 1000, 6);
  });

  it('leaves out a family without samples', () => {
    const page = new Exposition();
    page.counter('nothing_total', 'Nothing.', []);
    expect(page.toString().trim()).toBe('');
  });
});

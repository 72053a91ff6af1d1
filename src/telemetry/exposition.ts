/**
 * Prometheus' text format, version 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format). Written by hand, since the numbers are
 * kept already, in a form that also gives windows and percentiles: a client library would keep them a second time.
 */
import { findBound, type LatencyHistogram } from './latency-histogram.ts';

export const EXPOSITION_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

type Labels = Readonly<Record<string, string>>;
type Sample = readonly [labels: Labels, value: number];

/** Upper bounds in milliseconds; each is a bound of the histograms' own, so that the counts are exact. */
const BUCKET_BOUNDS_MS = [0.25, 0.5, 1, 2.5, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];
const BUCKETS = BUCKET_BOUNDS_MS.map(findBound);
const BUCKET_LABELS = BUCKET_BOUNDS_MS.map((boundMs) => String(boundMs / 1000));

/** Collects families of metrics and writes them down. Each family is given once; one without samples is left out. */
export class Exposition {
  readonly #lines: string[] = [];

  /** `name` ends with "_total": that is how counters are told apart. */
  counter(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, help, 'counter', samples);
  }

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    this.#family(name, help, 'gauge', samples);
  }

  /** One of all `states` is 1, the others are 0: a state as Prometheus can add it up. */
  state(
    name: string,
    help: string,
    label: string,
    states: readonly string[],
    samples: readonly (readonly [Labels, string])[],
  ): void {
    const all = samples.flatMap(([labels, current]) =>
      states.map((state): Sample => [{ ...labels, [label]: state }, state === current ? 1 : 0]),
    );
    this.#family(name, help, 'gauge', all);
  }

  /** In seconds, as `name` must say. */
  histogram(name: string, help: string, samples: readonly (readonly [Labels, LatencyHistogram])[]): void {
    if (samples.length === 0) return;
    this.#describe(name, help, 'histogram');
    for (const [labels, histogram] of samples) {
      const written = formatLabels(labels);
      const before = written === '' ? `${name}_bucket{le="` : `${name}_bucket{${written},le="`;
      histogram.countUpTo(BUCKETS).forEach((count, index) => {
        this.#lines.push(`${before}${BUCKET_LABELS[index]}"} ${count}`);
      });
      this.#lines.push(`${before}+Inf"} ${histogram.total}`);
      this.#sample(`${name}_sum`, written, histogram.sumMs / 1000);
      this.#sample(`${name}_count`, written, histogram.total);
    }
  }

  toString(): string {
    return `${this.#lines.join('\n')}\n`;
  }

  #family(name: string, help: string, type: 'counter' | 'gauge', samples: readonly Sample[]): void {
    if (samples.length === 0) return;
    this.#describe(name, help, type);
    for (const [labels, value] of samples) this.#sample(name, formatLabels(labels), value);
  }

  #describe(name: string, help: string, type: 'counter' | 'gauge' | 'histogram'): void {
    this.#lines.push(`# HELP ${name} ${help.replace(/\\/g, '\\\\').replace(/\n/g, '\\n')}`, `# TYPE ${name} ${type}`);
  }

  #sample(name: string, labels: string, value: number): void {
    this.#lines.push(`${name}${labels === '' ? '' : `{${labels}}`} ${formatNumber(value)}`);
  }
}

/** What stands between the braces. */
function formatLabels(labels: Labels): string {
  let written = '';
  for (const label in labels) {
    if (written !== '') written += ',';
    written += `${label}="${escapeLabel(labels[label] ?? '')}"`;
  }
  return written;
}

function escapeLabel(text: string): string {
  if (!/[\\"\n]/.test(text)) return text;
  return text.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
}

/** As Go's ParseFloat reads it. */
function formatNumber(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return '+Inf';
  return value === Number.NEGATIVE_INFINITY ? '-Inf' : String(value);
}

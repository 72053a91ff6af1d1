/** A strict reader of Prometheus' text format, version 0.0.4: it throws where a scrape would fail, or would mean something else. */

interface ReadSample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface ReadFamily {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly samples: readonly ReadSample[];
}

const SAMPLE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/;
const LABEL = /([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"(?:,(?=[a-zA-Z_])|$)/y;
const NUMBER = /^(?:[+-]?(?:\d+(?:\.\d+)?(?:e[+-]?\d+)?|Inf)|NaN)$/;

/** The families by name. */
export function readExposition(text: string): ReadonlyMap<string, ReadFamily> {
  if (!text.endsWith('\n')) throw new Error('the last line must end with a line feed');
  const families = new Map<string, { name: string; help: string; type: string; samples: ReadSample[] }>();
  const series = new Set<string>();
  let family: { name: string; help: string; type: string; samples: ReadSample[] } | null = null;
  for (const line of text.slice(0, -1).split('\n')) {
    const [, keyword, name = '', rest = ''] = /^# (HELP|TYPE) (\S+) (.+)$/.exec(line) ?? [];
    if (keyword === 'HELP') {
      if (families.has(name)) throw new Error(`${name} must stand together, and have one HELP`);
      family = { name, help: rest, type: '', samples: [] };
      families.set(name, family);
    } else if (keyword === 'TYPE') {
      if (family?.name !== name || family.type !== '') throw new Error(`the TYPE of ${name} must follow its HELP`);
      if (!['counter', 'gauge', 'histogram'].includes(rest)) throw new Error(`${name} must have a type, not ${rest}`);
      family.type = rest;
    } else {
      const sample = readSample(line);
      if (family === null || !isOf(sample, family)) throw new Error(`this sample is of no family: ${line}`);
      const key = JSON.stringify([sample.name, Object.entries(sample.labels).sort()]);
      if (series.has(key)) throw new Error(`this series is there twice: ${line}`);
      series.add(key);
      family.samples.push(sample);
    }
  }
  for (const each of families.values()) checkFamily(each);
  return families;
}

function readSample(line: string): ReadSample {
  const [, name, pairs = '', value = ''] = SAMPLE.exec(line) ?? [];
  if (name === undefined || !NUMBER.test(value)) throw new Error(`this is no sample: ${line}`);
  const labels: Record<string, string> = {};
  LABEL.lastIndex = 0;
  while (LABEL.lastIndex < pairs.length) {
    const [, label, text = ''] = LABEL.exec(pairs) ?? [];
    if (label === undefined || label in labels) throw new Error(`these labels are wrong: ${line}`);
    labels[label] = text.replace(/\\(.)/g, (_, character: string) => (character === 'n' ? '\n' : character));
  }
  return { name, labels, value: Number(value.replace('Inf', 'Infinity')) };
}

function isOf({ name }: ReadSample, family: ReadFamily): boolean {
  if (family.type !== 'histogram') return name === family.name;
  return ['_bucket', '_sum', '_count'].some((suffix) => name === family.name + suffix);
}

function checkFamily({ name, type, help, samples }: ReadFamily): void {
  if (samples.length === 0 || help === '' || type === '') throw new Error(`${name} must have help, type and samples`);
  if ((type === 'counter') !== name.endsWith('_total'))
    throw new Error(`a counter, and it alone, ends with _total: ${name}`);
  if (type !== 'gauge' && samples.some(({ value }) => !(value >= 0))) throw new Error(`${name} must not be negative`);
  if (type === 'histogram') checkHistogram(name, samples);
}

/** Buckets grow, and the last one counts all. */
function checkHistogram(name: string, samples: readonly ReadSample[]): void {
  const keyOf = ({ labels }: ReadSample) => JSON.stringify(Object.entries(labels).filter(([label]) => label !== 'le'));
  for (const [key, own] of Map.groupBy(samples, keyOf)) {
    const buckets = own.filter((sample) => sample.name === `${name}_bucket`);
    const bounds = buckets.map(({ labels }) => Number(labels.le?.replace('+Inf', 'Infinity')));
    const isSorted = (numbers: readonly number[]) =>
      numbers.every((each, index) => index === 0 || each >= (numbers[index - 1] ?? 0));
    const count = own.find((sample) => sample.name === `${name}_count`)?.value;
    if (!isSorted(bounds) || new Set(bounds).size !== bounds.length || !isSorted(buckets.map(({ value }) => value))) {
      throw new Error(`the buckets of ${name}${key} must grow`);
    }
    if (bounds.at(-1) !== Number.POSITIVE_INFINITY || buckets.at(-1)?.value !== count) {
      throw new Error(`the last bucket of ${name}${key} must count all`);
    }
    if (!own.some((sample) => sample.name === `${name}_sum`)) throw new Error(`${name}${key} must have a sum`);
  }
}

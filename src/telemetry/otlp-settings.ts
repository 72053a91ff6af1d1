/** What OpenTelemetry's SDK specification gives variables for, and its JavaScript SDK does not read by itself. */
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  type BatchSpanProcessorOptions,
  ParentBasedSampler,
  type Sampler,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace';

type Environment = Readonly<Record<string, string | undefined>>;

/** OTEL_TRACES_SAMPLER and OTEL_TRACES_SAMPLER_ARG. Throws an Error that names the variable. */
export function readSampler(environment: Environment): Sampler {
  const name = environment.OTEL_TRACES_SAMPLER || 'parentbased_always_on';
  const ratio = () => new TraceIdRatioBasedSampler(readRatio(environment.OTEL_TRACES_SAMPLER_ARG));
  switch (name) {
    case 'always_on':
      return new AlwaysOnSampler();
    case 'always_off':
      return new AlwaysOffSampler();
    case 'traceidratio':
      return ratio();
    case 'parentbased_always_on':
      return new ParentBasedSampler({ root: new AlwaysOnSampler() });
    case 'parentbased_always_off':
      return new ParentBasedSampler({ root: new AlwaysOffSampler() });
    case 'parentbased_traceidratio':
      return new ParentBasedSampler({ root: ratio() });
    default:
      throw new Error(
        `OTEL_TRACES_SAMPLER must be always_on, always_off, traceidratio, or one of them after "parentbased_"; it is "${name.slice(0, 40)}".`,
      );
  }
}

function readRatio(text = ''): number {
  const ratio = text === '' ? 1 : Number(text);
  if (ratio >= 0 && ratio <= 1) return ratio;
  throw new Error(`OTEL_TRACES_SAMPLER_ARG must be a number from 0 to 1; it is "${text.slice(0, 40)}".`);
}

/** OTEL_BSP_*: how spans are collected before they are sent. Throws an Error that names the variable. */
export function readBatching(environment: Environment): Omit<BatchSpanProcessorOptions, 'exporter'> {
  const read = (name: string, orElse: number): number => {
    const text = environment[name] ?? '';
    if (text === '') return orElse;
    if (/^\d{1,9}$/.test(text) && Number(text) > 0) return Number(text);
    throw new Error(`${name} must be a whole number above 0; it is "${text.slice(0, 40)}".`);
  };
  const maxQueueSize = read('OTEL_BSP_MAX_QUEUE_SIZE', 2048);
  return {
    maxQueueSize,
    maxExportBatchSize: Math.min(read('OTEL_BSP_MAX_EXPORT_BATCH_SIZE', 512), maxQueueSize),
    scheduledDelayMillis: read('OTEL_BSP_SCHEDULE_DELAY', 5000),
    exportTimeoutMillis: read('OTEL_BSP_EXPORT_TIMEOUT', 30_000),
  };
}

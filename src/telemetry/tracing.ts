/**
 * Traces, where the environment says to whom they go (OpenTelemetry's general and OTLP variables). Without them nothing of
 * OpenTelemetry is loaded, and nothing is asked for each request but whether there is a tracing.
 */
import type { Tracing } from './request-trace.ts';

type Environment = Readonly<Record<string, string | undefined>>;

interface TracingOptions {
  readonly environment: Environment;
  readonly version: string;
  /** Told that traces are lost, at most once a minute. */
  readonly warn: (message: string) => void;
}

/**
 * Opens the exporter that the environment names; null where it names none. `OTEL_SDK_DISABLED`, `OTEL_TRACES_EXPORTER`,
 * `OTEL_EXPORTER_OTLP_*`, `OTEL_TRACES_SAMPLER`, `OTEL_BSP_*`, `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` mean what
 * OpenTelemetry's specification says (Environment Variable Specification). Throws an Error that names a variable whose value
 * has no meaning.
 */
export async function openTracing(options: TracingOptions): Promise<Tracing | null> {
  if (!isWanted(options.environment)) return null;
  const { openExporter } = await import('./otlp-tracing.ts');
  return openExporter(options);
}

function isWanted(environment: Environment): boolean {
  if (environment.OTEL_SDK_DISABLED?.toLowerCase() === 'true') return false;
  const exporter = environment.OTEL_TRACES_EXPORTER ?? '';
  if (exporter === 'none') return false;
  if (exporter !== '' && exporter !== 'otlp') {
    throw new Error(`OTEL_TRACES_EXPORTER must be otlp or none; it is "${exporter.slice(0, 40)}".`);
  }
  const protocol =
    environment.OTEL_EXPORTER_OTLP_TRACES_PROTOCOL || environment.OTEL_EXPORTER_OTLP_PROTOCOL || 'http/json';
  const isNamed = Boolean(environment.OTEL_EXPORTER_OTLP_TRACES_ENDPOINT || environment.OTEL_EXPORTER_OTLP_ENDPOINT);
  if ((isNamed || exporter === 'otlp') && protocol !== 'http/json') {
    throw new Error(`OTEL_EXPORTER_OTLP_PROTOCOL must be http/json; it is "${protocol.slice(0, 40)}".`);
  }
  return isNamed || exporter === 'otlp';
}

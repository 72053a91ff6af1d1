/**
 * Traces by OpenTelemetry, exported by OTLP over HTTP. Names of spans and attributes follow its semantic conventions (HTTP;
 * GraphQL server). What could hold a secret is in none: no query text, no variables, no headers, no address with its query.
 */
import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import { setTimeout as waitMs } from 'node:timers/promises';
import {
  type Context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { CallSpan } from '../domain/trace.ts';
import { readBatching, readSampler } from './otlp-settings.ts';
import { type RequestScope, readScope, runInScope } from './request-scope.ts';
import type { RequestTrace, Tracing } from './request-trace.ts';

/** A collector that does not answer holds up no stop. */
const CLOSE_MS = 2000;
/** How often the log is told that traces are lost. */
const WARN_EVERY_MS = 60_000;

const PROPAGATOR = new W3CTraceContextPropagator();
const HEADERS: TextMapGetter<IncomingHttpHeaders> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, name) => headers[name],
};
/** What a trace may name of a path: the rest could be anything that a client thought of. */
const KNOWN_PATH = /^\/(?:graphql(?:\/stream)?|readyz|healthz|metrics)?$/;

interface ExporterOptions {
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  readonly warn: (message: string) => void;
}

/** Opens the exporter; where it sends to it reads off the process's environment. */
export function openExporter({ environment, version, warn }: ExporterOptions): Tracing {
  tellLosses(warn);
  const provider = new TracerProvider({
    resource: resourceFromAttributes({ 'service.name': 'marketplace-gateway', 'service.version': version }).merge(
      detectResources({ detectors: [envDetector] }),
    ),
    sampler: readSampler(environment),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter(), ...readBatching(environment) })],
  });
  const tracer = provider.getTracer('marketplace-gateway', version);
  return {
    startRequest: (request, response) => startRequest(tracer, request, response),
    startStream: (operation, parent, headers) => startStream(tracer, operation, parent, headers),
    calls: { startCall: (registryName, operation) => startCall(tracer, registryName, operation) },
    close: () =>
      Promise.race([provider.shutdown().catch(() => undefined), waitMs(CLOSE_MS, undefined, { ref: false })]),
  };
}

/** An exporter's error may quote an address with credentials: that there is one is all that is told. */
function tellLosses(warn: (message: string) => void): void {
  let lastMs = Number.NEGATIVE_INFINITY;
  setGlobalErrorHandler(() => {
    const nowMs = performance.now();
    if (nowMs - lastMs < WARN_EVERY_MS) return;
    lastMs = nowMs;
    warn('traces could not be exported: look at OTEL_EXPORTER_OTLP_ENDPOINT and at the collector');
  });
}

function startRequest(
  tracer: Tracer,
  { method, path, headers }: Parameters<Tracing['startRequest']>[0],
  response: ServerResponse,
): RequestTrace {
  const route = toRoute(path);
  const span = tracer.startSpan(
    `${method} ${route}`,
    { kind: SpanKind.SERVER, attributes: { 'http.request.method': method, 'http.route': route } },
    PROPAGATOR.extract(ROOT_CONTEXT, headers, HEADERS),
  );
  const scope = trace.setSpan(ROOT_CONTEXT, span);
  response.once('close', () => endRequest(span, response));
  return { scope, runOperation: (operation, run) => runOperation(tracer, scope, operation, run) };
}

function toRoute(path: string): string {
  if (KNOWN_PATH.test(path)) return path;
  if (path.startsWith('/content/')) return '/content/{registry}/{name}/{version}';
  return path.startsWith('/webhooks/') ? '/webhooks/{registry}' : '/{path}';
}

function endRequest(span: Span, { statusCode, writableFinished }: ServerResponse): void {
  span.setAttribute('http.response.status_code', statusCode);
  if (!writableFinished) span.setAttribute('error.type', 'client_left');
  else if (statusCode >= 500) span.setAttribute('error.type', String(statusCode));
  if (statusCode >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

async function runOperation<T>(
  tracer: Tracer,
  parent: Context,
  { type, name, requestId, actor }: Parameters<RequestTrace['runOperation']>[0],
  run: (scope: RequestScope) => Promise<T>,
): Promise<T> {
  const attributes = describeOperation({ type, name, requestId });
  const span = tracer.startSpan(type, { kind: SpanKind.INTERNAL, attributes }, parent);
  const scope = { requestId, operationName: name, actor, trace: trace.setSpan(parent, span) };
  try {
    return await runInScope(scope, () => run(scope));
  } catch (error) {
    // What it says may repeat what the client sent.
    span.setStatus({ code: SpanStatusCode.ERROR });
    throw error;
  } finally {
    span.end();
  }
}

function describeOperation({ type, name, requestId }: Parameters<Tracing['startStream']>[0]) {
  return {
    'graphql.operation.type': type,
    ...(name !== null && { 'graphql.operation.name': name }),
    'marketplace.request_id': requestId,
  };
}

/** Over a socket it is what a client asks for, as a request is elsewhere. */
function startStream(
  tracer: Tracer,
  operation: Parameters<Tracing['startStream']>[0],
  parent: Context | null,
  headers: IncomingHttpHeaders,
): ReturnType<Tracing['startStream']> {
  const kind = parent === null ? SpanKind.SERVER : SpanKind.INTERNAL;
  const above = parent ?? PROPAGATOR.extract(ROOT_CONTEXT, headers, HEADERS);
  const span = tracer.startSpan(operation.type, { kind, attributes: describeOperation(operation) }, above);
  return { scope: trace.setSpan(above, span), end: () => span.end() };
}

/** What nobody asked for (warming, lists of names) makes no traces of its own. */
function startCall(tracer: Tracer, registryName: string, operation: string): CallSpan | null {
  const parent = readScope()?.trace;
  if (!parent) return null;
  const method = operation === 'PUBLISH' ? 'POST' : 'GET';
  const attributes = {
    'http.request.method': method,
    'marketplace.registry': registryName,
    'marketplace.registry.operation': operation,
  };
  const span = tracer.startSpan(
    `${method} ${registryName} ${operation}`,
    { kind: SpanKind.CLIENT, attributes },
    parent,
  );
  const headers: Record<string, string> = {};
  PROPAGATOR.inject(trace.setSpan(parent, span), headers, {
    set: (carrier, name, value) => {
      carrier[name] = value;
    },
  });
  return {
    headers,
    end(statusCode, failure) {
      if (statusCode !== null) span.setAttribute('http.response.status_code', statusCode);
      if (failure !== null) {
        span.setAttribute('error.type', failure);
        span.setStatus({ code: SpanStatusCode.ERROR });
      }
      span.end();
    },
  };
}

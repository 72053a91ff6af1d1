import { RegistryFailure } from '../../src/domain/errors.ts';
import type { CallTracer } from '../../src/domain/trace.ts';
import type { Layer } from './layer.ts';

/** Shows each attempt in the trace of the request that makes it, and tells the registry of that trace. */
export function createTraceLayer(registryName: string, tracer: CallTracer): Layer {
  return (next) => (request) => {
    const span = tracer.startCall(registryName, request.operation);
    if (span === null) return next(request);
    return next({ ...request, traceHeaders: span.headers }).then(
      (response) => {
        span.end(STATUS_CODES[response.outcome], null);
        return response;
      },
      (error: unknown) => {
        const failure = error instanceof RegistryFailure ? error : null;
        span.end(failure?.statusCode ?? null, failure?.type ?? 'INTERNAL');
        throw error;
      },
    );
  };
}

const STATUS_CODES = { PRESENT: 200, ABSENT: 404, UNCHANGED: 304, EXISTS: 409 } as const;

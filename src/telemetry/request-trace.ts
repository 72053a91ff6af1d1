import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
import type { Context } from '@opentelemetry/api';
import type { CallTracer } from '../domain/trace.ts';
import type { RequestScope } from './request-scope.ts';

/** One request of a client, as a trace shows it. It ends by itself, with the answer. */
export interface RequestTrace {
  /**
   * Runs one GraphQL operation of the request in a scope of its own: `type` is query, mutation or subscription, `name` as
   * the client gave it.
   */
  runOperation<T>(
    operation: {
      readonly type: string;
      readonly name: string | null;
      readonly requestId: string;
      /** As of `RequestScope`. */
      readonly actor: string;
    },
    run: (scope: RequestScope) => Promise<T>,
  ): Promise<T>;
  /** Where calls hang that no operation makes. */
  readonly scope: RequestScope['trace'];
}

/** An operation whose results are streamed, which lasts as long as somebody reads. */
interface StreamTrace {
  /** Where its calls hang. */
  readonly scope: Context;
  /** Once. */
  end(): void;
}

export interface Tracing {
  /** Begins the trace of a request, or goes on with the one that its headers name. `path` without its query. */
  startRequest(
    request: { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders },
    response: ServerResponse,
  ): RequestTrace;
  /**
   * Begins the trace of a streamed operation: within that of the request that it came with (`parent`), or, where that was the
   * opening of its socket (null), as a part of the trace that the opening's headers name.
   */
  startStream(
    operation: { readonly type: string; readonly name: string | null; readonly requestId: string },
    parent: RequestScope['trace'],
    headers: IncomingHttpHeaders,
  ): StreamTrace;
  readonly calls: CallTracer;
  /** Sends what is there, and takes nothing more. Takes two seconds at most; never rejects. */
  close(): Promise<void>;
}

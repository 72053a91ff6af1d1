import type { IncomingHttpHeaders, ServerResponse } from 'node:http';
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

export interface Tracing {
  /** Begins the trace of a request, or goes on with the one that its headers name. `path` without its query. */
  startRequest(
    request: { readonly method: string; readonly path: string; readonly headers: IncomingHttpHeaders },
    response: ServerResponse,
  ): RequestTrace;
  readonly calls: CallTracer;
  /** Sends what is there, and takes nothing more. Takes two seconds at most; never rejects. */
  close(): Promise<void>;
}

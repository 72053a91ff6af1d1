/** Where clients are told of things as they happen: server-sent events and WebSockets, with what both share. */
import type { IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import type { Authenticate, Credentials } from '../access/authenticate.ts';
import type { DocumentFacts } from '../access/document-limits.ts';
import type { Config } from '../config/config.ts';
import type { Tracing } from '../telemetry/request-trace.ts';
import type { GraphqlExchange } from './graphql-endpoint.ts';
import type { CreateLiveContext, LiveAccess } from './live-context.ts';
import { LIVE_TIMES, type LiveTimes } from './live-times.ts';
import { OpenOperations } from './open-operations.ts';
import type { CountOperation } from './operation-errors.ts';
import { readTarget } from './routes.ts';
import { createSocketEndpoint } from './socket-endpoint.ts';
import { type EndReason, REPLACED, STOPPING } from './stream-ended.ts';
import { createStreamEndpoint } from './stream-endpoint.ts';
import { createStreamedOperations } from './streamed-operations.ts';
import { refuseUpgrade } from './upgrade-refusal.ts';

export interface LiveEndpointsOptions extends LiveAccess {
  readonly schema: GraphQLSchema;
  readonly server: Pick<Config['server'], 'limits' | 'introspection' | 'suggestions' | 'search'>;
  /** Throws what src/access/document-limits.ts does. */
  readonly checkDocument: (text: string) => DocumentFacts;
  readonly readCredentials: (request: IncomingMessage) => Credentials;
  readonly authenticate: Authenticate;
  readonly createContext: CreateLiveContext;
  /** Puts on record that somebody was refused for who calls. Never rejects. */
  readonly recordDenial: (requestId: string) => Promise<void>;
  readonly log: Logger;
  readonly countOperation: CountOperation;
  /** null: nothing is traced. */
  readonly tracing: Tracing | null;
  /** As LIVE_TIMES, where they are not said. */
  readonly times?: LiveTimes;
}

export interface LiveEndpoints {
  /** /graphql/stream. */
  answerStream(exchange: GraphqlExchange): void;
  /** Takes over a connection that asks for a WebSocket, or refuses it. Never throws. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Subscriptions, and other operations, that are open now, of all callers. */
  countOpen(): number;
  /** Takes nothing more. Subscriptions without an end are ended with a goodbye, all others after five seconds. */
  startDraining(): void;
  /** The same, because another configuration has taken over. */
  retire(): void;
  /** Ends whatever is left. */
  close(): void;
}

/** Makes both endpoints. */
export function createLiveEndpoints(options: LiveEndpointsOptions): LiveEndpoints {
  const { schema, checkDocument, readCredentials, authenticate, createContext, recordDenial, log, countOperation } =
    options;
  const { times = LIVE_TIMES } = options;
  const { limits, introspection, suggestions, search } = options.server;
  const { admission, crossOrigin, callerKeyOf, resolveDocument } = options;
  const operations = createStreamedOperations({
    ...{ schema, introspection, suggestions, maxCost: limits.cost, window: search.window },
    ...{ checkDocument, log, countOperation, tracing: options.tracing },
  });
  const open = new OpenOperations(limits.subscriptions);
  const access = { admission, crossOrigin, callerKeyOf, resolveDocument };
  const shared = {
    ...access,
    operations,
    open,
    createContext,
    recordDenial,
    log,
    times,
    maxBodyBytes: limits.bodyBytes,
  };
  const streams = createStreamEndpoint({
    ...{ ...shared, checkDocument, countOperation },
    authenticate: (request) => authenticate(readCredentials(request)),
  });
  const openSockets = new OpenOperations(limits.subscriptions);
  const sockets = createSocketEndpoint({ ...shared, openSockets, readCredentials, authenticate });
  const timer = setInterval(() => {
    streams.recheck();
    sockets.recheck();
  }, times.recheck);
  timer.unref();
  const end = (reason: EndReason) => {
    streams.end(reason);
    sockets.end(reason);
  };
  return {
    answerStream: streams.answer,
    handleUpgrade: (request, socket, head) => {
      try {
        const path = readTarget(request.url).split('?', 1)[0];
        if (path === '/graphql') sockets.handleUpgrade(request, socket, head);
        else refuseUpgrade(socket, [404, 'NOT_FOUND', 'There is no WebSocket at this path. It is at /graphql.']);
      } catch (error) {
        log.error({ err: error }, 'a WebSocket could not be opened because of a defect');
        socket.destroy();
      }
    },
    countOpen: () => open.size,
    startDraining: () => end(STOPPING),
    retire: () => end(REPLACED),
    close: () => {
      clearInterval(timer);
      streams.close();
      sockets.close();
    },
  };
}

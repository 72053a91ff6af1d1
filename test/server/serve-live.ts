/** The endpoints for subscriptions alone, on a free port of loopback, with times that a test can wait for. */
import type { Socket } from 'node:net';
import { pino } from 'pino';
import { type Authenticate, createAuthenticator } from '../../src/access/authenticate.ts';
import { CallerQuotas } from '../../src/access/caller-quotas.ts';
import { createDocumentCheck } from '../../src/access/document-limits.ts';
import type { FederationView } from '../../src/federation/answers.ts';
import { Admission } from '../../src/server/admission.ts';
import { createCrossOrigin } from '../../src/server/cross-origin.ts';
import { listen } from '../../src/server/listen.ts';
import { createLiveEndpoints, type LiveEndpoints } from '../../src/server/live-endpoints.ts';
import { LIVE_TIMES, type LiveTimes } from '../../src/server/live-times.ts';
import { PersistedDocuments } from '../../src/server/persisted-documents.ts';
import { readCredentials } from '../../src/server/routes.ts';
import { buildGatewaySchema } from '../../src/server/schema.ts';
import { createFixtureContext, createFixtureView } from './fixture-view.ts';

const LIMITS = {
  ...{ depth: 12, cost: 5000, fields: 1000, rootFields: 50, aliases: 100, directives: 100, tokens: 5000 },
  ...{ requestsPerMinute: null, costPerMinute: null, concurrent: null, bodyBytes: 1_000_000, subscriptions: 100 },
};

export interface ServedLive extends AsyncDisposable {
  readonly origin: string;
  readonly live: LiveEndpoints;
  /** How many connections are open that asked for events. */
  connections(): number;
  readonly logLines: Record<string, unknown>[];
  /** Of each operation that ended, the codes of its errors. */
  readonly counted: (readonly string[])[];
  /** The ids of requests that were refused for who calls. */
  readonly denied: string[];
}

export interface ServeLiveOptions {
  readonly view?: Partial<FederationView>;
  readonly limits?: { readonly subscriptions?: number; readonly bodyBytes?: number };
  readonly times?: Partial<LiveTimes>;
  readonly authenticate?: Authenticate;
}

export async function serveLive({
  view = {},
  limits,
  times,
  authenticate = createAuthenticator({ anonymous: 'allow', apiKeys: [] }),
}: ServeLiveOptions = {}): Promise<ServedLive> {
  const logLines: Record<string, unknown>[] = [];
  const counted: (readonly string[])[] = [];
  const denied: string[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => void logLines.push(JSON.parse(line)) });
  const live = createLiveEndpoints({
    tracing: null,
    admission: new Admission({ quotas: new CallerQuotas(LIMITS), trustedProxies: [], log }),
    crossOrigin: createCrossOrigin(null),
    callerKeyOf: ({ subject }) => subject,
    resolveDocument: (sent) => new PersistedDocuments().resolve(sent, null),
    schema: buildGatewaySchema(),
    server: {
      limits: { ...LIMITS, ...limits },
      introspection: true,
      suggestions: true,
      search: { timeout: 2000, maxPageSize: 100, window: 50, scan: 2000, drain: { rows: 10_000, requests: 40 } },
    },
    checkDocument: createDocumentCheck(LIMITS),
    readCredentials,
    authenticate,
    createContext: ({ requestId }, caller) => ({
      context: { ...createFixtureContext(), ...{ view: createFixtureView(view), caller, requestId } },
      onClosed: () => undefined,
    }),
    recordDenial: async (requestId) => void denied.push(requestId),
    log,
    countOperation: (errors) => void counted.push(errors.map(({ code }) => code)),
    times: { ...LIVE_TIMES, ...times },
  });
  const sockets = new Set<Socket>();
  const listener = await listen({
    ...{ host: '127.0.0.1', port: 0, handleUpgrade: live.handleUpgrade },
    handle: (request, response) => {
      sockets.add(request.socket);
      request.socket.once('close', () => sockets.delete(request.socket));
      live.answerStream({
        ...{
          request,
          response,
          requestId: 'request-1',
          trace: null,
          pageHeaders: [],
          quota: null,
          countStatus: () => undefined,
          headOnly: false,
          mustClose: () => false,
        },
        search: request.url?.slice(request.url.indexOf('?')) ?? '',
      });
    },
  });
  return {
    origin: listener.origin,
    live,
    connections: () => sockets.size,
    logLines,
    counted,
    denied,
    async [Symbol.asyncDispose]() {
      live.close();
      await listener.close(1000);
    },
  };
}

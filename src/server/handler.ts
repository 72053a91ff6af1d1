/** The server without a port: everything between a request and the federation. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { createAuthenticator } from '../access/authenticate.ts';
import { requireRole } from '../access/authorize.ts';
import type { Quota } from '../access/caller-quotas.ts';
import { createDocumentCheck } from '../access/document-limits.ts';
import type { Config } from '../config/config.ts';
import type { CacheInvalidation } from '../domain/cache.ts';
import type { Caller } from '../domain/caller.ts';
import type { FederationView } from '../federation/answers.ts';
import { openTokenVerifier } from '../identity/token-verifier.ts';
import type { Tracing } from '../telemetry/request-trace.ts';
import { Admission } from './admission.ts';
import { createApollo } from './apollo.ts';
import { createCrossOrigin } from './cross-origin.ts';
import { FinishedAnswers } from './finished-answers.ts';
import { createGraphqlEndpoint } from './graphql-endpoint.ts';
import { createKnownDocuments } from './known-documents.ts';
import { OperationRecord } from './operation-record.ts';
import { ListedDocuments } from './persisted-documents.ts';
import { createPlannedDocuments } from './planned-documents.ts';
import { createRoutes, readCredentials, readOrigin } from './routes.ts';
import { createScopeReader } from './scope.ts';
import type { ServerState } from './server-state.ts';
import { createWebhookEndpoint } from './webhook-endpoint.ts';

export interface HandlerOptions {
  readonly config: Pick<Config, 'server' | 'auth' | 'registries'>;
  /** What the caller may see; asked once for each request. */
  readonly viewFor: (caller: Caller) => FederationView;
  /** Told what a registry says of its changes; gives how many kept answers were dropped for it. */
  readonly noteTemplateChange: (registryName: string, name: string) => Promise<number>;
  /** Is shared by the handlers of all configurations that the process has. */
  readonly state: ServerState;
  /** Of the gateway, as the package has it. */
  readonly version: string;
  readonly log: Logger;
  /** null: nothing is traced. */
  readonly tracing: Tracing | null;
}

export interface RequestHandler {
  /** Answers one request; never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** From this moment on no kept answer is given that it concerns, nor kept that was begun before. */
  invalidate(invalidation: CacheInvalidation): void;
  /** From now on the gateway is not ready, and connections are closed behind their answer. */
  startDraining(): void;
  /** When nothing is in flight here any more. */
  close(): Promise<void>;
}

const NO_ERRORS: readonly string[] = Object.freeze([]);

/** Makes the handler of one configuration. */
export async function createHandler({
  config,
  viewFor,
  noteTemplateChange,
  state,
  version,
  log,
  tracing,
}: HandlerOptions): Promise<RequestHandler> {
  const { limits, introspection, suggestions, search, cache, strictTransportSecurity } = config.server;
  const { schema, metrics, persisted, usedSignatures } = state;
  const { countOperation } = metrics;
  const planned = createPlannedDocuments({ schema, maxCost: limits.cost, log, countOperation });
  const apollo = createApollo({
    ...{ schema, introspection, suggestions, maxCost: limits.cost, log, countOperation },
    learnDocument: planned.learn,
  });
  await apollo.start();
  const finished = cache.responses === null ? null : new FinishedAnswers(cache.responses);
  const tokens = config.auth.jwt === null ? null : openTokenVerifier({ jwt: config.auth.jwt, keepsTokens: false, log });
  const authenticateBy = createAuthenticator(config.auth, tokens);
  const authenticate = (request: IncomingMessage) => authenticateBy(readCredentials(request));
  const gateway = {
    version,
    startedAtMs: state.startedAtMs,
    readMetrics: metrics.read,
    readSharing: state.readSharing,
    countSearch: metrics.countSearch,
    countView: metrics.countView,
  };
  const admission = new Admission({
    quotas: state.quotasFor(limits),
    trustedProxies: config.server.trustedProxies,
    log,
  });
  const crossOrigin = createCrossOrigin(config.server.cors);
  const scopeOf = createScopeReader();
  const countOperationAgain = () => countOperation(NO_ERRORS);
  const handle = createRoutes({
    answerGraphql: createGraphqlEndpoint({
      apollo,
      knowDocument: createKnownDocuments(schema, createDocumentCheck(limits)),
      executePlanned: planned.execute,
      persisted,
      maxBodyBytes: limits.bodyBytes,
      finished,
      authenticate,
      scopeOf,
      admission,
      crossOrigin,
      listed: config.server.persistedDocuments && new ListedDocuments(config.server.persistedDocuments),
      createRecord: () => new OperationRecord(gateway, countOperationAgain),
      createContext: ({ request, requestId, quota }, caller, record) => ({
        view: viewFor(caller),
        caller,
        chargeCost: (cost) => chargeCost(cost, quota, record),
        requireRole: (role) => requireRole(caller, role),
        requestId,
        maxPageSize: search.maxPageSize,
        origin: readOrigin(request),
        gateway: record,
        notes: record,
      }),
      readOrigin,
      log,
      countOperation,
    }),
    answerWebhook: createWebhookEndpoint({ registries: config.registries, noteTemplateChange, log, usedSignatures }),
    authenticate,
    scopeOf,
    admission,
    crossOrigin,
    httpsHeaders:
      strictTransportSecurity === null
        ? []
        : ['Strict-Transport-Security', `max-age=${Math.floor(strictTransportSecurity / 1000)}`],
    viewFor,
    isReady: () => state.isReady,
    isDraining: () => state.isDraining,
    log,
    tracing,
  });
  return {
    handle,
    invalidate: (invalidation) => finished?.invalidate(invalidation),
    startDraining: () => {
      state.isDraining = true;
    },
    close: async () => {
      await apollo.stop();
      await tokens?.close();
    },
  };
}

function chargeCost(cost: number, quota: Quota | null, record: OperationRecord): void {
  try {
    quota?.chargeCost(cost, Date.now());
  } catch (error) {
    if (error instanceof Error) record.refusal = error;
    throw error;
  }
}

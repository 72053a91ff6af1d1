/** The server without a port: everything between a request and the federation. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import type { RequestContext } from '../../resolvers/context.ts';
import { createAuthenticator } from '../access/authenticate.ts';
import { requireIdentity, requireRole } from '../access/authorize.ts';
import type { Quota } from '../access/caller-quotas.ts';
import { createDocumentCheck } from '../access/document-limits.ts';
import { CallerAudit } from '../audit/request-audit.ts';
import type { Config } from '../config/config.ts';
import { ANONYMOUS_ACTOR, type AuditTrail, actorOf } from '../domain/audit.ts';
import type { CacheInvalidation } from '../domain/cache.ts';
import type { Caller } from '../domain/caller.ts';
import type { FederationView } from '../federation/answers.ts';
import type { Tracing } from '../telemetry/request-trace.ts';
import { Admission } from './admission.ts';
import { createApollo } from './apollo.ts';
import { createCrossOrigin } from './cross-origin.ts';
import { FinishedAnswers } from './finished-answers.ts';
import { createGraphqlEndpoint } from './graphql-endpoint.ts';
import { createKnownDocuments } from './known-documents.ts';
import { createLiveEndpoints } from './live-endpoints.ts';
import { createAdminHandler, createMetricsEndpoint, type WriteMetrics } from './metrics-endpoint.ts';
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
  readonly audit: AuditTrail;
  /** Of the gateway, as the package has it. */
  readonly version: string;
  readonly log: Logger;
  /** Writes the page at /metrics. */
  readonly writeMetrics: WriteMetrics;
  /** null: nothing is traced. */
  readonly tracing: Tracing | null;
}

export interface RequestHandler {
  /** Answers one request; never throws. */
  handle(request: IncomingMessage, response: ServerResponse): void;
  /** The same on `server.admin`. */
  handleAdmin(request: IncomingMessage, response: ServerResponse): void;
  /** What is kept of finished answers; null: nothing is. */
  readFinishedAnswers(): Pick<FinishedAnswers, 'count' | 'weightBytes'> | null;
  /** Takes over a connection that asks for a WebSocket, or refuses it; never throws. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void;
  /** Subscriptions that are open now. */
  countSubscriptions(): number;
  /** From this moment on no kept answer is given that it concerns, nor kept that was begun before. */
  invalidate(invalidation: CacheInvalidation): void;
  /** From now on the gateway is not ready, connections are closed behind their answer, and subscriptions get a goodbye. */
  startDraining(): void;
  /** Another configuration has taken over: subscriptions get a goodbye, so that they begin again there. */
  retire(): void;
  /** When nothing is in flight here any more. */
  close(): Promise<void>;
}

/** Makes the handler of one configuration. */
export async function createHandler({
  config,
  viewFor,
  noteTemplateChange,
  state,
  audit,
  version,
  log,
  writeMetrics,
  tracing,
}: HandlerOptions): Promise<RequestHandler> {
  const { limits, introspection, suggestions, search, cache, strictTransportSecurity } = config.server;
  const { schema, metrics, persisted, usedSignatures, requests } = state;
  const { window } = search;
  const { countOperation } = metrics;
  const planned = createPlannedDocuments({ schema, maxCost: limits.cost, window, log, countOperation });
  const apollo = createApollo({
    ...{ schema, introspection, suggestions, maxCost: limits.cost, window, log, countOperation },
    learnDocument: planned.learn,
  });
  await apollo.start();
  const readiness = { isReady: () => state.isReady, isDraining: () => state.isDraining };
  const finished = cache.responses === null ? null : new FinishedAnswers(cache.responses, state.finishedUse);
  const keepsTokens = config.registries.some(({ credentials }) => credentials?.type === 'passthrough');
  const tokens = await takeTokenVerifier(config.auth.jwt, keepsTokens, state, log);
  const authenticateBy = createAuthenticator(config.auth, tokens?.part ?? null);
  const authenticate = (request: IncomingMessage) => authenticateBy(readCredentials(request));
  const gateway = {
    version,
    startedAtMs: state.startedAtMs,
    isRestricted: config.registries.some(({ access }) => access !== null),
    readConfigState: () => state.configState,
    readMetrics: metrics.read,
    readSharing: state.readSharing,
    readDatabase: state.readDatabase,
    countSubscriptions: () => state.countSubscriptions(),
    countSearch: metrics.countSearch,
    countView: metrics.countView,
    countInstallation: metrics.countInstallation,
  };
  const admission = new Admission({
    quotas: state.quotasFor(limits),
    trustedProxies: config.server.trustedProxies,
    log,
  });
  const crossOrigin = createCrossOrigin(config.server.cors);
  const scopeOf = createScopeReader();
  const recordDenial = (requestId: string) =>
    audit.deny({ detail: 'no valid proof of who calls' }, { actor: ANONYMOUS_ACTOR, requestId });
  const createContext = (
    { request, requestId, quota }: { request: IncomingMessage; requestId: string; quota: Quota | null },
    caller: Caller,
    record: OperationRecord,
  ): RequestContext => ({
    view: viewFor(caller),
    caller,
    chargeCost: (cost) => chargeCost(cost, quota, record),
    requireRole: (role) =>
      refuseOnRecord(() => requireRole(caller, role), `needs the role "${role}"`, caller, { audit, record, requestId }),
    requireIdentity: () =>
      refuseOnRecord(() => requireIdentity(caller), 'needs a proof of who calls', caller, { audit, record, requestId }),
    requestId,
    audit: new CallerAudit(audit, caller, requestId),
    maxPageSize: search.maxPageSize,
    origin: readOrigin(request),
    gateway: record,
    notes: record,
  });
  const createRecord = () => new OperationRecord(gateway, metrics.countOperationAgain);
  const checkDocument = createDocumentCheck(limits);
  const listed = config.server.persistedDocuments && new ListedDocuments(config.server.persistedDocuments);
  const live = createLiveEndpoints({
    ...{ admission, crossOrigin, callerKeyOf: (caller) => scopeOf(caller).callerKey },
    resolveDocument: (sent) => persisted.resolve(sent, listed),
    ...{ schema, server: config.server, checkDocument, readCredentials, authenticate: authenticateBy },
    createContext: (of, caller) => {
      const record = createRecord();
      const onClosed = () => {
        if (record.views.length > 0) countViews(audit, caller, record.views);
      };
      return { context: createContext(of, caller, record), onClosed };
    },
    ...{ recordDenial, log, countOperation, tracing },
  });
  const handle = createRoutes({
    answerGraphql: createGraphqlEndpoint({
      apollo,
      knowDocument: createKnownDocuments(schema, checkDocument),
      executePlanned: planned.execute,
      persisted,
      maxBodyBytes: limits.bodyBytes,
      finished,
      authenticate,
      scopeOf,
      admission,
      crossOrigin,
      listed,
      createRecord,
      createContext,
      countViews: (caller, views) => countViews(audit, caller, views),
      recordDenial,
      readOrigin,
      log,
      countOperation,
    }),
    answerStream: live.answerStream,
    answerWebhook: createWebhookEndpoint({
      registries: config.registries,
      servesAnonymous: config.auth.anonymous === 'allow',
      admission,
      noteTemplateChange,
      audit,
      log,
      usedSignatures,
    }),
    authenticate,
    scopeOf,
    admission,
    crossOrigin,
    httpsHeaders:
      strictTransportSecurity === null
        ? []
        : ['Strict-Transport-Security', `max-age=${Math.floor(strictTransportSecurity / 1000)}`],
    viewFor,
    recordDownload: ({ registryName, name, version: of }, caller, requestId) =>
      audit.append(
        { action: 'content.download', registryName, template: name, version: of, outcome: 'SUCCEEDED' },
        { actor: actorOf(caller), requestId },
      ),
    recordDenial,
    answerMetrics: state.servesMetricsApart
      ? null
      : createMetricsEndpoint(config.registries, viewFor, writeMetrics, state.gatherMetrics),
    requests,
    ...readiness,
    log,
    tracing,
  });
  return {
    handle,
    handleAdmin: createAdminHandler({ ...readiness, writeMetrics, gather: state.gatherMetrics, requests, log }),
    readFinishedAnswers: () => finished,
    handleUpgrade: live.handleUpgrade,
    countSubscriptions: live.countOpen,
    invalidate: (invalidation) => finished?.invalidate(invalidation),
    startDraining: () => {
      state.isDraining = true;
      live.startDraining();
    },
    retire: live.retire,
    close: async () => {
      live.close();
      await apollo.stop();
      await tokens?.release();
    },
  };
}

/** A refusal is on record before the answer is sent; the answer is the same whether it could be. */
function refuseOnRecord(
  demand: () => void,
  detail: string,
  caller: Caller,
  { audit, record, requestId }: { audit: AuditTrail; record: OperationRecord; requestId: string },
): void {
  try {
    demand();
  } catch (error) {
    const recorded = audit.deny({ detail }, { actor: actorOf(caller), requestId });
    const before = record.waitsFor;
    record.waitsFor = before === null ? recorded : before.then(() => recorded);
    throw error;
  }
}

function countViews(audit: AuditTrail, caller: Caller, views: OperationRecord['views']): void {
  const actor = actorOf(caller);
  for (const { registryName } of views)
    audit.count({ action: 'template.view', registryName, outcome: 'SUCCEEDED' }, actor);
}

/**
 * The one before, with its keys and the tokens that it has verified, where its settings are the same. It is loaded here, with the
 * library of tokens: most gateways have no use for it.
 */
async function takeTokenVerifier(
  jwt: Config['auth']['jwt'],
  keepsTokens: boolean,
  { tokenVerifiers }: ServerState,
  log: Logger,
) {
  if (jwt === null) return null;
  const { openTokenVerifier } = await import('../identity/token-verifier.ts');
  const settings = { jwt, keepsTokens };
  return tokenVerifiers.take(settings, () => openTokenVerifier({ ...settings, log }));
}

function chargeCost(cost: number, quota: Quota | null, record: OperationRecord): void {
  try {
    quota?.chargeCost(cost, Date.now());
  } catch (error) {
    if (error instanceof Error) record.refusal = error;
    throw error;
  }
}

/** What the gateway answers at which path. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import type { Credentials } from '../access/authenticate.ts';
import { isDenial } from '../access/errors.ts';
import { actorOf } from '../domain/audit.ts';
import type { Caller } from '../domain/caller.ts';
import type { Template } from '../domain/template.ts';
import type { FederationView } from '../federation/answers.ts';
import type { HttpEndpoint, HttpRequests } from '../telemetry/http-requests.ts';
import { runForActor, runInScope } from '../telemetry/request-scope.ts';
import type { Tracing } from '../telemetry/request-trace.ts';
import type { Admission } from './admission.ts';
import { internalError, translateError } from './client-errors.ts';
import { answerContent } from './content-endpoint.ts';
import type { CrossOrigin } from './cross-origin.ts';
import { answerExplorer } from './explorer.ts';
import type { GraphqlExchange } from './graphql-endpoint.ts';
import { describeRefusal } from './refusals.ts';
import { chooseRequestId } from './request-id.ts';
import { type Answer, type Exchange, errorAnswer, JSON_TYPE, sendAnswer } from './responses.ts';
import type { Scope } from './scope.ts';

export interface Readiness {
  /** Whether every registry was tried once, however it answered. */
  readonly isReady: () => boolean;
  readonly isDraining: () => boolean;
}

export interface RouteOptions extends Readiness {
  readonly answerGraphql: (exchange: GraphqlExchange) => void;
  readonly answerStream: (exchange: GraphqlExchange) => void;
  /** Is given what stands behind "/webhooks/". */
  readonly answerWebhook: (exchange: GraphqlExchange, registryName: string) => Promise<Answer>;
  readonly admission: Admission;
  readonly crossOrigin: CrossOrigin;
  /** Said to who comes by https, names and values by turns. */
  readonly httpsHeaders: readonly string[];
  readonly scopeOf: (caller: Caller) => Pick<Scope, 'callerKey'>;
  /** Throws, or rejects with, Unauthenticated or IdentityUnavailable. */
  readonly authenticate: (request: IncomingMessage) => Caller | Promise<Caller>;
  readonly viewFor: (caller: Caller) => FederationView;
  /** Puts on record that a document was given out, before it is. Throws AuditUnavailable. */
  readonly recordDownload: (template: Template, caller: Caller, requestId: string) => Promise<void>;
  /** Puts on record that a request was refused for who calls. Never rejects. */
  readonly recordDenial: (requestId: string) => Promise<void>;
  /** null: /metrics is not here. */
  readonly answerMetrics: ((caller: Caller) => Answer | Promise<Answer>) | null;
  readonly requests: HttpRequests;
  readonly log: Logger;
  /** null: nothing is traced. */
  readonly tracing: Tracing | null;
}

/** The document, the entry that it is of, and a call for each and for the digest. */
const CONTENT_COST = 5;

// A host name or address, and a port.
const HOST = /^(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** Makes the handler of all requests. It never throws and always answers. */
export function createRoutes(options: RouteOptions): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const url = readTarget(request.url);
    const mark = url.indexOf('?');
    const path = mark < 0 ? url : url.slice(0, mark);
    const { method = 'GET', headers } = request;
    const exchange: GraphqlExchange = {
      request,
      response,
      requestId: chooseRequestId(headers['x-request-id']),
      trace: options.tracing?.startRequest({ method, path, headers }, response) ?? null,
      headOnly: request.method === 'HEAD',
      mustClose: options.isDraining,
      pageHeaders: listPageHeaders(request, options),
      quota: null,
      countStatus: options.requests.counterOf(endpointOf(path)),
      search: mark < 0 ? '' : url.slice(mark),
    };
    try {
      const preflight = options.crossOrigin.answerPreflight(request);
      if (preflight !== null) sendAnswer(exchange, preflight);
      else if (path === '/graphql') options.answerGraphql(exchange);
      else if (path === '/graphql/stream') options.answerStream(exchange);
      else {
        const { requestId, trace } = exchange;
        runInScope({ requestId, operationName: null, actor: null, trace: trace?.scope ?? null }, () =>
          route(exchange, path, options),
        )
          .then((answer) => sendAnswer(exchange, answer))
          .catch((error: unknown) => sendFailure(error, exchange, options));
      }
    } catch (error) {
      void sendFailure(error, exchange, options);
    }
  };
}

function endpointOf(path: string): HttpEndpoint {
  if (path === '/graphql' || path === '/graphql/stream') return 'graphql';
  if (path.startsWith('/content/')) return 'content';
  if (path.startsWith('/webhooks/')) return 'webhooks';
  if (path === '/healthz' || path === '/readyz') return 'health';
  return path === '/metrics' ? 'metrics' : 'other';
}

/** A request target may name the whole address (RFC 9112, section 3.2.2); who is meant is what listens here. */
export function readTarget(target = '/'): string {
  return target.startsWith('/') ? target : target.replace(/^https?:\/\/[^/?#]*(?=[/?]|$)/i, '') || '/';
}

/** The last resort: when even the failure cannot be told, the connection says so by ending. */
async function sendFailure(error: unknown, exchange: Exchange, { log, recordDenial }: RouteOptions): Promise<void> {
  try {
    if (isDenial(error)) await recordDenial(exchange.requestId);
    sendAnswer(exchange, answerFailure(error, exchange.requestId, log));
  } catch (defect) {
    log.error({ requestId: exchange.requestId, err: defect }, 'an answer could not be sent');
    exchange.response.destroy();
  }
}

/** RFC 6797, section 7.2: over plain http nothing is said of https. */
function listPageHeaders(request: IncomingMessage, { crossOrigin, httpsHeaders }: RouteOptions): readonly string[] {
  const headers = crossOrigin.headersFor(request);
  const isHttps = httpsHeaders.length > 0 && request.headers['x-forwarded-proto'] === 'https';
  return isHttps ? [...headers, ...httpsHeaders] : headers;
}

async function route(exchange: GraphqlExchange, path: string, options: RouteOptions): Promise<Answer> {
  const { request, requestId } = exchange;
  if (path === '/healthz') return whenRead(request, () => answerStatus(200, 'ok'));
  if (path.startsWith('/webhooks/')) return options.answerWebhook(exchange, path.slice('/webhooks/'.length));
  // Whoever is denied is told nothing of the rest, not even what there is.
  const caller = await establishCaller(exchange, options);
  if (path === '/readyz') return whenRead(request, () => answerReadiness(options));
  const { answerMetrics } = options;
  if (path === '/metrics' && answerMetrics !== null) {
    options.admission.admit(exchange, options.scopeOf(caller).callerKey);
    return whenRead(request, () => answerMetrics(caller));
  }
  if (path.startsWith('/content/')) {
    const rest = path.slice('/content/'.length);
    options.admission.admit(exchange, options.scopeOf(caller).callerKey);
    const record = async (template: Template) => {
      if (request.method === 'GET') await options.recordDownload(template, caller, requestId);
    };
    const answer = () => answerContent(rest, request.headers, options.viewFor(caller), record);
    return whenRead(request, () => runForActor(actorOf(caller), () => chargeContent(exchange, answer)));
  }
  return whenRead(request, async () => {
    const page = await answerExplorer(path, request.headers);
    return page ?? errorAnswer(404, 'NOT_FOUND', 'There is nothing at this path. GraphQL is at /graphql.');
  });
}

/** A document is an operation like others: it has its cost, and counts among those that a caller has executed at one time. */
async function chargeContent({ quota }: GraphqlExchange, answer: () => Promise<Answer>): Promise<Answer> {
  if (quota === null) return await answer();
  quota.chargeCost(CONTENT_COST, Date.now());
  quota.enter();
  try {
    return await answer();
  } finally {
    quota.leave();
  }
}

async function establishCaller(exchange: GraphqlExchange, { authenticate, admission }: RouteOptions): Promise<Caller> {
  try {
    return await authenticate(exchange.request);
  } catch (error) {
    throw admission.refuse(exchange, error);
  }
}

/** Answers GET and HEAD, and refuses every other method (405). */
export async function whenRead(request: IncomingMessage, answer: () => Answer | Promise<Answer>): Promise<Answer> {
  if (request.method === 'GET' || request.method === 'HEAD') return answer();
  return errorAnswer(405, 'METHOD_NOT_ALLOWED', 'This path can only be read.', { Allow: 'GET, HEAD' });
}

/** 200 while requests should be sent here; 503 with the reason otherwise. */
export function answerReadiness({ isReady, isDraining }: Readiness): Answer {
  if (isDraining()) return answerStatus(503, 'draining');
  return isReady() ? answerStatus(200, 'ready') : answerStatus(503, 'starting');
}

/** A status with its word as JSON. */
export function answerStatus(status: number, word: string): Answer {
  return { status, contentType: JSON_TYPE, body: `${JSON.stringify({ status: word })}\n` };
}

/** What a request says of who sends it. */
export function readCredentials({ headers }: IncomingMessage): Credentials {
  const apiKey = headers['x-api-key'];
  return { authorization: headers.authorization, apiKey: Array.isArray(apiKey) ? apiKey.join(',') : apiKey };
}

/** As the client reached us, behind a proxy too. It only ever shows in the answer to the client that sent it. */
export function readOrigin({ headers }: IncomingMessage): string | null {
  const { host } = headers;
  if (host === undefined || !HOST.test(host)) return null;
  return `${headers['x-forwarded-proto'] === 'https' ? 'https' : 'http'}://${host}`;
}

/** Failures of the endpoints that are not GraphQL. */
function answerFailure(error: unknown, requestId: string, log: Logger): Answer {
  const known = translateError(error);
  if (known === null) log.error({ requestId, err: error }, 'a request failed by a defect');
  const { code, message } = known ?? internalError(requestId);
  const refusal = describeRefusal(error);
  if (refusal !== null) return errorAnswer(refusal.status, code, message, refusal.headers);
  switch (code) {
    case 'UNAUTHENTICATED':
      return errorAnswer(401, code, message);
    case 'SERVICE_UNAVAILABLE':
      return errorAnswer(503, code, message);
    case 'RATE_LIMITED':
      return errorAnswer(429, code, message);
    case 'FORBIDDEN':
      return errorAnswer(403, code, message);
    case 'WITHDRAWN':
      return errorAnswer(410, code, message);
    case 'AUDIT_UNAVAILABLE':
      return errorAnswer(503, code, message);
    case 'REGISTRY_ERROR':
      return errorAnswer(502, code, message);
    case 'BAD_USER_INPUT':
    case 'BAD_CURSOR':
    case 'QUERY_TOO_COMPLEX':
    case 'PERSISTED_QUERY_NOT_FOUND':
      return errorAnswer(400, code, message);
    case 'STREAM_ENDED':
      return errorAnswer(503, code, message);
    case 'INTERNAL_SERVER_ERROR':
      return errorAnswer(500, code, message);
  }
}

/** /metrics, and the listener that has it for itself. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { requireRole } from '../access/authorize.ts';
import type { RegistryConfig } from '../config/config.ts';
import type { Caller } from '../domain/caller.ts';
import type { FederationView } from '../federation/answers.ts';
import { EXPOSITION_TYPE } from '../telemetry/exposition.ts';
import type { MaySee } from '../telemetry/gateway-metrics.ts';
import type { HttpRequests } from '../telemetry/http-requests.ts';
import { internalError } from './client-errors.ts';
import { chooseRequestId } from './request-id.ts';
import { type Answer, type Exchange, errorAnswer, sendAnswer } from './responses.ts';
import { answerReadiness, answerStatus, type Readiness, whenRead } from './routes.ts';
import type { ServerState } from './server-state.ts';

/** Writes the page, without what comes of registries that one may not see. */
export type WriteMetrics = (maySee: MaySee) => string;

type GatherMetrics = ServerState['gatherMetrics'];

/**
 * Makes the answer on the port of everybody: for the role admin, or for all while no registry is restricted. Nobody is told of
 * a registry that they may not see.
 */
export function createMetricsEndpoint(
  registries: readonly RegistryConfig[],
  viewFor: (caller: Caller) => FederationView,
  writeMetrics: WriteMetrics,
  gather: GatherMetrics,
): (caller: Caller) => Answer | Promise<Answer> {
  const isRestricted = registries.some(({ access }) => access !== null);
  return (caller) => {
    if (isRestricted) requireRole(caller, 'admin');
    const visible = new Set(viewFor(caller).registries.map(({ source }) => source.info.name));
    return answerMetrics(
      writeMetrics((name) => visible.has(name)),
      gather,
      [...visible],
    );
  };
}

export interface AdminHandlerOptions extends Readiness {
  readonly writeMetrics: WriteMetrics;
  readonly gather: GatherMetrics;
  readonly requests: HttpRequests;
  readonly log: Logger;
}

/** Makes the handler of `server.admin`: whoever reaches it sees everything, and it has nothing but what watches a gateway. */
export function createAdminHandler(
  options: AdminHandlerOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  return (request, response) => {
    const [path = ''] = (request.url ?? '').split('?', 1);
    const exchange: Exchange = {
      response,
      requestId: chooseRequestId(request.headers['x-request-id']),
      trace: null,
      headOnly: request.method === 'HEAD',
      mustClose: options.isDraining,
      pageHeaders: [],
      quota: null,
      countStatus: options.requests.counterOf(path === '/metrics' ? 'metrics' : 'health'),
    };
    whenRead(request, () => answerAdmin(path, options))
      .then((answer) => sendAnswer(exchange, answer))
      .catch((error: unknown) => {
        const { requestId } = exchange;
        options.log.error({ requestId, err: error }, 'a request to server.admin failed by a defect');
        const { code, message } = internalError(requestId);
        sendAnswer(exchange, errorAnswer(500, code, message));
      });
  };
}

function answerAdmin(path: string, options: AdminHandlerOptions): Answer | Promise<Answer> {
  switch (path) {
    case '/metrics':
      return answerMetrics(
        options.writeMetrics(() => true),
        options.gather,
        null,
      );
    case '/healthz':
      return answerStatus(200, 'ok');
    case '/readyz':
      return answerReadiness(options);
    default:
      return errorAnswer(404, 'NOT_FOUND', 'There is nothing at this path. Metrics are at /metrics.');
  }
}

function answerMetrics(own: string, gather: GatherMetrics, names: readonly string[] | null): Answer | Promise<Answer> {
  const answer = (body: string): Answer => ({ status: 200, contentType: EXPOSITION_TYPE, body });
  return gather === null ? answer(own) : gather(own, names).then(answer);
}

/** The server without a port: everything between a request and the federation. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Logger } from 'pino';
import { createAuthenticator } from '../access/authenticate.ts';
import { createDocumentCheck } from '../access/document-limits.ts';
import type { Config } from '../config/config.ts';
import type { Caller } from '../domain/caller.ts';
import type { FederationView } from '../federation/answers.ts';
import { createGatewayMetrics } from '../telemetry/gateway-metrics.ts';
import { createApollo } from './apollo.ts';
import { createGraphqlEndpoint } from './graphql-endpoint.ts';
import { createKnownDocuments } from './known-documents.ts';
import { createRoutes } from './routes.ts';
import { buildGatewaySchema } from './schema.ts';
import { createWebhookEndpoint } from './webhook-endpoint.ts';

export interface HandlerOptions {
  readonly config: Pick<Config, 'server' | 'auth' | 'registries'>;
  /** What the caller may see; asked once for each request. */
  readonly viewFor: (caller: Caller) => FederationView;
  /** Told what a registry says of its changes; gives how many kept answers were dropped for it. */
  readonly noteTemplateChange: (registryName: string, name: string) => Promise<number>;
  /** Whether every registry was tried once, however it answered. */
  readonly isReady: () => boolean;
  /** Of the gateway, as the package has it. */
  readonly version: string;
  readonly log: Logger;
}

export interface RequestHandler {
  /** Answers one request; never throws. */
  handle(request: IncomingMessage, response: ServerResponse): Promise<void>;
  /** From now on the gateway is not ready, and connections are closed behind their answer. */
  startDraining(): void;
  close(): Promise<void>;
}

/** Makes the handler. Rejects when the schema or a resolver is wrong. */
export async function createHandler({
  config,
  viewFor,
  noteTemplateChange,
  isReady,
  version,
  log,
}: HandlerOptions): Promise<RequestHandler> {
  const { limits, introspection, search } = config.server;
  const metrics = createGatewayMetrics();
  const schema = buildGatewaySchema();
  const { countOperation } = metrics;
  const known = createKnownDocuments({ schema, maxCost: limits.cost, log, countOperation });
  const apollo = createApollo({
    ...{ schema, introspection, maxCost: limits.cost, log, countOperation },
    learnDocument: known.learn,
  });
  await apollo.start();
  let isDraining = false;
  const handle = createRoutes({
    answerGraphql: createGraphqlEndpoint({
      apollo,
      executeKnown: known.execute,
      checkDocument: createDocumentCheck(limits.depth),
      maxBodyBytes: limits.bodyBytes,
      log,
      countOperation,
    }),
    answerWebhook: createWebhookEndpoint({ registries: config.registries, noteTemplateChange, log }),
    authenticate: createAuthenticator(config.auth),
    viewFor,
    gateway: {
      version,
      startedAtMs: Date.now(),
      readMetrics: metrics.read,
      countSearch: metrics.countSearch,
      countView: metrics.countView,
    },
    maxPageSize: search.maxPageSize,
    isReady,
    isDraining: () => isDraining,
    log,
  });
  return {
    handle,
    startDraining: () => {
      isDraining = true;
    },
    close: () => apollo.stop(),
  };
}

/** Apollo Server as the gateway runs it: it parses, validates, executes, and calls nobody. */
import { ApolloServer, type ApolloServerPlugin, type GraphQLRequestListener } from '@apollo/server';
import {
  ApolloServerPluginCacheControlDisabled,
  ApolloServerPluginInlineTraceDisabled,
  ApolloServerPluginLandingPageDisabled,
  ApolloServerPluginSchemaReportingDisabled,
  ApolloServerPluginUsageReportingDisabled,
} from '@apollo/server/plugin/disabled';
import type { DocumentNode, GraphQLFormattedError, GraphQLSchema } from 'graphql';
import type { Logger } from 'pino';
import type { RequestContext } from '../../resolvers/context.ts';
import { checkCost } from '../access/document-cost.ts';
import { BadUserInput } from '../domain/errors.ts';
import { type CountOperation, formatOperationError, logOperationError, toCounted } from './operation-errors.ts';

export interface ApolloOptions {
  readonly schema: GraphQLSchema;
  readonly introspection: boolean;
  /** Whether an error names the fields that may have been meant. */
  readonly suggestions: boolean;
  /** Bound of what one operation may cost (src/access/document-cost.ts). */
  readonly maxCost: number;
  /** Rows that are read of a registry at a time. */
  readonly window: number;
  readonly log: Logger;
  /** Told at the end of each operation, with its errors. */
  readonly countOperation: CountOperation;
  /** Told of each document that was found valid, with its text. */
  readonly learnDocument: (text: string, document: DocumentNode) => void;
}

/** Makes the server; it has to be started before it is asked, and stopped in the end. */
export function createApollo(options: ApolloOptions): ApolloServer<RequestContext> {
  const { schema, introspection, suggestions, log } = options;
  // Apollo's formatter is not told which request an error belongs to: the listener, which comes first, notes it here.
  const requestIds = new WeakMap<object, string>();
  return new ApolloServer<RequestContext>({
    schema,
    introspection,
    hideSchemaDetailsFromClientErrors: !suggestions,
    includeStacktraceInErrorResponses: false,
    allowBatchedHttpRequests: false,
    persistedQueries: false,
    csrfPrevention: true,
    stopOnTerminationSignals: false,
    nodeEnv: 'production',
    logger: log,
    plugins: [
      // Its hook on every field costs more than all the rest of an execution.
      ApolloServerPluginCacheControlDisabled(),
      // These three would call home when an environment variable says so.
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginSchemaReportingDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      createListenerPlugin(options, requestIds),
    ],
    formatError: (formatted, error): GraphQLFormattedError => {
      const requestId = (typeof error === 'object' && error !== null && requestIds.get(error)) || 'unknown';
      return formatOperationError(error, formatted.extensions?.code, requestId, formatted);
    },
  });
}

function createListenerPlugin(
  { schema, maxCost, window, log, countOperation, learnDocument }: ApolloOptions,
  requestIds: WeakMap<object, string>,
): ApolloServerPlugin<RequestContext> {
  const listener: GraphQLRequestListener<RequestContext> = {
    async didResolveOperation({ source, document, operation, request, contextValue }) {
      learnDocument(source, document);
      // Without one the execution fails by itself, and says which operations there are.
      if (operation === undefined) return;
      const kind = operation.operation;
      if (!schema.getRootType(kind))
        throw new BadUserInput('query', `This gateway has no ${kind}; one was sent. Send a query.`);
      const registryCount = contextValue.view.registries.length;
      const cost = checkCost({
        schema,
        document,
        operation,
        variables: request.variables ?? {},
        registryCount,
        maxPageSize: contextValue.maxPageSize,
        maxCost,
        window,
      });
      contextValue.notes.cost = cost;
      contextValue.chargeCost(cost);
    },
    async didEncounterErrors({ errors, contextValue: { requestId } }) {
      for (const error of errors) {
        requestIds.set(error, requestId);
        logOperationError(log, requestId, error);
      }
    },
    async willSendResponse({ response, contextValue }) {
      // What is refused for its caller's sake is answered, and counted, where all such requests are.
      if (response.body.kind !== 'single' || contextValue.notes.refusal !== null) return;
      const { errors, data } = response.body.singleResult;
      const told = toCounted(errors);
      countOperation(told);
      contextValue.notes.isWhole = told.length === 0;
      // GraphQL over HTTP: an answer without data is a failed request, whoever is to blame.
      if (data === undefined)
        response.http.status = told.some(({ code }) => code === 'INTERNAL_SERVER_ERROR') ? 500 : 400;
    },
  };
  return { requestDidStart: async () => listener };
}

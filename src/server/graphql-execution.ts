/** How an operation is executed that nobody was answered yet. */
import { type ApolloServer, HeaderMap, type HTTPGraphQLRequest } from '@apollo/server';
import type { RequestContext } from '../../resolvers/context.ts';
import { statusFor } from './graphql-errors.ts';
import type { GraphqlParameters } from './graphql-request.ts';
import type { ResponseMediaType } from './media-type.ts';
import type { Executed } from './shared-executions.ts';

export interface OperationExecutors {
  readonly apollo: ApolloServer<RequestContext>;
  /** Gives the body of the answer, or null where Apollo has to be asked (src/server/planned-documents.ts). */
  readonly executePlanned: (parameters: GraphqlParameters, context: RequestContext) => Promise<string | null>;
}

/** What Apollo is told of a request that was checked already; shared, since Apollo only reads it. */
const APOLLO_HEADERS: Record<ResponseMediaType, HeaderMap> = {
  'application/json': createHeaders('application/json'),
  'application/graphql-response+json': createHeaders('application/graphql-response+json'),
};

function createHeaders(accept: string): HeaderMap {
  return new HeaderMap([
    ['content-type', 'application/json'],
    ['accept', accept],
  ]);
}

/** Executes an operation: by its plan where it has one, else by Apollo, which says best what is wrong. */
export async function executeOperation(
  { apollo, executePlanned }: OperationExecutors,
  parameters: GraphqlParameters,
  contextValue: RequestContext,
  mediaType: ResponseMediaType,
): Promise<Pick<Executed, 'status' | 'contentType' | 'body'>> {
  const contentType = `${mediaType}; charset=utf-8`;
  const planned = await executePlanned(parameters, contextValue);
  if (planned !== null) return { status: 200, contentType, body: planned };
  const httpGraphQLRequest: HTTPGraphQLRequest = {
    method: 'POST',
    headers: APOLLO_HEADERS[mediaType],
    search: '',
    body: parameters,
  };
  const { status = 200, body } = await apollo.executeHTTPGraphQLRequest({
    httpGraphQLRequest,
    context: async () => contextValue,
  });
  if (body.kind !== 'complete')
    throw new TypeError('Apollo must answer whole: no part of the schema is delivered in pieces.');
  return { status: statusFor(status, mediaType), contentType, body: body.string };
}

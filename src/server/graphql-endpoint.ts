/** /graphql: GraphQL over HTTP. Checks the request as HTTP and its document by size, then lets Apollo execute it. */
import type { IncomingMessage } from 'node:http';
import { type ApolloServer, HeaderMap, type HTTPGraphQLRequest } from '@apollo/server';
import type { Logger } from 'pino';
import type { RequestContext } from '../../resolvers/context.ts';
import type { DocumentFacts } from '../access/document-limits.ts';
import { Unauthenticated } from '../access/errors.ts';
import { type ClientError, internalError, toGraphqlForm, translateError } from './client-errors.ts';
import { type GraphqlParameters, readGraphqlRequest } from './graphql-request.ts';
import { chooseMediaType, type ResponseMediaType } from './media-type.ts';
import { RequestError } from './request-error.ts';
import type { Answer } from './responses.ts';

export interface GraphqlEndpointOptions {
  readonly apollo: ApolloServer<RequestContext>;
  /** Gives the body of the answer, or null where Apollo has to be asked (src/server/known-documents.ts). */
  readonly executeKnown: (parameters: GraphqlParameters, context: RequestContext) => Promise<string | null>;
  readonly checkDocument: (text: string) => DocumentFacts;
  readonly maxBodyBytes: number;
  readonly log: Logger;
  /** Told of each operation that was refused before it reached Apollo. */
  readonly countOperation: (errorCodes: readonly string[]) => void;
}

export interface GraphqlExchange {
  readonly request: IncomingMessage;
  readonly requestId: string;
  /** The address from its "?" on. */
  readonly search: string;
  /** Establishes the caller; throws Unauthenticated. */
  readonly createContext: () => RequestContext;
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

/** Makes the endpoint. It always gives an answer, whatever goes wrong. */
export function createGraphqlEndpoint(options: GraphqlEndpointOptions): (exchange: GraphqlExchange) => Promise<Answer> {
  return async (exchange) => {
    const mediaType = chooseMediaType(exchange.request.headers.accept);
    try {
      if (mediaType === null) {
        throw new RequestError(
          406,
          'accept',
          '"Accept" must allow application/graphql-response+json or application/json.',
        );
      }
      const contextValue = exchange.createContext();
      const parameters = await readGraphqlRequest(exchange.request, exchange.search, options.maxBodyBytes);
      const facts = options.checkDocument(parameters.query);
      if (exchange.request.method === 'GET') refuseWrites(facts, parameters.operationName);
      return await execute(options, parameters, contextValue, mediaType);
    } catch (error) {
      return answerError(error, exchange, mediaType ?? 'application/json', options);
    }
  };
}

/** A GET is repeated, prefetched and followed from links: it never changes anything. */
function refuseWrites({ operations }: DocumentFacts, operationName: string | undefined): void {
  const chosen =
    operationName === undefined && operations.size === 1
      ? [...operations.values()][0]
      : operations.get(operationName ?? '');
  if (chosen === undefined || chosen === 'query') return;
  throw new RequestError(405, 'method', `A ${chosen} must be sent by POST; it was sent by GET.`, { Allow: 'POST' });
}

async function execute(
  { apollo, executeKnown }: GraphqlEndpointOptions,
  parameters: GraphqlParameters,
  contextValue: RequestContext,
  mediaType: ResponseMediaType,
): Promise<Answer> {
  const contentType = `${mediaType}; charset=utf-8`;
  const known = await executeKnown(parameters, contextValue);
  if (known !== null) return { status: 200, contentType, body: known };
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

/**
 * GraphQL over HTTP, "application/json": a well-formed request is answered with 200, whatever its errors, since proxies
 * answer in that type too and only a 200 is surely GraphQL's. The other type means what its status says.
 */
function statusFor(status: number, mediaType: ResponseMediaType): number {
  return status === 400 && mediaType === 'application/json' ? 200 : status;
}

function answerError(
  error: unknown,
  { requestId }: GraphqlExchange,
  mediaType: ResponseMediaType,
  { log, countOperation }: GraphqlEndpointOptions,
): Answer {
  const known = translateError(error);
  if (known === null) log.error({ requestId, err: error }, 'a GraphQL request failed by a defect');
  const told: ClientError = known ?? internalError(requestId);
  countOperation([told.code]);
  const answer = {
    contentType: `${mediaType}; charset=utf-8`,
    body: `${JSON.stringify({ errors: [toGraphqlForm(told)] })}\n`,
  };
  if (error instanceof RequestError) return { ...answer, status: error.status, headers: error.headers };
  if (error instanceof Unauthenticated) return { ...answer, status: 401, headers: { 'WWW-Authenticate': 'Bearer' } };
  return { ...answer, status: known === null ? 500 : statusFor(400, mediaType) };
}

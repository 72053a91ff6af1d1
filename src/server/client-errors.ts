/**
 * The one place where what went wrong becomes what a client is told. Whatever is none of the gateway's own errors is a
 * defect: the client gets the id of its request, the log gets the rest.
 */
import { GraphQLError, type GraphQLFormattedError } from 'graphql';
import { Forbidden, IdentityUnavailable, QueryTooComplex, RateLimited, Unauthenticated } from '../access/errors.ts';
import { AuditUnavailable } from '../domain/audit.ts';
import {
  BadCursor,
  BadUserInput,
  RegistriesUnavailable,
  RegistryFailure,
  TemplateWithdrawn,
} from '../domain/errors.ts';
import { PersistedQueryNotFound } from './persisted-documents.ts';
import { RequestError } from './request-error.ts';
import { StreamEnded } from './stream-ended.ts';

/** The codes of this version. */
type ErrorCode =
  | 'BAD_USER_INPUT'
  | 'BAD_CURSOR'
  | 'UNAUTHENTICATED'
  | 'SERVICE_UNAVAILABLE'
  | 'FORBIDDEN'
  | 'WITHDRAWN'
  | 'QUERY_TOO_COMPLEX'
  | 'RATE_LIMITED'
  | 'PERSISTED_QUERY_NOT_FOUND'
  | 'STREAM_ENDED'
  | 'REGISTRY_ERROR'
  | 'AUDIT_UNAVAILABLE'
  | 'INTERNAL_SERVER_ERROR';

export interface ClientError {
  readonly code: ErrorCode;
  readonly message: string;
  /** What stands beside the code. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** GraphQL's own messages repeat what was sent: no need to send all of it back. */
const MAX_MESSAGE_LENGTH = 500;

/** Apollo's codes for a request that is wrong as GraphQL, and the member of the request that it speaks of. */
const REQUEST_FAULTS: ReadonlyMap<unknown, string> = new Map([
  ['GRAPHQL_PARSE_FAILED', 'query'],
  ['GRAPHQL_VALIDATION_FAILED', 'query'],
  ['OPERATION_RESOLUTION_FAILURE', 'operationName'],
  ['PERSISTED_QUERY_NOT_FOUND', 'extensions.persistedQuery'],
  ['PERSISTED_QUERY_NOT_SUPPORTED', 'extensions.persistedQuery'],
  ['BAD_REQUEST', 'query'],
  ['BAD_USER_INPUT', 'variables'],
]);

/** Translates an error of the gateway's own; null for any other. */
export function translateError(error: unknown): ClientError | null {
  if (error instanceof BadUserInput) return describe('BAD_USER_INPUT', error, { field: error.field });
  if (error instanceof RequestError) return describe('BAD_USER_INPUT', error, { field: error.field });
  if (error instanceof BadCursor) return describe('BAD_CURSOR', error, { field: error.field });
  if (error instanceof Unauthenticated) return describe('UNAUTHENTICATED', error, {});
  if (error instanceof IdentityUnavailable) {
    return describe('SERVICE_UNAVAILABLE', error, { retryAfterMs: Math.ceil(error.retryAfterMs) });
  }
  if (error instanceof RateLimited) {
    return describe('RATE_LIMITED', error, { retryAfterMs: Math.ceil(error.retryAfterMs) });
  }
  if (error instanceof Forbidden) return describe('FORBIDDEN', error, {});
  if (error instanceof QueryTooComplex) return describe('QUERY_TOO_COMPLEX', error, {});
  if (error instanceof StreamEnded) return describe('STREAM_ENDED', error, {});
  if (error instanceof PersistedQueryNotFound) return describe('PERSISTED_QUERY_NOT_FOUND', error, {});
  if (error instanceof AuditUnavailable) return describe('AUDIT_UNAVAILABLE', error, {});
  if (error instanceof TemplateWithdrawn) return describe('WITHDRAWN', error, {});
  if (error instanceof RegistriesUnavailable) {
    const registries = error.failures.map((failure) => failure.toView());
    return describe('REGISTRY_ERROR', error, { registries, alternatives: error.alternatives });
  }
  if (error instanceof RegistryFailure) {
    return describe('REGISTRY_ERROR', error, { registries: [error.toView()], alternatives: [] });
  }
  return null;
}

/** Translates an error of a GraphQL execution. `apolloCode` is what Apollo took it for. */
export function translateGraphqlError(error: unknown, apolloCode: unknown, requestId: string): ClientError {
  const known = translateError(unwrap(error));
  if (known !== null) return known;
  const field = REQUEST_FAULTS.get(apolloCode);
  if (field !== undefined && error instanceof Error) {
    const variable = /^Variable "\$(\w+)"/.exec(error.message)?.[1];
    const place = variable === undefined ? field : `variables.${variable}`;
    return describe('BAD_USER_INPUT', error, { field: place });
  }
  return internalError(requestId);
}

/** What a client is told of a defect. */
export function internalError(requestId: string): ClientError {
  return {
    code: 'INTERNAL_SERVER_ERROR',
    message: `The gateway failed. Tell whoever runs it the request id ${requestId}.`,
    details: { requestId },
  };
}

/** As a member of `errors` in a GraphQL answer. */
export function toGraphqlForm(
  { code, message, details }: ClientError,
  place: Pick<GraphQLFormattedError, 'path' | 'locations'> = {},
): GraphQLFormattedError {
  return {
    message,
    ...(place.locations && { locations: place.locations }),
    ...(place.path && { path: place.path }),
    extensions: { code, ...details },
  };
}

/** The error that a resolver threw, out of GraphQL's wrapping. */
export function unwrap(error: unknown): unknown {
  return error instanceof GraphQLError && error.originalError !== undefined ? unwrap(error.originalError) : error;
}

function describe(code: ErrorCode, { message }: Error, details: Record<string, unknown>): ClientError {
  const isLong = message.length > MAX_MESSAGE_LENGTH;
  return { code, message: isLong ? `${message.slice(0, MAX_MESSAGE_LENGTH)}...`.toWellFormed() : message, details };
}

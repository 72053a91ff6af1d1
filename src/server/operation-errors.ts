/** The errors of an execution: as the client is told of them, and as the log is. */
import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import type { Logger } from 'pino';
import { RegistriesUnavailable, RegistryFailure } from '../domain/errors.ts';
import { toGraphqlForm, translateError, translateGraphqlError, unwrap } from './client-errors.ts';

/** As a member of `errors`. `apolloCode` is what Apollo takes it for, `place` where in document and answer it stands. */
export function formatOperationError(
  error: unknown,
  apolloCode: unknown,
  requestId: string,
  place: Pick<GraphQLFormattedError, 'path' | 'locations'>,
): GraphQLFormattedError {
  return toGraphqlForm(translateGraphqlError(error, apolloCode, requestId), place);
}

/** Writes down what a client is not told. */
export function logOperationError(log: Logger, requestId: string, error: GraphQLError): void {
  const original = unwrap(error);
  if (original instanceof RegistryFailure) logFailure(log, requestId, original);
  else if (original instanceof RegistriesUnavailable) {
    for (const failure of original.failures) logFailure(log, requestId, failure);
  } else if (translateGraphqlError(error, error.extensions?.code, requestId).code === 'INTERNAL_SERVER_ERROR') {
    log.error({ requestId, err: original }, 'an operation failed by a defect');
  } else if (translateError(original) === null) log.debug({ requestId }, 'an operation was refused');
}

/** The call itself was logged where it failed; this line tells whose request it cost. */
function logFailure(log: Logger, requestId: string, { registryName, type }: RegistryFailure): void {
  log.info({ requestId, registry: registryName, type }, 'a field failed with its registry');
}

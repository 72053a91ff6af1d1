/** The errors of an execution: as the client is told of them, and as the log is. */
import type { GraphQLError, GraphQLFormattedError } from 'graphql';
import type { Logger } from 'pino';
import { RegistriesUnavailable, RegistryFailure } from '../domain/errors.ts';
import type { CountedError } from '../telemetry/usage-part.ts';
import { toGraphqlForm, translateError, translateGraphqlError, unwrap } from './client-errors.ts';

/** Counts an operation that came to its end. */
export type CountOperation = (errors: readonly CountedError[]) => void;

export const NO_ERRORS: readonly CountedError[] = Object.freeze([]);

/** What clients were told, as it is counted: by code, and by the registries whose failure it is. */
export function toCounted(
  errors: readonly Pick<GraphQLFormattedError, 'extensions'>[] | undefined,
): readonly CountedError[] {
  if (errors === undefined || errors.length === 0) return NO_ERRORS;
  return errors.map(({ extensions }) => {
    const failures: readonly unknown[] = Array.isArray(extensions?.registries) ? extensions.registries : [];
    const names = failures.map((failure) =>
      typeof failure === 'object' && failure !== null && 'registryName' in failure ? String(failure.registryName) : '',
    );
    return { code: String(extensions?.code), registryNames: [...new Set(names)].sort() };
  });
}

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

/** What answers a GraphQL request that failed as a whole, and with which status. */
import type { Logger } from 'pino';
import { type ClientError, internalError, toGraphqlForm, translateError } from './client-errors.ts';
import type { ResponseMediaType } from './media-type.ts';
import type { CountOperation } from './operation-errors.ts';
import { describeRefusal } from './refusals.ts';
import { RequestError } from './request-error.ts';
import type { Answer } from './responses.ts';

/**
 * GraphQL over HTTP, "application/json": a well-formed request is answered with 200, whatever its errors, since proxies
 * answer in that type too and only a 200 is surely GraphQL's. The other type means what its status says.
 */
export function statusFor(status: number, mediaType: ResponseMediaType): number {
  return status === 400 && mediaType === 'application/json' ? 200 : status;
}

/** What answers a request that never became an operation. */
export function answerError(
  error: unknown,
  { requestId }: { readonly requestId: string },
  mediaType: ResponseMediaType,
  { log, countOperation }: { readonly log: Logger; readonly countOperation: CountOperation },
): Answer {
  const known = translateError(error);
  if (known === null) log.error({ requestId, err: error }, 'a GraphQL request failed by a defect');
  const told: ClientError = known ?? internalError(requestId);
  countOperation([{ code: told.code, registryNames: [] }]);
  const answer = {
    contentType: `${mediaType}; charset=utf-8`,
    body: `${JSON.stringify({ errors: [toGraphqlForm(told)] })}\n`,
  };
  if (error instanceof RequestError) return { ...answer, status: error.status, headers: error.headers };
  const refusal = describeRefusal(error);
  if (refusal !== null) return { ...answer, ...refusal };
  return { ...answer, status: known === null ? 500 : statusFor(400, mediaType) };
}

/** Which operation of a document a request means, by what is known of the document alone. */
import type { DocumentFacts } from '../access/document-limits.ts';
import { RequestError } from './request-error.ts';

/** As logs and traces name it. */
export interface OperationLabel {
  readonly type: string;
  readonly name: string | null;
}

/** The operation that is meant. A name that the document does not have is none. */
export function describeOperation({ operations }: DocumentFacts, operationName: string | undefined): OperationLabel {
  const name = operationName ?? (operations.size === 1 ? ([...operations.keys()][0] ?? '') : '');
  const type = operations.get(name);
  return type === undefined ? { type: 'query', name: null } : { type, name: name === '' ? null : name };
}

/** A GET is repeated, prefetched and followed from links: it never changes anything. */
export function refuseWrites({ operations }: DocumentFacts, operationName: string | undefined): void {
  const chosen =
    operationName === undefined && operations.size === 1
      ? [...operations.values()][0]
      : operations.get(operationName ?? '');
  // A subscription is Apollo's to refuse, which says where to send it.
  if (chosen !== 'mutation') return;
  throw new RequestError(405, 'method', 'A mutation must be sent by POST; it was sent by GET.', { Allow: 'POST' });
}

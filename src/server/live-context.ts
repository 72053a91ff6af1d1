/** What an operation is given that is not answered at once. */
import type { IncomingMessage } from 'node:http';
import type { RequestContext } from '../../resolvers/context.ts';
import type { Quota } from '../access/caller-quotas.ts';
import type { Caller } from '../domain/caller.ts';
import type { Admission } from './admission.ts';
import type { CrossOrigin } from './cross-origin.ts';
import type { GraphqlParameters, SentParameters } from './graphql-request.ts';

interface LiveContext {
  readonly context: RequestContext;
  /** To be told when nothing more of the operation is read. */
  onClosed(): void;
}

/** Makes one for an operation; `request` is the one that it came with, or that its socket was opened with. */
export type CreateLiveContext = (
  of: { readonly request: IncomingMessage; readonly requestId: string; readonly quota: Quota | null },
  caller: Caller,
) => LiveContext;

/** What both ways ask before they let an operation in. */
export interface LiveAccess {
  readonly admission: Pick<Admission, 'admit' | 'refuse' | 'keyOf'>;
  readonly crossOrigin: Pick<CrossOrigin, 'admits'>;
  /** Stands for the caller; null for an anonymous one. */
  readonly callerKeyOf: (caller: Caller) => string | null;
  /** The request with the document that it names; throws what src/server/persisted-documents.ts does. */
  readonly resolveDocument: (sent: SentParameters) => GraphqlParameters;
}

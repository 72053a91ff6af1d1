/** What a request means, as text: equal for requests that were written differently and are the same. */
import type { GraphqlParameters } from './graphql-request.ts';
import type { KnownDocument } from './known-documents.ts';
import type { ResponseMediaType } from './media-type.ts';
import type { Scope } from './scope.ts';

/** Nothing is kept of requests with more than that: such variables do not come twice. */
const MAX_KEY_CHARACTERS = 16_384;
/** No argument of the schema is nearly as deep; it keeps the reading of variables far from the end of the stack. */
const MAX_DEPTH = 16;

export interface Meaning {
  readonly document: KnownDocument;
  readonly parameters: Omit<GraphqlParameters, 'query'>;
  readonly mediaType: ResponseMediaType;
  /** Where the answer depends on it. */
  readonly origin: string | null;
}

/** null: nothing is to be kept of such a request. */
export function makeRequestKey(scope: Scope, meaning: Meaning): string | null {
  const { document, parameters, mediaType, origin } = meaning;
  const { operationName = '', variables = {} } = parameters;
  const written = writeCanonical(variables, 0);
  if (document.id === null || written === null || written.length > MAX_KEY_CHARACTERS) return null;
  // Neither an operation of a document nor a checked origin has white space in its name.
  const form = mediaType === 'application/json' ? 'j' : 'g';
  return `${scope.key} ${form} ${document.id} ${operationName} ${origin ?? ''} ${written}`;
}

/** Where requests of a scope and form are looked for by how they came: an address, or a body. */
export function roomOf({ rooms }: Scope, mediaType: ResponseMediaType, isGet: boolean): string {
  if (mediaType === 'application/json') return isGet ? rooms.getJson : rooms.postJson;
  return isGet ? rooms.getGraphql : rooms.postGraphql;
}

/** JSON with the members of objects in one order. null: too deep. */
function writeCanonical(value: unknown, depth: number): string | null {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value) ?? 'null';
  if (depth >= MAX_DEPTH) return null;
  const parts: string[] = [];
  if (Array.isArray(value)) {
    for (const entry of value) {
      const written = writeCanonical(entry, depth + 1);
      if (written === null) return null;
      parts.push(written);
    }
    return `[${parts.join()}]`;
  }
  for (const [name, member] of Object.entries(value).sort(([left], [right]) => (left < right ? -1 : 1))) {
    const written = writeCanonical(member, depth + 1);
    if (written === null) return null;
    parts.push(`${JSON.stringify(name)}:${written}`);
  }
  return `{${parts.join()}}`;
}

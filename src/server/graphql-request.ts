/** Reads the parameters of a GraphQL request, from a body or from an address, as GraphQL over HTTP has them. */
import type { IncomingMessage } from 'node:http';
import { RequestError } from './request-error.ts';

export interface GraphqlParameters {
  readonly query: string;
  readonly operationName?: string;
  readonly variables?: Record<string, unknown>;
}

/** As they were sent: a document may be named instead. */
export interface SentParameters extends Omit<GraphqlParameters, 'query'> {
  readonly query: string | null;
  /** The SHA-256 of the document, in lower-case hex. At least one of the two is there. */
  readonly documentHash: string | null;
  /** Whether the answer is to say what it costs. */
  readonly tellsCost: boolean;
}

// The appendix on persisted documents of GraphQL over HTTP: an id of the form "sha256:<hex>".
const DOCUMENT_ID = /^sha256:([0-9a-f]{64})$/i;
/** Of one object in the variables: the largest input of the schema has a fifth of that. */
const MAX_MEMBERS = 100;

const SHA256_HEX = /^[0-9a-f]{64}$/i;

/**
 * A page of another site can make a browser send a GET without asking first. It could not read the answer, and yet would
 * make the gateway work in the name of whoever sits there. A POST cannot be sent so: its media type makes browsers ask.
 * Throws RequestError; pages that the configuration lets read answers are for the caller of this to let in.
 */
export function refuseForeignPages({ headers }: Pick<IncomingMessage, 'headers'>): void {
  const isForeign = headers['sec-fetch-site'] === 'cross-site' || headers['sec-fetch-site'] === 'same-site';
  if (isForeign && headers['sec-fetch-mode'] !== 'navigate') {
    throw new RequestError(403, 'sec-fetch-site', 'A page of another site must send its requests by POST.');
  }
}

/** The members of a request in an address, from its "?" on. Throws RequestError for what is given twice, or is no JSON. */
export function readSearchParameters(search: string): Record<string, unknown> {
  const parameters: Record<string, unknown> = {};
  const given = new URLSearchParams(search);
  for (const name of ['query', 'documentId', 'operationName', 'variables', 'extensions']) {
    const values = given.getAll(name);
    if (values.length > 1)
      throw new RequestError(400, name, `"${name}" must be given once; it was given ${values.length} times.`);
    const [value] = values;
    if (value === undefined) continue;
    parameters[name] = name === 'variables' || name === 'extensions' ? parseMap(name, value) : value;
  }
  return parameters;
}

function parseMap(name: string, text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new RequestError(400, name, `"${name}" must be JSON; what was given is not.`);
  }
}

/** Throws RequestError for what is no GraphQL request. */
export function readParameters(given: unknown): SentParameters {
  if (!isMap(given)) {
    throw new RequestError(
      400,
      'body',
      'The body must be a JSON object with the member "query"; batches are not served.',
    );
  }
  const { operationName } = given;
  const extensions = readMap('extensions', given.extensions);
  const documentHash = readDocumentHash(given.documentId, extensions?.persistedQuery);
  const query = given.query ?? null;
  if (query === null ? documentHash === null : typeof query !== 'string' || query.trim() === '') {
    throw new RequestError(400, 'query', '"query" must be the text of a GraphQL document.');
  }
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') {
    throw new RequestError(400, 'operationName', '"operationName" must be text.');
  }
  const variables = readMap('variables', given.variables);
  for (const name in variables) checkMembers(name, variables[name]);
  return {
    query: typeof query === 'string' ? query : null,
    documentHash,
    tellsCost: extensions?.cost === true,
    // Some clients send the empty name for the only operation of a document.
    ...(operationName ? { operationName } : {}),
    ...(variables && { variables }),
  };
}

/** The hash by which a request names its document, in either of the two ways; null: it names none. */
function readDocumentHash(documentId: unknown, persistedQuery: unknown): string | null {
  if (documentId !== undefined && documentId !== null) {
    const hash = typeof documentId === 'string' ? DOCUMENT_ID.exec(documentId)?.[1] : undefined;
    if (hash !== undefined) return hash.toLowerCase();
    throw new RequestError(400, 'documentId', '"documentId" must be "sha256:" and 64 hexadecimal digits.');
  }
  if (persistedQuery === undefined || persistedQuery === null) return null;
  if (isMap(persistedQuery) && persistedQuery.version === 1) {
    const { sha256Hash } = persistedQuery;
    if (typeof sha256Hash === 'string' && SHA256_HEX.test(sha256Hash)) return sha256Hash.toLowerCase();
  }
  throw new RequestError(
    400,
    'extensions.persistedQuery',
    '"extensions.persistedQuery" must have version 1 and a sha256Hash of 64 hexadecimal digits.',
  );
}

/**
 * graphql-js writes the whole of an object into each of fifty messages about members that it does not have, and compares each of these with
 * all that it has: an object of a megabyte takes seconds. Looked at without recursion, since lists within lists are as deep as they like.
 */
function checkMembers(name: string, value: unknown): void {
  const pending = [value];
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    if (typeof next !== 'object' || next === null) continue;
    const members = Object.values(next);
    if (!Array.isArray(next) && members.length > MAX_MEMBERS) {
      throw new RequestError(
        400,
        `variables.${name}`,
        `An object in "variables" must have ${MAX_MEMBERS} members at most; one has ${members.length}.`,
      );
    }
    for (const member of members) if (typeof member === 'object' && member !== null) pending.push(member);
  }
}

function readMap(name: string, value: unknown): Record<string, unknown> | null {
  if (value === undefined || value === null) return null;
  if (isMap(value)) return value;
  throw new RequestError(400, name, `"${name}" must be a JSON object.`);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

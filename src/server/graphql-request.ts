/** Reads the parameters of a GraphQL request, from a body or from an address, as GraphQL over HTTP has them. */
import type { IncomingMessage } from 'node:http';
import { readJsonBody } from './request-body.ts';
import { RequestError } from './request-error.ts';

export interface GraphqlParameters {
  readonly query: string;
  readonly operationName?: string;
  readonly variables?: Record<string, unknown>;
  readonly extensions?: Record<string, unknown>;
}

/** Throws RequestError for whatever is wrong with the request as HTTP. `search` is the address from its "?" on. */
export async function readGraphqlRequest(
  request: IncomingMessage,
  search: string,
  maxBytes: number,
): Promise<GraphqlParameters> {
  switch (request.method) {
    case 'POST':
      return readParameters(await readJsonBody(request, maxBytes));
    case 'GET':
      refuseForeignPages(request);
      return readParameters(readSearchParameters(search));
    default:
      throw new RequestError(405, 'method', 'A GraphQL request must be a GET or a POST.', { Allow: 'GET, POST' });
  }
}

/**
 * A page of another site can make a browser send a GET without asking first. It could not read the answer, and yet would
 * make the gateway work in the name of whoever sits there. A POST cannot be sent so: its media type makes browsers ask.
 */
function refuseForeignPages({ headers }: IncomingMessage): void {
  const isForeign = headers['sec-fetch-site'] === 'cross-site' || headers['sec-fetch-site'] === 'same-site';
  if (isForeign && headers['sec-fetch-mode'] !== 'navigate') {
    throw new RequestError(403, 'sec-fetch-site', 'A page of another site must send its requests by POST.');
  }
}

function readSearchParameters(search: string): Record<string, unknown> {
  const parameters: Record<string, unknown> = {};
  const given = new URLSearchParams(search);
  for (const name of ['query', 'operationName', 'variables', 'extensions']) {
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

function readParameters(given: unknown): GraphqlParameters {
  if (!isMap(given)) {
    throw new RequestError(
      400,
      'body',
      'The body must be a JSON object with the member "query"; batches are not served.',
    );
  }
  const { query, operationName } = given;
  if (typeof query !== 'string' || query.trim() === '') {
    throw new RequestError(400, 'query', '"query" must be the text of a GraphQL document.');
  }
  if (operationName !== undefined && operationName !== null && typeof operationName !== 'string') {
    throw new RequestError(400, 'operationName', '"operationName" must be text.');
  }
  const variables = readMap('variables', given.variables);
  const extensions = readMap('extensions', given.extensions);
  return {
    query,
    // Some clients send the empty name for the only operation of a document.
    ...(operationName ? { operationName } : {}),
    ...(variables && { variables }),
    ...(extensions && { extensions }),
  };
}

function readMap(name: string, value: unknown): Record<string, unknown> | null {
  if (value === undefined || value === null) return null;
  if (isMap(value)) return value;
  throw new RequestError(400, name, `"${name}" must be a JSON object.`);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

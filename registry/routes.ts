/**
 * From a request to what serves it.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AccessControl } from './access.ts';
import { HttpError } from './http-error.ts';
import { type Publisher, readBody } from './publishing.ts';
import {
  type ReadingContext,
  type ReadingHandler,
  respondCategories,
  respondContent,
  respondHealth,
  respondSearch,
  respondTemplate,
  respondVersions,
} from './reading.ts';
import type { RequestLog } from './request-log.ts';
import { sendError } from './respond.ts';

export interface RoutingContext {
  readonly access: AccessControl;
  readonly log: RequestLog;
  readonly publisher: Publisher;
  readonly readOnly: boolean;
  readonly scheme: 'http' | 'https';
  readonly reading: ReadingContext;
  readonly onError: (error: unknown) => void;
}

/** What a path leads to. */
type Route =
  | { readonly kind: 'read'; readonly respond: ReadingHandler; readonly name: string }
  | { readonly kind: 'publish' };

const PREFIX = '/api/v1/';
const NO_BODY = new Uint8Array(0);

/** The listener of a server: answers every request, errors too, and never throws. */
export function createRequestHandler(context: RoutingContext) {
  return (request: IncomingMessage, response: ServerResponse): void => {
    serveRequest(context, request, response).catch((error: unknown) => {
      if (!(error instanceof HttpError)) context.onError(error);
      sendError(response, error);
    });
  };
}

async function serveRequest(
  context: RoutingContext,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { method = 'GET', url = '/' } = request;
  const cut = url.indexOf('?');
  const path = cut < 0 ? url : url.slice(0, cut);
  const parameters = new URLSearchParams(cut < 0 ? '' : url.slice(cut));
  context.log.add(method, path, parameters, request.headers);
  const route = findRoute(path);
  if (route === null) throw new HttpError('not_found', 'There is nothing at this path.');
  switch (route.kind) {
    case 'read':
      allowMethods(method, ['GET', 'HEAD']);
      await context.access.demand('read', describeSigned(context, request, NO_BODY));
      route.respond(context.reading, { request, response, parameters, name: route.name });
      return;
    case 'publish':
      allowMethods(method, ['POST']);
      await publish(context, request, response);
      return;
  }
}

async function publish(context: RoutingContext, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (context.readOnly) throw new HttpError('read_only', 'This registry takes no publications.');
  // Who shows no credentials at all need not send a document to be refused.
  context.access.demandCredentials(request.headers);
  const body = await readBody(request);
  await context.access.demand('publish', describeSigned(context, request, body));
  await context.publisher.publish(request, response, body);
}

function describeSigned({ scheme, reading }: RoutingContext, request: IncomingMessage, body: Uint8Array) {
  const { method = 'GET', url = '/', headers } = request;
  const origin = reading.publicUrl ?? `${scheme}://${headers.host ?? ''}`;
  return { method, targetUri: `${origin}${url}`, headers, body };
}

function allowMethods(method: string, allowed: readonly string[]): void {
  if (allowed.includes(method)) return;
  throw new HttpError('method_not_allowed', `This path serves ${allowed.join(', ')} alone.`, {
    headers: { allow: allowed.join(', ') },
  });
}

function findRoute(path: string): Route | null {
  if (!path.startsWith(PREFIX)) return null;
  const [first = '', encodedName, member, ...rest] = path.slice(PREFIX.length).split('/');
  if (rest.length > 0) return null;
  if (first === 'templates') return findTemplateRoute(encodedName, member);
  if (encodedName !== undefined) return null;
  switch (first) {
    case 'search':
      return { kind: 'read', respond: respondSearch, name: '' };
    case 'categories':
      return { kind: 'read', respond: respondCategories, name: '' };
    case 'health':
      return { kind: 'read', respond: respondHealth, name: '' };
    default:
      return null;
  }
}

function findTemplateRoute(encodedName: string | undefined, member: string | undefined): Route | null {
  if (encodedName === undefined) return { kind: 'publish' };
  const name = decodeName(encodedName);
  switch (member) {
    case undefined:
      return { kind: 'read', respond: respondTemplate, name };
    case 'versions':
      return { kind: 'read', respond: respondVersions, name };
    case 'content':
      return { kind: 'read', respond: respondContent, name };
    default:
      return null;
  }
}

function decodeName(encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (cause) {
    if (cause instanceof URIError)
      throw new HttpError('bad_request', 'The name in the path is not well percent-encoded.');
    throw cause;
  }
}

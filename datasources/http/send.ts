import type { Dispatcher } from 'undici';
import { RegistryFailure } from '../../src/domain/errors.ts';
import { ACCEPT_ENCODING, decodeBody } from './body.ts';
import type { Authorize } from './credentials.ts';
import { readDirectives } from './directives.ts';
import { failureOfStatus, protocolFailure } from './failures.ts';
import type { Handler, ReceivedBody, UpstreamRequest, UpstreamResponse } from './layer.ts';
import { describeDocument, isTakenAnswer, readRefusal } from './publication.ts';
import { Attempt, type RawAnswer, receiveAnswer } from './receive.ts';

/** Within one origin; to another origin none is followed. */
const MAX_REDIRECTS = 3;

/** Where requests go, and what they carry. */
export interface Destination {
  readonly registryName: string;
  /** The registry's URL, without a trailing slash. */
  readonly url: string;
  readonly dispatcher: Dispatcher;
  readonly authorize: Authorize;
}

/**
 * The innermost step: one attempt, from the request's first byte to the parsed value. Credentials are made for each request to the registry's own origin and sent nowhere else.
 * The body is read, decompressed and parsed here, inside breaker and timeout, so that a broken body counts as a failure.
 */
export function createSend(destination: Destination): Handler {
  const { origin, pathname } = new URL(destination.url);
  const basePath = pathname === '/' ? '' : pathname;
  const { registryName } = destination;

  const ask = (request: UpstreamRequest, path: string, attempt: Attempt): Promise<RawAnswer> =>
    receiveAnswer(
      destination.dispatcher,
      () => {
        const { document } = request;
        if (document === null) {
          const headers = writeHeaders(request, destination.authorize('GET', origin + path, null, request.token));
          return { origin, path, method: 'GET', headers };
        }
        const described = describeDocument(document);
        const authorization = destination.authorize('POST', origin + path, described['content-digest'], request.token);
        const headers = { ...writeHeaders(request, authorization), ...described };
        return { origin, path, method: 'POST', headers, body: document.bytes };
      },
      registryName,
      request.maxBytes,
      attempt,
    );

  async function follow(request: UpstreamRequest, first: RawAnswer, attempt: Attempt): Promise<UpstreamResponse> {
    let path = basePath + request.path;
    let answer = first;
    for (let redirects = 0; isRedirect(answer.statusCode); redirects += 1) {
      if (redirects === MAX_REDIRECTS) throw protocolFailure(registryName, 'too many redirects', answer.statusCode);
      // RFC 9110, 15.4: the others make a GET of it, and nothing would be published.
      if (request.document !== null && answer.statusCode < 307) {
        throw protocolFailure(registryName, 'a redirect that a document cannot follow', answer.statusCode);
      }
      path = readRedirect(registryName, answer, origin, path);
      answer = await ask(request, path, attempt);
    }
    return toResponse(registryName, request, answer);
  }

  return (request) => {
    const attempt = request.attempt ?? new Attempt();
    return ask(request, basePath + request.path, attempt).then((answer) =>
      isRedirect(answer.statusCode) ? follow(request, answer, attempt) : toResponse(registryName, request, answer),
    );
  };
}

function writeHeaders(request: UpstreamRequest, authorization: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {
    accept: request.accept,
    'accept-encoding': ACCEPT_ENCODING,
    'user-agent': 'marketplace-gateway',
    ...request.traceHeaders,
    ...authorization,
  };
  if (request.etag !== null) headers['if-none-match'] = request.etag;
  return headers;
}

function isRedirect(statusCode: number): boolean {
  return statusCode === 301 || statusCode === 302 || statusCode === 303 || statusCode === 307 || statusCode === 308;
}

function readRedirect(registryName: string, answer: RawAnswer, origin: string, path: string): string {
  const { location } = answer.headers;
  const target = location === undefined ? null : URL.parse(location, origin + path);
  if (target === null || target.origin !== origin) {
    throw protocolFailure(registryName, 'a redirect to another origin', answer.statusCode);
  }
  return target.pathname + target.search;
}

/** At once, unless the body has to be decompressed. Throws a RegistryFailure, or rejects with one. */
function toResponse(
  registryName: string,
  request: UpstreamRequest,
  answer: RawAnswer,
): Promise<UpstreamResponse> | UpstreamResponse {
  const { statusCode, headers } = answer;
  if (request.document !== null && !isTakenAnswer(statusCode)) return refuseDocument(registryName, answer);
  if (statusCode === 200 || request.document !== null) {
    const body = decodeBody(registryName, answer, request.maxBytes);
    return body instanceof Promise
      ? body.then((decoded) => parseBody(registryName, request, answer, decoded))
      : parseBody(registryName, request, answer, body);
  }
  if (statusCode === 304 && request.etag !== null) return describeAnswer(answer, 'UNCHANGED', null, null);
  if ((statusCode === 404 || statusCode === 410) && request.absence === 'ANSWER') {
    return describeAnswer(answer, 'ABSENT', null, null);
  }
  throw failureOfStatus(registryName, statusCode, headers, Date.now());
}

async function refuseDocument(registryName: string, answer: RawAnswer): Promise<UpstreamResponse> {
  const { digest } = await readRefusal(registryName, answer);
  return describeAnswer(answer, 'EXISTS', digest, null);
}

function parseBody(
  registryName: string,
  request: UpstreamRequest,
  answer: RawAnswer,
  body: ReceivedBody,
): UpstreamResponse {
  try {
    return describeAnswer(answer, 'PRESENT', request.parse(body), body);
  } catch (error) {
    if (error instanceof RegistryFailure) throw error;
    throw new RegistryFailure('PROTOCOL', registryName, { cause: error, logDetail: `unreadable: ${String(error)}` });
  }
}

function describeAnswer(
  { headers }: RawAnswer,
  outcome: UpstreamResponse['outcome'],
  value: unknown,
  body: ReceivedBody | null,
): UpstreamResponse {
  return {
    outcome,
    value,
    body,
    sizeBytes: body?.bytes.length ?? 0,
    etag: outcome === 'ABSENT' ? null : (headers.etag ?? null),
    directives: readDirectives(headers),
    fetchedAtMs: Date.now(),
    freshUntilMs: 0,
    cache: 'MISS',
    staleBecause: null,
  };
}

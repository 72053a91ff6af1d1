import type { Dispatcher } from 'undici';
import { RegistryFailure } from '../../src/domain/errors.ts';
import { ACCEPT_ENCODING, decodeBody } from './body.ts';
import type { Authorize } from './credentials.ts';
import { readDirectives } from './directives.ts';
import { failureOfStatus, protocolFailure } from './failures.ts';
import type { Handler, UpstreamRequest, UpstreamResponse } from './layer.ts';
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

  return async (request) => {
    const attempt = request.attempt ?? new Attempt();
    let path = basePath + request.path;
    for (let redirects = 0; ; redirects += 1) {
      const answer = await receiveAnswer(
        destination.dispatcher,
        { origin, path, method: 'GET', headers: writeHeaders(request, destination.authorize('GET', origin + path)) },
        registryName,
        request.maxBytes,
        attempt,
      );
      if (!isRedirect(answer.statusCode)) return toResponse(registryName, request, answer);
      if (redirects === MAX_REDIRECTS) throw protocolFailure(registryName, 'too many redirects', answer.statusCode);
      path = readRedirect(registryName, answer, origin, path);
    }
  };
}

function writeHeaders(request: UpstreamRequest, authorization: Record<string, string>): Record<string, string> {
  const headers: Record<string, string> = {
    accept: request.accept,
    'accept-encoding': ACCEPT_ENCODING,
    'user-agent': 'marketplace-gateway',
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

async function toResponse(
  registryName: string,
  request: UpstreamRequest,
  answer: RawAnswer,
): Promise<UpstreamResponse> {
  const { statusCode, headers } = answer;
  const base = {
    body: null,
    etag: headers.etag ?? null,
    directives: readDirectives(headers),
    fetchedAtMs: Date.now(),
    freshUntilMs: 0,
    cache: 'MISS',
    staleBecause: null,
  } as const;
  if (statusCode === 200) {
    const decoded = decodeBody(registryName, answer, request.maxBytes);
    const body = decoded instanceof Promise ? await decoded : decoded;
    try {
      return { ...base, outcome: 'PRESENT', value: request.parse(body), body, sizeBytes: body.bytes.length };
    } catch (error) {
      if (error instanceof RegistryFailure) throw error;
      throw new RegistryFailure('PROTOCOL', registryName, { cause: error, logDetail: `unreadable: ${String(error)}` });
    }
  }
  if (statusCode === 304 && request.etag !== null) return { ...base, outcome: 'UNCHANGED', value: null, sizeBytes: 0 };
  if ((statusCode === 404 || statusCode === 410) && request.absence === 'ANSWER') {
    return { ...base, etag: null, outcome: 'ABSENT', value: null, sizeBytes: 0 };
  }
  throw failureOfStatus(registryName, statusCode, headers, Date.now());
}

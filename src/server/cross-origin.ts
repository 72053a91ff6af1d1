/** What pages of other sites may do: nothing, but for those that the configuration names (CORS, fetch.spec.whatwg.org 3.2). */
import type { IncomingMessage } from 'node:http';
import type { Config } from '../config/config.ts';
import type { Answer } from './responses.ts';

const METHODS = 'GET, HEAD, POST';
const REQUEST_HEADERS =
  'Accept, Authorization, Content-Type, X-API-Key, X-Request-Id, Traceparent, Tracestate, Apollo-Require-Preflight';
const RESPONSE_HEADERS =
  'ETag, RateLimit-Limit, RateLimit-Policy, RateLimit-Remaining, RateLimit-Reset, Retry-After, WWW-Authenticate, X-GraphQL-Cost, X-Request-Id';

const NOTHING: readonly string[] = Object.freeze([]);

export interface CrossOrigin {
  /** Whether the request comes from a page that may read its answer. */
  admits(request: Pick<IncomingMessage, 'headers'>): boolean;
  /** What an answer has to say, names and values by turns. */
  headersFor(request: Pick<IncomingMessage, 'headers'>): readonly string[];
  /** The answer to a browser that asks before it sends; null: it is no such request. */
  answerPreflight(request: Pick<IncomingMessage, 'method' | 'headers'>): Answer | null;
}

/** `cors` null: no page of another site may read anything. */
export function createCrossOrigin(cors: Config['server']['cors']): CrossOrigin {
  if (cors === null) return { admits: () => false, headersFor: () => NOTHING, answerPreflight: () => null };
  const origins = new Set(cors.origins);
  const isOpen = origins.has('*');
  const admits = ({ headers: { origin } }: Pick<IncomingMessage, 'headers'>) =>
    origin !== undefined && (isOpen || origins.has(origin));
  const credentials = cors.credentials ? ['Access-Control-Allow-Credentials', 'true'] : [];
  // Without a word on it an answer for one page could be taken from a cache for another.
  const varies = isOpen ? NOTHING : ['Vary', 'Origin'];
  const common = ['Access-Control-Expose-Headers', RESPONSE_HEADERS, ...credentials, ...varies];
  return {
    admits,
    headersFor: (request) =>
      admits(request)
        ? ['Access-Control-Allow-Origin', isOpen ? '*' : String(request.headers.origin), ...common]
        : varies,
    answerPreflight: (request) => {
      if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return null;
      const allowed = {
        'Access-Control-Allow-Methods': METHODS,
        'Access-Control-Allow-Headers': REQUEST_HEADERS,
        'Access-Control-Max-Age': String(Math.floor(cors.maxAge / 1000)),
      };
      return { status: 204, contentType: 'text/plain', body: '', headers: admits(request) ? allowed : {} };
    },
  };
}

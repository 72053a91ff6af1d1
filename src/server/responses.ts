/** What every answer of the server has in common. */
import type { ServerResponse } from 'node:http';

/**
 * On every answer: nothing is sniffed, framed, or told to other sites, and an answer that says no better is not stored.
 */
const SECURITY_HEADERS: readonly (readonly [string, string])[] = [
  ['X-Content-Type-Options', 'nosniff'],
  ['Referrer-Policy', 'no-referrer'],
  ['Cross-Origin-Resource-Policy', 'same-origin'],
];

/** For everything that is no page: were a browser to show it, it could load, run and be framed by nothing. */
const CLOSED_CONTENT_POLICY = "default-src 'none'; frame-ancestors 'none'";

export interface Answer {
  readonly status: number;
  readonly contentType: string;
  readonly body: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Where an answer goes, and what is to be known of the request for it. */
export interface Exchange {
  readonly response: ServerResponse;
  readonly requestId: string;
  /** A HEAD request: the headers of the answer without its body. */
  readonly headOnly: boolean;
  /** Asked when the answer is sent: whether the connection is to be closed behind it. */
  readonly mustClose: () => boolean;
}

/** Sends the answer, whole; nothing happens when the client has left. */
export function sendAnswer({ response, requestId, headOnly, mustClose }: Exchange, answer: Answer): void {
  if (response.headersSent || response.destroyed) return;
  const body = typeof answer.body === 'string' ? Buffer.from(answer.body) : answer.body;
  for (const [name, value] of SECURITY_HEADERS) response.setHeader(name, value);
  response.setHeader('Content-Security-Policy', CLOSED_CONTENT_POLICY);
  response.setHeader('Cache-Control', 'no-store');
  response.setHeader('X-Request-Id', requestId);
  response.setHeader('Content-Type', answer.contentType);
  if (mustClose()) response.setHeader('Connection', 'close');
  for (const [name, value] of Object.entries(answer.headers ?? {})) response.setHeader(name, value);
  // RFC 9110, section 8.6: a 304 carries no length of a body it does not have.
  if (answer.status !== 304) response.setHeader('Content-Length', body.byteLength);
  response.writeHead(answer.status);
  response.end(headOnly || answer.status === 304 ? undefined : body);
}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** An answer of the endpoints that are not GraphQL: the shape of the registry protocol's errors. */
export function errorAnswer(status: number, code: string, message: string, headers?: Record<string, string>): Answer {
  const body = `${JSON.stringify({ error: { code, message } })}\n`;
  return { status, contentType: JSON_TYPE, body, ...(headers && { headers }) };
}

/** What every answer of the server has in common. */
import type { ServerResponse } from 'node:http';
import type { Quota } from '../access/caller-quotas.ts';
import type { RequestTrace } from '../telemetry/request-trace.ts';

/**
 * On every answer: nothing is sniffed, framed, or told to other sites. The last is for everything that is no page: were a
 * browser to show it, it could load, run and be framed by nothing.
 */
const SECURITY_HEADERS = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
  'Cross-Origin-Resource-Policy': 'same-origin',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
};

/** The same as a list of names and values by turns. */
export const SHARED_HEADERS: readonly string[] = Object.entries(SECURITY_HEADERS).flat();

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
  /** null: it is not traced. */
  readonly trace: RequestTrace | null;
  /** A HEAD request: the headers of the answer without its body. */
  readonly headOnly: boolean;
  /** Asked when the answer is sent: whether the connection is to be closed behind it. */
  readonly mustClose: () => boolean;
  /** Told the status of the answer when it is sent. */
  readonly countStatus: (status: number) => void;
  /** What the answer has to say for the page that asks, names and values by turns. */
  readonly pageHeaders: readonly string[];
  /** What is left to the caller; null: it is not known yet who that is. */
  quota: Quota | null;
}

/** Names and values by turns: what an answer says beside what it is, to this caller and page. */
export function listOwnHeaders({ pageHeaders, quota }: Exchange, nowMs: number): readonly string[] {
  if (quota === null) return pageHeaders;
  return pageHeaders.length === 0 ? quota.describe(nowMs) : [...pageHeaders, ...quota.describe(nowMs)];
}

/** Sends the answer, whole; nothing happens when the client has left. */
export function sendAnswer(exchange: Exchange, answer: Answer): void {
  const { response, requestId, headOnly, mustClose, countStatus } = exchange;
  if (response.headersSent || response.destroyed) return;
  const { status, body, contentType } = answer;
  // An answer that says no better is not stored.
  const headers: Record<string, string | number> = {
    ...SECURITY_HEADERS,
    'Cache-Control': 'no-store',
    'X-Request-Id': requestId,
    'Content-Type': contentType,
  };
  if (mustClose()) headers.Connection = 'close';
  Object.assign(headers, answer.headers);
  const own = listOwnHeaders(exchange, Date.now());
  for (let index = 0; index + 1 < own.length; index += 2) {
    const name = own[index] ?? '';
    const value = own[index + 1] ?? '';
    headers[name] = name === 'Vary' && headers.Vary !== undefined ? `${headers.Vary}, ${value}` : value;
  }
  // RFC 9110, section 8.6: a 304 carries no length of a body it does not have.
  const lengthBytes = typeof body === 'string' ? Buffer.byteLength(body) : body.byteLength;
  if (status !== 304) headers['Content-Length'] = lengthBytes;
  response.writeHead(status, headers);
  if (headOnly || status === 304) response.end();
  // Where each character is a byte, it is so in both encodings, and Node has less to do for "latin1".
  else response.end(body, lengthBytes === body.length ? 'latin1' : 'utf8');
  countStatus(status);
}

export const JSON_TYPE = 'application/json; charset=utf-8';

/** An answer of the endpoints that are not GraphQL: the shape of the registry protocol's errors. */
export function errorAnswer(
  status: number,
  code: string,
  message: string,
  headers?: Readonly<Record<string, string>>,
): Answer {
  const body = `${JSON.stringify({ error: { code, message } })}\n`;
  return { status, contentType: JSON_TYPE, body, ...(headers && { headers }) };
}

/**
 * Answers on the wire: JSON with a length, validators, and errors of one shape.
 */
import type { ServerResponse } from 'node:http';
import { HttpError } from './http-error.ts';

const NO_STORE = { 'cache-control': 'no-store' };

/** Sends JSON text. `node:http` leaves the body of a HEAD answer out by itself. */
export function sendJson(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendBytes(response, status, Buffer.from(text), { 'content-type': 'application/json; charset=utf-8', ...headers });
}

/** Sends bytes with their length. */
export function sendBytes(
  response: ServerResponse,
  status: number,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>>,
): void {
  response.writeHead(status, { ...headers, 'content-length': bytes.byteLength });
  response.end(bytes);
}

/** Answers 304 and says so, when the client's validator is still good; RFC 9110 compares weakly for this. */
export function sendNotModified(
  response: ServerResponse,
  ifNoneMatch: string | undefined,
  headers: Readonly<Record<string, string>> & { readonly etag: string },
): boolean {
  if (ifNoneMatch === undefined) return false;
  const known = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (!known.includes('*') && !known.includes(headers.etag.replace(/^W\//, ''))) return false;
  response.writeHead(304, headers);
  response.end();
  return true;
}

/** Sends the error. What is no HttpError is a fault of this program: the client learns nothing of it. */
export function sendError(response: ServerResponse, error: unknown): void {
  if (response.headersSent) {
    response.destroy();
    return;
  }
  const shown =
    error instanceof HttpError ? error : new HttpError('internal', 'The registry failed. Its log says more.');
  const body = { error: { code: shown.code, message: shown.message, ...shown.details } };
  sendJson(response, shown.status, JSON.stringify(body), { ...NO_STORE, ...shown.headers });
}

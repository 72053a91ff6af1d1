/** Reads the body of a request: bounded, JSON, UTF-8. */
import type { IncomingMessage } from 'node:http';
import { isNestedDeeper } from '../domain/json-depth.ts';
import { RequestError } from './request-error.ts';

// RFC 9110, section 8.3.1: type, subtype, then parameters, of which only charset means something to JSON.
const MEDIA_TYPE = /^\s*([^\s;]+)\s*(?:;(.*))?$/;
const CHARSET = /(?:^|;)\s*charset\s*=\s*"?([^\s;"]+)"?/i;

const decoder = new TextDecoder('utf-8', { fatal: true });

/** Levels of a message; no argument of the schema has a tenth of that. */
const MAX_NESTING = 100;
/** Smaller messages cannot be deep enough to hurt. */
const SHALLOW_BYTES = 16 * 1024;

/** Whether JSON is nested beyond all reason, so that to parse it would take far longer than to read it. */
export function isTooDeep(bytes: Uint8Array): boolean {
  return bytes.length > SHALLOW_BYTES && isNestedDeeper(bytes, MAX_NESTING);
}

/** Throws RequestError with status 400 for bytes that are no JSON or no UTF-8, or nested too deep. */
export function parseJsonBody(bytes: Uint8Array): unknown {
  if (isTooDeep(bytes)) {
    throw new RequestError(
      400,
      'body',
      `The body must be nested ${MAX_NESTING} levels deep at most; this one is deeper.`,
    );
  }
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    throw new RequestError(400, 'body', 'The body must be JSON in UTF-8; what was sent is not.');
  }
}

/**
 * Throws RequestError: 415 for another media type, charset or encoding than JSON in UTF-8 as it is, 413 where the body says
 * that it has more than `maxBytes`.
 */
export function checkBodyHeaders({ headers }: Pick<IncomingMessage, 'headers'>, maxBytes: number): void {
  const mediaType = headers['content-type'];
  // Most clients write it so, and to compare is less than to look up.
  if (mediaType !== 'application/json' && mediaType !== 'application/json; charset=utf-8')
    checkMediaType(mediaType ?? '');
  const encoding = headers['content-encoding'];
  if (encoding !== undefined && encoding.toLowerCase() !== 'identity') {
    throw new RequestError(415, 'content-encoding', 'The body must be sent without content encoding.', {
      'Accept-Encoding': 'identity',
    });
  }
  if (Number(headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
}

function checkMediaType(mediaType: string): void {
  const [, essence, parameters] = MEDIA_TYPE.exec(mediaType) ?? [];
  const charset = CHARSET.exec(parameters ?? '')?.[1]?.toLowerCase() ?? 'utf-8';
  if (essence?.toLowerCase() !== 'application/json' || (charset !== 'utf-8' && charset !== 'utf8')) {
    throw new RequestError(
      415,
      'content-type',
      'The body must be sent as "Content-Type: application/json", in UTF-8.',
      {
        'Accept-Post': 'application/json; charset=utf-8',
      },
    );
  }
}

// What is left of it is read and dropped by node once the answer is out, so that the client gets to read that answer.
function tooLarge(maxBytes: number): RequestError {
  return new RequestError(413, 'body', `The body must have ${maxBytes} bytes at most; this one has more.`);
}

/** The bytes as they came. Throws RequestError: 413 where they are more than `maxBytes`, 400 where they end too early. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge(maxBytes);
  return new Promise((resolve, reject) => collectBody(request, maxBytes, resolve, reject));
}

/**
 * Reads the body and calls one of the two, once: `onBytes` with all of it, or `onError` where it is larger than `maxBytes`
 * (413) or ends before it is complete (400). No promise: one for each request is felt.
 */
export function collectBody(
  request: IncomingMessage,
  maxBytes: number,
  onBytes: (bytes: Buffer) => void,
  onError: (error: RequestError) => void,
): void {
  const expected = Number(request.headers['content-length'] ?? 0);
  let first: Buffer | null = null;
  const later: Buffer[] = [];
  let length = 0;
  let isDone = false;
  request.on('data', (chunk: Buffer) => {
    if (isDone) return;
    length += chunk.byteLength;
    if (length > maxBytes) {
      isDone = true;
      onError(tooLarge(maxBytes));
    } else if (first === null) first = chunk;
    else later.push(chunk);
    // Most bodies come in one piece, and are not waited for any more. Without a listener for errors one that breaks off
    // just closes.
    if (length !== expected && later.length === 0) request.on('close', onClose);
  });
  request.on('end', () => {
    if (isDone) return;
    isDone = true;
    onBytes(first !== null && later.length === 0 ? first : Buffer.concat(first === null ? later : [first, ...later]));
  });
  function onClose(): void {
    if (isDone) return;
    isDone = true;
    onError(new RequestError(400, 'body', 'The body ended before it was complete.'));
  }
}

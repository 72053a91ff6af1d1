/** Reads the body of a request: bounded, JSON, UTF-8. */
import type { IncomingMessage } from 'node:http';
import { RequestError } from './request-error.ts';

// RFC 9110, section 8.3.1: type, subtype, then parameters, of which only charset means something to JSON.
const MEDIA_TYPE = /^\s*([^\s;]+)\s*(?:;(.*))?$/;
const CHARSET = /(?:^|;)\s*charset\s*=\s*"?([^\s;"]+)"?/i;

const decoder = new TextDecoder('utf-8', { fatal: true });

/**
 * Reads and parses a JSON body of `maxBytes` at most. Throws RequestError: 415 for another media type, charset or
 * encoding, 413 for one that is too large, 400 for one that is no JSON or no UTF-8.
 */
export async function readJsonBody(request: IncomingMessage, maxBytes: number): Promise<unknown> {
  checkMediaType(request);
  return parseJsonBody(await readBody(request, maxBytes));
}

/** Throws RequestError (400) for what is no JSON or no UTF-8. */
export function parseJsonBody(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(decoder.decode(bytes));
  } catch {
    throw new RequestError(400, 'body', 'The body must be JSON in UTF-8; what was sent is not.');
  }
}

function checkMediaType(request: IncomingMessage): void {
  const [, essence, parameters] = MEDIA_TYPE.exec(request.headers['content-type'] ?? '') ?? [];
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
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new RequestError(415, 'content-encoding', 'The body must be sent without content encoding.', {
      'Accept-Encoding': 'identity',
    });
  }
}

/** The bytes as they came. Throws RequestError: 413 where they are more than `maxBytes`, 400 where they end too early. */
export async function readBody(request: IncomingMessage, maxBytes: number): Promise<Uint8Array> {
  // What is left of it is read and dropped by node once the answer is out, so that the client gets to read that answer.
  const tooLarge = () =>
    new RequestError(413, 'body', `The body must have ${maxBytes} bytes at most; this one has more.`);
  if (Number(request.headers['content-length'] ?? 0) > maxBytes) throw tooLarge();
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    const finish = (error: RequestError | null) => {
      request.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
      if (error === null) resolve(chunks.length === 1 && chunks[0] ? chunks[0] : Buffer.concat(chunks));
      else reject(error);
    };
    const onData = (chunk: Buffer) => {
      length += chunk.byteLength;
      if (length > maxBytes) finish(tooLarge());
      else chunks.push(chunk);
    };
    const onEnd = () => finish(null);
    const onBroken = () => finish(new RequestError(400, 'body', 'The body ended before it was complete.'));
    request.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
  });
}

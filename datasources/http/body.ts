import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, zstdDecompress } from 'node:zlib';
import { isNestedDeeper } from '../../src/domain/json-depth.ts';
import { protocolFailure } from './failures.ts';
import type { ReceivedBody } from './layer.ts';
import type { RawAnswer } from './receive.ts';

/** What we ask for; deflate and zstd are understood when a registry sends them anyway. */
export const ACCEPT_ENCODING = 'gzip, br';

/** What the log names of the media types that no registry should send; others may be anything that somebody made up. */
const TOLD_TYPES = /^(?:text\/(?:html|plain|xml)|application\/(?:xml|octet-stream|xhtml\+xml|yaml|problem\+xml))?$/;

const gunzipAsync = promisify(gunzip);
const inflateAsync = promisify(inflate);
const unbrotliAsync = promisify<Buffer, { maxOutputLength: number }, Buffer>(brotliDecompress);
const unzstdAsync = promisify<Buffer, { maxOutputLength: number }, Buffer>(zstdDecompress);

/**
 * Gives the body decompressed. `maxBytes` counts what comes out, so that a small body cannot swell beyond it. Throws a
 * PROTOCOL failure for an unknown or broken encoding and for a body that is too large.
 */
export function decodeBody(
  registryName: string,
  answer: RawAnswer,
  maxBytes: number,
): Promise<ReceivedBody> | ReceivedBody {
  const { headers } = answer;
  const encoding = headers['content-encoding']?.trim().toLowerCase() ?? '';
  if (encoding === '' || encoding === 'identity') return toReceivedBody(answer, answer.body);
  return inflateBody(registryName, encoding, answer, maxBytes);
}

async function inflateBody(registryName: string, encoding: string, answer: RawAnswer, maxBytes: number) {
  const options = { maxOutputLength: maxBytes };
  try {
    switch (encoding) {
      case 'gzip':
      case 'x-gzip':
        return toReceivedBody(answer, await gunzipAsync(answer.body, options));
      case 'deflate':
        return toReceivedBody(answer, await inflateAsync(answer.body, options));
      case 'br':
        return toReceivedBody(answer, await unbrotliAsync(answer.body, options));
      case 'zstd':
        return toReceivedBody(answer, await unzstdAsync(answer.body, options));
    }
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw protocolFailure(registryName, `the body cannot be decompressed: ${reason}`, answer.statusCode);
  }
  throw protocolFailure(registryName, 'the body has an unknown encoding', answer.statusCode);
}

const JSON_TYPE = 'application/json';

function toReceivedBody(answer: RawAnswer, bytes: Buffer): ReceivedBody {
  const { headers } = answer;
  const [contentType = ''] = (headers['content-type'] ?? '').split(';', 1);
  const mediaType = contentType.trim().toLowerCase();
  const reprDigest = headers['repr-digest'];
  return {
    bytes,
    // One text for nearly all: it is kept with the answer.
    mediaType: mediaType === JSON_TYPE ? JSON_TYPE : mediaType,
    etag: headers.etag ?? null,
    reprDigest: typeof reprDigest === 'string' ? reprDigest : null,
  };
}

/** An answer of the protocol is some six levels deep. */
const MAX_DEPTH = 64;
/**
 * Smaller bodies are not looked through for their depth: it would take half as long as parsing them, and they cannot be deep
 * enough to hurt. Eight megabytes of brackets would take seconds to parse, and two hundred megabytes.
 */
const SHALLOW_BYTES = 128 * 1024;

/**
 * Reads a body as JSON. The value is unknown and stays so: adapters read the members they know by name, to a fixed depth,
 * and copy nothing by the registry's own keys, so neither deep nesting nor a member called __proto__ reaches anything.
 * Throws a PROTOCOL failure when the body does not say it is JSON, is none, or is nested beyond reason.
 */
export function readJson(registryName: string, body: ReceivedBody): unknown {
  if (!/^(application|text)\/([\w.-]+\+)?json$/.test(body.mediaType)) {
    const given = TOLD_TYPES.test(body.mediaType) ? `"${body.mediaType}"` : 'another one';
    throw protocolFailure(registryName, `the media type must be JSON, it is ${given}`);
  }
  if (body.bytes.length > SHALLOW_BYTES && isNestedDeeper(body.bytes, MAX_DEPTH)) {
    throw protocolFailure(registryName, `nested more than ${MAX_DEPTH} levels deep`);
  }
  try {
    const text = body.bytes.toString('utf8');
    return JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch (error) {
    throw protocolFailure(registryName, `not JSON: ${error instanceof Error ? error.name : String(error)}`);
  }
}

/** What is particular about a request that publishes a document (contract 4): its headers, and the answers that refuse it. */
import { RegistryFailure } from '../../src/domain/errors.ts';
import type { TemplateDocument } from '../../src/domain/template.ts';
import { decodeBody } from './body.ts';
import { failureOfStatus } from './failures.ts';
import type { RawAnswer } from './receive.ts';

/** Of the body of a refusal: an error has two short members. */
const MAX_REFUSAL_BYTES = 64 * 1024;

/** The headers that describe a document. Both digests of RFC 9530 are one, since nothing encodes it on its way. */
export function describeDocument({ mediaType, digest }: TemplateDocument) {
  const field = `sha-256=:${Buffer.from(digest.slice('sha256:'.length), 'hex').toString('base64')}:`;
  return { 'content-type': mediaType, 'content-digest': field, 'repr-digest': field };
}

/** Whether a status says that a document was taken. The protocol has 201 alone; the others mean no less. */
export function isTakenAnswer(statusCode: number): boolean {
  return statusCode === 200 || statusCode === 201;
}

/**
 * Reads why a document was not taken. Gives the digest of what is there, where that version exists (409; null: it is not
 * told); rejects with the RegistryFailure that every other refusal is. Of the body only `code` and `digest` of its `error`
 * are looked at.
 */
export async function readRefusal(
  registryName: string,
  answer: RawAnswer,
): Promise<{ readonly digest: string | null }> {
  const { statusCode, headers } = answer;
  const error = await readErrorMember(registryName, answer);
  switch (statusCode) {
    case 409:
      return { digest: readDigest(headers.etag) ?? readDigest(error.digest) };
    // A server that knows no publishing, and one that has switched it off.
    case 405:
    case 501:
      throw new RegistryFailure('READ_ONLY', registryName, { statusCode });
    case 403:
      if (error.code === 'read_only') throw new RegistryFailure('READ_ONLY', registryName, { statusCode });
  }
  throw failureOfStatus(registryName, statusCode, headers, Date.now());
}

/** The members of `{"error":{"code","message"}}`; none where the body is anything else. Never rejects. */
async function readErrorMember(
  registryName: string,
  answer: RawAnswer,
): Promise<{ readonly code?: unknown; readonly digest?: unknown }> {
  try {
    const body = await decodeBody(registryName, answer, MAX_REFUSAL_BYTES);
    if (body.bytes.length > MAX_REFUSAL_BYTES) return {};
    const json: { error?: unknown } | null = JSON.parse(body.bytes.toString('utf8'));
    const error = json?.error;
    return typeof error === 'object' && error !== null ? error : {};
  } catch {
    return {};
  }
}

function readDigest(value: unknown): string | null {
  const text = typeof value === 'string' ? /sha256:[0-9a-f]{64}/i.exec(value)?.[0] : undefined;
  return text?.toLowerCase() ?? null;
}

/** /content/{registry}/{name}/{version}: the bytes of a template's document, as they are. */
import type { IncomingHttpHeaders } from 'node:http';
import type { Template, TemplateContent } from '../domain/template.ts';
import type { FederationView } from '../federation/answers.ts';
import { matchesEtag } from './entity-tag.ts';
import { type Answer, errorAnswer } from './responses.ts';

/** Shown by browsers as text at most. Anything else is bytes to be kept, whatever a registry says it is. */
const SAFE_MEDIA_TYPES: ReadonlyMap<string, { readonly contentType: string; readonly extension: string }> = new Map([
  ['application/yaml', { contentType: 'application/yaml', extension: '.yaml' }],
  ['application/x-yaml', { contentType: 'application/yaml', extension: '.yaml' }],
  ['text/yaml', { contentType: 'application/yaml', extension: '.yaml' }],
  ['text/x-yaml', { contentType: 'application/yaml', extension: '.yaml' }],
  ['application/json', { contentType: 'application/json', extension: '.json' }],
  ['text/plain', { contentType: 'text/plain; charset=utf-8', extension: '.txt' }],
]);
const OTHER_BYTES = { contentType: 'application/octet-stream', extension: '.bin' };

/** No name of a template or version is longer. */
const MAX_PART_LENGTH = 256;

interface ContentAddress {
  readonly registryName: string;
  readonly name: string;
  readonly version: string;
}

/**
 * Answers a request for a document: 200, 304 where the client has it already, 404 where there is none or none that the
 * caller may see. Throws what the federation throws, and `recordDownload`, which is told before a document is given out.
 * `path` is percent-encoded and begins behind "/content/".
 */
export async function answerContent(
  path: string,
  headers: IncomingHttpHeaders,
  view: FederationView,
  recordDownload: (template: Template) => Promise<void>,
): Promise<Answer> {
  const address = parseAddress(path);
  const found = address === null ? null : await findContent(address, view);
  if (address === null || found === null) {
    return errorAnswer(
      404,
      'NOT_FOUND',
      'There is no such document. Addresses are /content/{registry}/{name}/{version}.',
    );
  }
  const { content, template } = found;
  const etag = `"${content.digest}"`;
  const { contentType, extension } =
    SAFE_MEDIA_TYPES.get(content.mediaType.split(';')[0]?.trim().toLowerCase() ?? '') ?? OTHER_BYTES;
  const shared = {
    ETag: etag,
    // RFC 9530: the digest of the representation, in base64 between colons.
    'Repr-Digest': `sha-256=:${Buffer.from(content.digest.replace(/^sha256:/, ''), 'hex').toString('base64')}:`,
    // Asked for again each time, because a registry may withdraw it and a caller may lose the right to it.
    'Cache-Control': 'private, no-cache',
    Vary: 'Authorization, X-API-Key',
  };
  if (matchesEtag(headers['if-none-match'], etag)) return { status: 304, contentType, body: '', headers: shared };
  await recordDownload(template);
  return {
    status: 200,
    contentType,
    body: content.bytes,
    headers: {
      ...shared,
      'Content-Disposition': `attachment; filename="${toFileName(address)}${extension}"`,
      'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
    },
  };
}

async function findContent(
  address: ContentAddress,
  view: FederationView,
): Promise<{ readonly template: Template; readonly content: TemplateContent } | null> {
  if (!view.registries.some(({ source }) => source.info.name === address.registryName)) return null;
  const template = await view.lookUpTemplate(address.name, address.version, address.registryName);
  const content = template === null ? null : await view.contentOf(template);
  return template === null || content === null ? null : { template, content };
}

/** A slash within a name may stand encoded or, where a proxy decoded it, plain. */
function parseAddress(path: string): ContentAddress | null {
  const parts = path.split('/');
  const [registryName, name, version] = [parts[0], parts.slice(1, -1).join('/'), parts.at(-1)].map(decodePart);
  if (parts.length < 3 || !registryName || !name || !version) return null;
  return { registryName, name, version };
}

function decodePart(part: string | undefined): string | null {
  try {
    const text = decodeURIComponent(part ?? '');
    return text.length <= MAX_PART_LENGTH && !/[\u0000-\u001f\u007f-\u009f]/.test(text) ? text : null;
  } catch {
    return null;
  }
}

function toFileName({ name, version }: ContentAddress): string {
  return `${name}-${version}`.replaceAll(/[^A-Za-z0-9._-]+/g, '-').replace(/^[.-]+/, '') || 'template';
}

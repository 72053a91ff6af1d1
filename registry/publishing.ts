/**
 * Taking a published template: one document, checked, kept, and searchable at once.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type Catalog, PublishedVersion, type TemplateDocument } from './catalog.ts';
import { matchesDigest } from './digests.ts';
import { DOCUMENT_BYTES, readDocument } from './document.ts';
import { writePublished } from './folder.ts';
import { HttpError } from './http-error.ts';
import { formatTemplate } from './reading.ts';
import { sendJson } from './respond.ts';
import { readTemplate, type Standing, type Template } from './template.ts';

const MEDIA_KINDS: Readonly<Record<string, 'yaml' | 'json'>> = {
  'application/yaml': 'yaml',
  'application/x-yaml': 'yaml',
  'text/yaml': 'yaml',
  'application/json': 'json',
};

/** Reads the body of a request; refuses (too_large) as soon as it is longer than a document may be. */
export async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const refuse = () =>
    new HttpError('too_large', `A document must have at most ${DOCUMENT_BYTES} bytes. Send a smaller one.`, {
      headers: { connection: 'close' },
    });
  if (Number(request.headers['content-length'] ?? 0) > DOCUMENT_BYTES) throw refuse();
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of request.iterator({ destroyOnReturn: false })) {
    if (!Buffer.isBuffer(chunk)) throw new Error('the body of a request must come as bytes');
    size += chunk.byteLength;
    if (size > DOCUMENT_BYTES) throw refuse();
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

/** Publishes into one catalogue, and into a folder where there is one. */
export class Publisher {
  readonly #catalog: Catalog;
  readonly #folder: string | null;
  readonly #publicUrl: string | null;
  /** Versions that are being written: the second of two at once is a conflict. */
  readonly #reserved = new Set<string>();

  constructor(catalog: Catalog, folder: string | null, publicUrl: string | null) {
    this.#catalog = catalog;
    this.#folder = folder;
    this.#publicUrl = publicUrl;
  }

  /** Answers 201 with the template; throws an HttpError for everything that is wrong with the request. */
  async publish(request: IncomingMessage, response: ServerResponse, body: Uint8Array): Promise<void> {
    const document = { bytes: body, mediaType: `application/${readKind(request)}` };
    checkDigests(request, body);
    const template = readPublishedTemplate(document, { publishedAt: new Date().toISOString() });
    const key = JSON.stringify([template.name, template.version]);
    this.#refuseKnown(template, key);
    this.#reserved.add(key);
    try {
      const published = await this.#keep(template, document);
      const address = `/api/v1/templates/${encodeURIComponent(template.name)}?version=${encodeURIComponent(template.version)}`;
      sendJson(response, 201, formatTemplate({ publicUrl: this.#publicUrl }, published), {
        location: address,
        'cache-control': 'no-store',
      });
    } finally {
      this.#reserved.delete(key);
    }
  }

  async #keep(template: Template, document: TemplateDocument): Promise<PublishedVersion> {
    let kept = template;
    if (this.#folder !== null) {
      const standing = await writePublished(this.#folder, template.name, template.version, document);
      kept = readPublishedTemplate(document, standing);
    }
    const published = new PublishedVersion(kept, () => document);
    this.#catalog.add([published]);
    return published;
  }

  /** The digest of what is there lets a client that sent the same document twice see that all is well. */
  #refuseKnown({ name, version }: Template, key: string): void {
    const known = this.#catalog.findVersion(name, version);
    if (known === null && !this.#reserved.has(key)) return;
    throw new HttpError('version_exists', 'That version exists already. Publish under another version.', {
      ...(known === null ? {} : { headers: { etag: `"${known.digest}"` }, details: { digest: known.digest } }),
    });
  }
}

function readKind(request: IncomingMessage): 'yaml' | 'json' {
  const mediaType = (request.headers['content-type'] ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
  const kind = MEDIA_KINDS[mediaType];
  const encoding = request.headers['content-encoding'] ?? 'identity';
  if (kind === undefined || encoding !== 'identity') {
    throw new HttpError(
      'unsupported_media_type',
      'A document must be sent as application/yaml or application/json, uncompressed.',
      {
        headers: { 'accept-post': 'application/yaml, application/json' },
      },
    );
  }
  return kind;
}

function checkDigests({ headers }: IncomingMessage, body: Uint8Array): void {
  const repr = headers['repr-digest'];
  const content = headers['content-digest'];
  if (typeof repr !== 'string') {
    throw new HttpError('bad_digest', 'A document must come with its Repr-Digest (RFC 9530, sha-256 or sha-512).');
  }
  if (!matchesDigest(repr, body) || (typeof content === 'string' && !matchesDigest(content, body))) {
    throw new HttpError('bad_digest', 'The document is not the one that its digest speaks of. Send it again.');
  }
}

function readPublishedTemplate(document: TemplateDocument, standing: Standing): Template {
  const reading = readDocument(document.bytes, document.mediaType === 'application/json' ? 'json' : 'yaml');
  if (!reading.ok) throw new HttpError('bad_document', `The document cannot be read: ${reading.fault}.`);
  const template = readTemplate(reading.value, standing);
  if (template.ok) return template.template;
  throw new HttpError('invalid_template', `The template is not valid: ${template.faults.join('; ')}.`, {
    details: { faults: template.faults },
  });
}

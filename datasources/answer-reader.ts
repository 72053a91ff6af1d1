/** Reads what a registry answered, and holds it to what was asked for. */
import { createHash } from 'node:crypto';
import { RegistryFailure } from '../src/domain/errors.ts';
import { normalizeName } from '../src/domain/names.ts';
import type { RowPage, RowRequest } from '../src/domain/registry.ts';
import type { CategoryCount, Template, TemplateContent, TemplateVersion } from '../src/domain/template.ts';
import { readJson } from './http/body.ts';
import type { ReceivedBody } from './http/layer.ts';
import type { MappingContext, RegistryDefinition } from './registry-definition.ts';

/** Each method throws a PROTOCOL failure, or what the definition throws, where the body is no answer to the question. */
export class AnswerReader {
  readonly #definition: RegistryDefinition;
  readonly #context: MappingContext;

  constructor(definition: RegistryDefinition, context: MappingContext) {
    this.#definition = definition;
    this.#context = context;
  }

  readRows(body: ReceivedBody, request: RowRequest): RowPage {
    const json = this.#readJson(body);
    const page = this.#definition.search.toPage(json, this.#context, request);
    if (page.rows.length === 0) this.#refuseError(json);
    return page;
  }

  readVersions(body: ReceivedBody): readonly TemplateVersion[] {
    const json = this.#readJson(body);
    const versions = this.#definition.versions.toVersions(json);
    if (versions.length === 0) this.#refuseError(json);
    return versions;
  }

  readCategories(body: ReceivedBody): readonly CategoryCount[] {
    return this.#definition.categories.toCategories(this.#readJson(body));
  }

  /** Another template than the one asked for would slip past claims and access, which go by the name. */
  readTemplate(body: ReceivedBody, name: string, version: string | null): Template {
    const template = this.#definition.template.toTemplate(this.#readJson(body), this.#context);
    if (template === null) throw this.failure('a template without a usable name or version');
    if (template.name !== name && normalizeName(template.name) !== normalizeName(name)) {
      throw this.failure('another template than the one asked for');
    }
    if (version !== null && template.version !== version) {
      throw this.failure('another version than the one asked for');
    }
    return template;
  }

  /** The digest is computed here; one that the registry sends along (contract 4) must be the same. */
  readContent(body: ReceivedBody): TemplateContent {
    const hash = createHash('sha256').update(body.bytes).digest();
    const digest = `sha256:${hash.toString('hex')}`;
    const tag = /sha256:[0-9a-f]{64}/i.exec(body.etag ?? '')?.[0];
    if (tag !== undefined && tag.toLowerCase() !== digest) throw this.failure('the ETag is of another document');
    const representation = /sha-256=:([A-Za-z0-9+/=]+):/.exec(body.reprDigest ?? '')?.[1];
    if (representation !== undefined && representation !== hash.toString('base64')) {
      throw this.failure('Repr-Digest is of another document');
    }
    return Object.freeze({ bytes: body.bytes, mediaType: body.mediaType || 'application/octet-stream', digest });
  }

  /** Its answer is none of the protocol; `logDetail` is for the log alone. */
  failure(logDetail: string): RegistryFailure {
    return new RegistryFailure('PROTOCOL', this.#context.registryName, { logDetail });
  }

  /** A registry that fails may say so beside an empty list and under a good status: that list is no answer. */
  #refuseError(json: unknown): void {
    if (typeof json !== 'object' || json === null || !('error' in json)) return;
    if (json.error !== null && json.error !== undefined) {
      throw this.failure('an error in the place of an answer');
    }
  }

  #readJson(body: ReceivedBody): unknown {
    return readJson(this.#context.registryName, body);
  }
}

import type { RegistryConfig } from '../src/config/config.ts';
import type { TemplateState } from '../src/domain/cache.ts';
import type { CallerToken } from '../src/domain/caller-token.ts';
import { type RegistryErrorType, RegistryFailure, type RegistryFailureDetails } from '../src/domain/errors.ts';
import type {
  Answer,
  CallOptions,
  RegistryHealth,
  RegistryInfo,
  RegistryMetrics,
  RegistryOperation,
  RegistrySource,
  RowPage,
  RowRequest,
} from '../src/domain/registry.ts';
import type {
  CategoryCount,
  Template,
  TemplateContent,
  TemplateDocument,
  TemplateVersion,
} from '../src/domain/template.ts';
import { AnswerReader } from './answer-reader.ts';
import { isAskable } from './askable-names.ts';
import type { Upstream } from './http/chain.ts';
import type { Handler, ReceivedBody, UpstreamRequest, UpstreamResponse } from './http/layer.ts';
import type { RegistryDefinition } from './registry-definition.ts';

/** Bodies beyond these are refused, decompressed bytes counted. */
const MAX_ANSWER_BYTES = 8 * 1024 * 1024;
const MAX_CONTENT_BYTES = 10 * 1024 * 1024;
/** Documents beyond this are fetched again rather than kept: one would push a hundred windows out of the cache. */
const KEEP_CONTENT_BYTES = 256 * 1024;

/** What a registry is built of. */
export interface RestRegistryParts {
  readonly config: RegistryConfig;
  readonly definition: RegistryDefinition;
  readonly upstream: Upstream;
  noteClaimedName(name: string): void;
  readHealth(): RegistryHealth;
  readMetrics(windowMs: number): RegistryMetrics;
}

/** What one operation asks for, beside what the caller wants. */
type Endpoint<T> = Pick<UpstreamRequest, 'operation' | 'path' | 'subject' | 'timeoutMs' | 'lifetimeMs' | 'absence'> & {
  readonly parse: (body: ReceivedBody) => T;
  readonly accept?: string;
  readonly maxBytes?: number;
  readonly keepUpToBytes?: number;
};

/** Builds a registry from a definition: fetch (through the http layers), parse, map. */
export function createRestRegistry(parts: RestRegistryParts): RegistrySource {
  return new RestRegistry(parts);
}

class RestRegistry implements RegistrySource {
  readonly info: RegistryInfo;
  readonly #parts: RestRegistryParts;
  readonly #reader: AnswerReader;
  readonly #token: CallerToken | null;
  readonly forCaller?: (token: CallerToken) => RegistrySource;

  constructor(parts: RestRegistryParts, token: CallerToken | null = null) {
    const { config, definition } = parts;
    this.info = Object.freeze({
      name: config.name,
      type: config.type,
      kind: config.kind,
      url: config.url,
      writable: definition.publish !== null && !config.readOnly,
      namespace: config.namespace,
      claims: config.claims,
      access: config.access,
    });
    this.#parts = parts;
    this.#token = token;
    if (config.credentials?.type === 'passthrough') this.forCaller = (own) => new RestRegistry(parts, own);
    this.#reader = new AnswerReader(definition, {
      registryName: config.name,
      popularityScale: config.popularityScale,
    });
  }

  searchRows(request: RowRequest, options: CallOptions): Promise<Answer<RowPage>> {
    const { config, definition } = this.#parts;
    return this.#call(
      {
        operation: 'SEARCH',
        path: definition.search.buildPath(request),
        subject: {
          layer: 'SEARCH',
          query: request.query,
          criteria: request.criteria,
          names: request.names ?? null,
        },
        timeoutMs: config.timeouts.search,
        lifetimeMs: options.purpose === 'NAMES' ? config.cache.catalog : config.cache.search,
        absence: 'FAILURE',
        parse: (body) => this.#reader.readRows(body, request),
      },
      options,
    );
  }

  async fetchTemplate(name: string, version: string | null, options: CallOptions): Promise<Answer<Template | null>> {
    if (!isAskable(name) || !isAskable(version ?? 'newest')) return unaskedAnswer();
    const { config, definition } = this.#parts;
    return this.#call<Template | null>(
      {
        operation: 'TEMPLATE',
        path: definition.template.buildPath(name, version),
        subject: { layer: 'TEMPLATE', name },
        timeoutMs: config.timeouts.template,
        lifetimeMs: config.cache.template,
        absence: 'ANSWER',
        parse: (body) => this.#reader.readTemplate(body, name, version),
      },
      options,
    );
  }

  async fetchVersions(name: string, options: CallOptions): Promise<Answer<readonly TemplateVersion[] | null>> {
    if (!isAskable(name)) return unaskedAnswer();
    const { config, definition } = this.#parts;
    return this.#call<readonly TemplateVersion[] | null>(
      {
        operation: 'TEMPLATE',
        path: definition.versions.buildPath(name),
        subject: { layer: 'TEMPLATE', name },
        timeoutMs: config.timeouts.template,
        lifetimeMs: config.cache.template,
        absence: 'ANSWER',
        parse: (body) => this.#reader.readVersions(body),
      },
      options,
    );
  }

  async fetchContent(name: string, version: string, options: CallOptions): Promise<Answer<TemplateContent | null>> {
    if (!isAskable(name) || !isAskable(version)) return unaskedAnswer();
    const { config, definition } = this.#parts;
    const content = this.#call<TemplateContent | null>(
      {
        operation: 'TEMPLATE',
        path: definition.content.buildPath(name, version),
        subject: { layer: 'TEMPLATE', name },
        timeoutMs: config.timeouts.template,
        lifetimeMs: config.cache.template,
        absence: 'ANSWER',
        accept: '*/*',
        maxBytes: MAX_CONTENT_BYTES,
        keepUpToBytes: KEEP_CONTENT_BYTES,
        parse: (body) => this.#reader.readContent(body),
      },
      options,
    );
    // Without an answer about the template there is nothing to compare with; the document's own digests were compared.
    const listed = this.fetchTemplate(name, version, options).then(
      (answer) => answer.value?.digest ?? null,
      () => null,
    );
    const [answer, digest] = await Promise.all([content, listed]);
    if (answer.value !== null && digest !== null && digest !== answer.value.digest) {
      throw this.#reader.failure('the document is not the one whose digest the template states');
    }
    return answer;
  }

  fetchCategories(options: CallOptions): Promise<Answer<readonly CategoryCount[]>> {
    const { config, definition } = this.#parts;
    return this.#call(
      {
        operation: 'CATALOG',
        path: definition.categories.buildPath(),
        subject: { layer: 'CATALOG' },
        timeoutMs: config.timeouts.template,
        lifetimeMs: config.cache.catalog,
        absence: 'FAILURE',
        parse: (body) => this.#reader.readCategories(body),
      },
      options,
    );
  }

  async publishTemplate(document: TemplateDocument): Promise<Template | null> {
    const { config, definition, upstream } = this.#parts;
    if (definition.publish === null || !this.info.writable) throw new RegistryFailure('READ_ONLY', this.info.name);
    const { outcome, value } = await this.#inCallersName(upstream.publish, {
      operation: 'PUBLISH',
      path: definition.publish.buildPath(),
      purpose: null,
      subject: null,
      accept: 'application/json',
      maxBytes: MAX_ANSWER_BYTES,
      keepUpToBytes: 0,
      timeoutMs: config.timeouts.publish,
      lifetimeMs: 0,
      absence: 'FAILURE',
      parse: (body) => this.#readPublished(body, document),
      deadlineMs: Number.POSITIVE_INFINITY,
      notBeforeMs: 0,
      etag: null,
      document,
      waiters: { latestDeadlineMs: Number.POSITIVE_INFINITY, background: false },
      traceHeaders: null,
      attempt: null,
    });
    if (outcome !== 'EXISTS') {
      // Whoever answers without the template may be a proxy that took nothing: only what is listed was published.
      return (value as Template | null) ?? (await this.#findPublished(document, 'PROTOCOL'));
    }
    if (value === null) return await this.#findPublished(document, 'CONFLICT');
    if (value !== document.digest) throw new RegistryFailure('CONFLICT', this.info.name, { statusCode: 409 });
    // It is published, that is sure by its digest: without a look at it the answer has no template, and no failure.
    return await this.#findPublished(document, 'CONFLICT').catch(() => null);
  }

  /** null: it is not the template that was sent, or none at all. */
  #readPublished(body: ReceivedBody, { name, version }: TemplateDocument): Template | null {
    try {
      return this.#reader.readTemplate(body, name, version);
    } catch {
      return null;
    }
  }

  /** The template as it is listed now. Rejects with a failure of that type where it is not listed, or of another document. */
  async #findPublished({ name, version, digest }: TemplateDocument, otherwise: RegistryErrorType): Promise<Template> {
    const nowMs = Date.now();
    const deadlineMs = performance.now() + this.#parts.config.timeouts.template;
    const { value } = await this.fetchTemplate(name, version, { deadlineMs, notBeforeMs: nowMs });
    const isSame = value?.digest === digest || (value?.digest === null && otherwise === 'PROTOCOL');
    if (value !== null && isSame) return value;
    const statusCode = otherwise === 'CONFLICT' ? 409 : null;
    throw new RegistryFailure(otherwise, this.info.name, { statusCode, logDetail: 'what was sent is not listed' });
  }

  peekRows(request: RowRequest): number {
    return this.#parts.upstream.peek(this.#parts.definition.search.buildPath(request), this.#token);
  }

  async recallTemplate(name: string): Promise<TemplateState | null> {
    if (!isAskable(name)) return 'ABSENT';
    const { definition, upstream } = this.#parts;
    // As `fetchTemplate` asks for it: what is kept under the path was made by this very `parse`.
    const kept = await upstream.recall(
      definition.template.buildPath(name, null),
      (body) => this.#reader.readTemplate(body, name, null),
      this.#token,
    );
    if (kept === undefined) return null;
    return kept === null ? 'ABSENT' : (kept as Template);
  }

  canAnswer(): boolean {
    return this.#parts.upstream.admits('SEARCH');
  }

  noteClaimedName(name: string): void {
    this.#parts.noteClaimedName(name);
  }

  resetCircuit(operation: RegistryOperation | null): void {
    this.#parts.upstream.resetCircuit(operation);
  }

  readHealth(): RegistryHealth {
    return this.#parts.readHealth();
  }

  readMetrics(windowMs: number): RegistryMetrics {
    return this.#parts.readMetrics(windowMs);
  }

  #call<T>(endpoint: Endpoint<T>, options: CallOptions): Promise<Answer<T>> {
    const startedAtMs = performance.now();
    const request: UpstreamRequest = {
      operation: endpoint.operation,
      path: endpoint.path,
      purpose: options.purpose ?? null,
      subject: endpoint.subject,
      accept: endpoint.accept ?? 'application/json',
      maxBytes: endpoint.maxBytes ?? MAX_ANSWER_BYTES,
      keepUpToBytes: endpoint.keepUpToBytes ?? MAX_ANSWER_BYTES,
      timeoutMs: endpoint.timeoutMs,
      lifetimeMs: endpoint.lifetimeMs,
      absence: endpoint.absence,
      parse: endpoint.parse,
      deadlineMs: options.deadlineMs,
      notBeforeMs: options.notBeforeMs ?? 0,
      etag: null,
      document: null,
      waiters: { latestDeadlineMs: options.deadlineMs, background: options.background ?? false },
      traceHeaders: null,
      attempt: null,
    };
    const { call } = this.#parts.upstream;
    const called = this.forCaller === undefined ? call(request) : this.#inCallersName(call, request);
    return called.then((response) => ({
      // A path belongs to one operation, so what the cache has under it was made by this very `parse` (or is the null of
      // an absence, which only operations whose T has null ask for).
      value: response.value as T,
      cache: response.cache,
      fetchedAtMs: response.fetchedAtMs,
      freshUntilMs: response.freshUntilMs,
      tookMs: performance.now() - startedAtMs,
      staleBecause: response.staleBecause,
    }));
  }

  /** By the caller's token, where the registry is asked so: one that it refuses is its caller's matter, and without one nothing is sent. */
  async #inCallersName(call: Handler, request: UpstreamRequest): Promise<UpstreamResponse> {
    if (this.forCaller === undefined) return await call(request);
    if (this.#token === null) throw this.#callersFailure({ refusedHere: true });
    try {
      return await call({ ...request, token: this.#token });
    } catch (error) {
      if (!(error instanceof RegistryFailure) || error.type !== 'AUTHENTICATION') throw error;
      throw this.#callersFailure({ statusCode: error.statusCode });
    }
  }

  #callersFailure(details: RegistryFailureDetails): RegistryFailure {
    return new RegistryFailure('AUTHENTICATION', this.info.name, { ...details, byCallersToken: true });
  }
}

function unaskedAnswer(): Answer<null> {
  return {
    value: null,
    cache: 'BYPASS',
    fetchedAtMs: Date.now(),
    // It depends on nothing but the name.
    freshUntilMs: Number.POSITIVE_INFINITY,
    tookMs: 0,
    staleBecause: null,
  };
}

/**
 * Registries of generated rows without a socket: the protocol's own search over rows, its answers through the real adapter's
 * parser, so that properties can be tried on thousands of rows and hundreds of walks.
 */
import { marketplace } from '../../datasources/marketplace/index.ts';
import { RegistryFailure } from '../../src/domain/errors.ts';
import type {
  Answer,
  CallOptions,
  RegistryInfo,
  RegistrySource,
  RowPage,
  RowRequest,
} from '../../src/domain/registry.ts';
import type { Template, TemplateDocument } from '../../src/domain/template.ts';
import { type CatalogBehaviour, FaultyCatalog, type WireTemplate } from './faulty-registry-catalog.ts';

export interface CatalogSourceOptions {
  readonly name: string;
  readonly rank: number;
  readonly rows: readonly WireTemplate[];
  readonly behaviour?: CatalogBehaviour;
  readonly info?: Partial<RegistryInfo>;
  /** Answers are kept for ever, as a cache would, until `forgetAnswers`. */
  readonly keepsAnswers?: boolean;
}

export class CatalogSource implements RegistrySource {
  /** `rank`: its place in the resolution order, for what the tests sort themselves. */
  readonly info: RegistryInfo & { readonly rank: number };
  readonly catalog: FaultyCatalog;
  /** The paths that were asked for, in order: what an upstream would have seen. */
  readonly asked: string[] = [];
  /** Set to have every call fail so. */
  failure: RegistryFailure | null = null;
  readonly #keepsAnswers: boolean;
  readonly #kept = new Map<string, { readonly page: RowPage; readonly fetchedAtMs: number }>();

  constructor(options: CatalogSourceOptions) {
    this.info = {
      name: options.name,
      type: 'COMMUNITY',
      kind: 'marketplace',
      url: 'http://127.0.0.1:1',
      rank: options.rank,
      writable: false,
      namespace: 'marketplace',
      claims: [],
      access: null,
      ...options.info,
    };
    this.catalog = new FaultyCatalog(options.rows, options.behaviour ?? { claimsTotalOrder: true });
    this.#keepsAnswers = options.keepsAnswers ?? false;
  }

  /** Rows that were asked for, summed over all requests. */
  get rowsAsked(): number {
    return this.asked.reduce((sum, path) => sum + Number(new URLSearchParams(path.split('?')[1]).get('limit') ?? 0), 0);
  }

  lose(): void {
    this.failure = new RegistryFailure('CONNECTION', this.info.name);
  }

  regain(): void {
    this.failure = null;
  }

  forgetAnswers(): void {
    this.#kept.clear();
  }

  async searchRows(request: RowRequest, options: CallOptions): Promise<Answer<RowPage>> {
    await Promise.resolve();
    const path = marketplace.search.buildPath(request);
    const kept = this.#kept.get(path);
    if (kept !== undefined && kept.fetchedAtMs >= (options.notBeforeMs ?? 0)) {
      return {
        value: kept.page,
        cache: 'HIT',
        fetchedAtMs: kept.fetchedAtMs,
        freshUntilMs: Number.POSITIVE_INFINITY,
        tookMs: 0,
        staleBecause: null,
      };
    }
    if (this.failure !== null) throw this.failure;
    this.asked.push(path);
    const body = this.catalog.search(new URLSearchParams(path.split('?')[1]));
    const page = marketplace.search.toPage(body, { registryName: this.info.name, popularityScale: 1 }, request);
    const fetchedAtMs = Date.now();
    if (this.#keepsAnswers) this.#kept.set(path, { page, fetchedAtMs });
    return {
      value: page,
      cache: 'MISS',
      fetchedAtMs,
      freshUntilMs: Number.POSITIVE_INFINITY,
      tookMs: 0,
      staleBecause: null,
    };
  }

  async fetchTemplate(name: string, version: string | null): Promise<Answer<Template | null>> {
    await Promise.resolve();
    this.asked.push(marketplace.template.buildPath(name, version));
    if (this.failure !== null) throw this.failure;
    const row = this.catalog.rows.find((each) => each.name === name && (version === null || each.version === version));
    const value = marketplace.template.toTemplate(row, { registryName: this.info.name, popularityScale: 1 });
    return {
      value: row === undefined ? null : value,
      cache: 'MISS',
      fetchedAtMs: Date.now(),
      freshUntilMs: Number.POSITIVE_INFINITY,
      tookMs: 0,
      staleBecause: null,
    };
  }

  fetchVersions(): Promise<never> {
    return this.#refuse();
  }

  fetchContent(): Promise<never> {
    return this.#refuse();
  }

  fetchCategories(): Promise<never> {
    return this.#refuse();
  }

  async publishTemplate({ name, version }: TemplateDocument): Promise<null> {
    if (this.failure !== null) throw this.failure;
    this.catalog.insert({ name, version });
    return null;
  }

  peekRows(request: RowRequest): number {
    return this.#kept.has(marketplace.search.buildPath(request)) ? Number.POSITIVE_INFINITY : 0;
  }

  async recallTemplate(): Promise<null> {
    return null;
  }

  canAnswer(): boolean {
    return this.failure === null;
  }

  noteClaimedName(): void {}

  resetCircuit(): void {}

  readHealth(): never {
    throw new Error('a registry without a socket has no health');
  }

  readMetrics(): never {
    throw new Error('a registry without a socket has no metrics');
  }

  #refuse(): Promise<never> {
    return Promise.reject(new RegistryFailure('INVALID', this.info.name));
  }
}

/** A registry of generated rows without a socket that answers everything: categories, versions and documents too. */
import { createHash } from 'node:crypto';
import { RegistryFailure } from '../../src/domain/errors.ts';
import type {
  Answer,
  CallOptions,
  RegistryInfo,
  RegistrySource,
  RowPage,
  RowRequest,
} from '../../src/domain/registry.ts';
import type {
  CategoryCount,
  Template,
  TemplateContent,
  TemplateDocument,
  TemplateVersion,
} from '../../src/domain/template.ts';
import { CatalogSource, type CatalogSourceOptions } from './catalog-source.ts';
import type { WireTemplate } from './faulty-registry-catalog.ts';

export class FullSource implements RegistrySource {
  readonly info: RegistryInfo;
  readonly rows: CatalogSource;

  constructor(options: CatalogSourceOptions) {
    this.rows = new CatalogSource(options);
    this.info = this.rows.info;
  }

  lose(): void {
    this.rows.lose();
  }

  regain(): void {
    this.rows.regain();
  }

  searchRows(request: RowRequest, options: CallOptions): Promise<Answer<RowPage>> {
    return this.rows.searchRows(request, options);
  }

  fetchTemplate(name: string, version: string | null): Promise<Answer<Template | null>> {
    return this.rows.fetchTemplate(name, version);
  }

  fetchVersions(name: string): Promise<Answer<readonly TemplateVersion[] | null>> {
    const rows = this.rows.catalog.rows.filter((row) => row.name === name);
    const toVersion = ({ version }: WireTemplate): TemplateVersion => ({
      ...{ version, publishedAtMs: null, deprecated: false, withdrawnAtMs: null, digest: null },
    });
    return this.#answer(rows.length === 0 ? null : rows.map(toVersion));
  }

  fetchContent(name: string, version: string): Promise<Answer<TemplateContent | null>> {
    const bytes = Buffer.from(`${this.info.name} ${name} ${version}`);
    const digest = `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
    return this.#answer({ bytes, mediaType: 'text/plain', digest });
  }

  fetchCategories(): Promise<Answer<readonly CategoryCount[]>> {
    const counts = new Map<string, number>();
    for (const { category } of this.rows.catalog.rows) {
      if (typeof category === 'string') counts.set(category, (counts.get(category) ?? 0) + 1);
    }
    return this.#answer([...counts].map(([name, count]) => ({ name, count })));
  }

  publishTemplate(document: TemplateDocument): Promise<null> {
    return this.rows.publishTemplate(document);
  }

  peekRows(): number {
    return 0;
  }

  async recallTemplate(): Promise<null> {
    return null;
  }

  canAnswer(): boolean {
    return this.rows.canAnswer();
  }

  noteClaimedName(): void {}

  resetCircuit(): void {}

  readHealth(): never {
    return this.rows.readHealth();
  }

  readMetrics(): never {
    return this.rows.readMetrics();
  }

  async #answer<T>(value: T): Promise<Answer<T>> {
    await Promise.resolve();
    if (!this.canAnswer()) throw new RegistryFailure('CONNECTION', this.info.name);
    return {
      value,
      cache: 'MISS',
      fetchedAtMs: Date.now(),
      freshUntilMs: Number.POSITIVE_INFINITY,
      tookMs: 0,
      staleBecause: null,
    };
  }
}

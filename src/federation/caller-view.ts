/** The federation as one caller sees it, for one request. */
import type { CacheInvalidation, ChangingCache } from '../domain/cache.ts';
import { BadUserInput, RegistriesUnavailable, RegistryFailure } from '../domain/errors.ts';
import { NO_CRITERIA, type RegistryType, type SearchConfig, type SearchRequest } from '../domain/search.ts';
import type { Template, TemplateContent, TemplateDocument, TemplateVersion } from '../domain/template.ts';
import type {
  FederatedCategory,
  FederationView,
  Freshness,
  Publication,
  SearchProgress,
  SearchResult,
  TemplateSources,
  VisibleRegistry,
} from './answers.ts';
import type { FreshnessRecord } from './freshness-record.ts';
import { type OnHealthChange, watchHealth } from './health-watch.ts';
import type { LookUps } from './look-up.ts';
import { type PublishingSetting, publishDocument, rehearsePublication } from './publishing.ts';
import type { SearchEngine } from './search-engine.ts';
import { streamProgress } from './search-progress.ts';
import { describeUnknown } from './unknown-registry.ts';
import type { Usage } from './usage.ts';
import { sortVersions } from './versions.ts';

/** What a view is made of. */
export interface CallerViewParts {
  readonly registries: readonly VisibleRegistry[];
  readonly engine: SearchEngine;
  readonly lookUps: LookUps;
  readonly usage: Usage | null;
  readonly search: SearchConfig;
  readonly cache: ChangingCache | null;
  /** There is no registry that the caller may not see. */
  readonly seesAll: boolean;
  readonly freshness: FreshnessRecord;
  /** When searches were begun (`performance.now()`), of all views: equal ones are one. */
  readonly begun: WeakMap<Promise<SearchResult>, number>;
  readonly publishing: PublishingSetting & { readonly defaultRegistry: string | null };
  readonly onHealthChange: OnHealthChange;
}

/** See `FederationView`. Nothing here looks beyond the registries that it is given. */
export class CallerView implements FederationView {
  readonly registries: readonly VisibleRegistry[];
  readonly #engine: SearchEngine;
  readonly #lookUps: LookUps;
  readonly #usage: Usage | null;
  readonly #config: SearchConfig;
  readonly #cache: ChangingCache | null;
  readonly #seesAll: boolean;
  readonly #freshness: FreshnessRecord;
  readonly #begun: CallerViewParts['begun'];
  readonly #publishing: CallerViewParts['publishing'];
  readonly #onHealthChange: OnHealthChange;

  constructor(parts: CallerViewParts) {
    const { registries, engine, lookUps, usage, search, cache, seesAll, freshness, begun } = parts;
    this.registries = registries;
    this.#engine = engine;
    this.#lookUps = lookUps;
    this.#usage = usage;
    this.#config = search;
    this.#cache = cache;
    this.#seesAll = seesAll;
    this.#freshness = freshness;
    this.#begun = begun;
    this.#publishing = parts.publishing;
    this.#onHealthChange = parts.onHealthChange;
  }

  readFreshness(): Freshness {
    return this.#freshness;
  }

  registryNamed(name: string, field: string): VisibleRegistry {
    const found = this.registries.find(({ source }) => source.info.name === name);
    if (found !== undefined) return found;
    throw new BadUserInput(field, describeUnknown(name, field, this.registries));
  }

  registriesOfTypes(types: readonly RegistryType[] | null): readonly VisibleRegistry[] {
    return types === null ? this.registries : this.registries.filter(({ source }) => types.includes(source.info.type));
  }

  async invalidateCache(invalidation: Pick<CacheInvalidation, 'registry' | 'layer' | 'template'>): Promise<number> {
    const { registry } = invalidation;
    if (registry !== undefined) this.registryNamed(registry, 'input.registry');
    const cache = this.#cache;
    if (cache === null) return 0;
    if (registry !== undefined || this.#seesAll) return await cache.invalidate(invalidation);
    // A count over registries that the caller may not see would tell of them.
    const names = this.registries.map(({ source }) => source.info.name);
    const counts = await Promise.all(names.map((name) => cache.invalidate({ ...invalidation, registry: name })));
    return counts.reduce((sum, count) => sum + count, 0);
  }

  registryToPublishTo(name: string | null, field: string): VisibleRegistry {
    if (name !== null) return this.registryNamed(name, field);
    // One that the caller may not see is none.
    const found = this.registries.find(({ source }) => source.info.name === this.#publishing.defaultRegistry);
    if (found !== undefined) return found;
    throw new BadUserInput(field, `"${field}" must name a registry: this gateway has no default for it.`);
  }

  publishTemplate({ source }: VisibleRegistry, document: TemplateDocument, dryRun: boolean): Promise<Publication> {
    return dryRun
      ? rehearsePublication(source, document, this.#publishing)
      : publishDocument(source, document, this.#publishing);
  }

  /** Throws BadUserInput. */
  #registriesAsked(request: SearchRequest): readonly VisibleRegistry[] {
    const { registries, registryTypes } = request.filter;
    for (const name of registries ?? []) this.registryNamed(name, 'filter.registries');
    for (const name of request.require) this.registryNamed(name, 'require');
    return this.registriesOfTypes(registryTypes).filter(
      ({ source }) => registries === null || registries.includes(source.info.name),
    );
  }

  async search(request: SearchRequest): Promise<SearchResult> {
    const asked = this.#registriesAsked(request);
    const startedMs = performance.now();
    const running = this.#engine.search(asked, request);
    const sinceMs = this.#begun.get(running) ?? startedMs;
    this.#begun.set(running, sinceMs);
    const result = await running;
    this.#freshness.noteSearch(result, request.collapse, sinceMs);
    return result;
  }

  searchProgressively(request: SearchRequest): AsyncIterableIterator<SearchProgress> {
    const asked = this.#registriesAsked(request);
    const startedMs = performance.now();
    return streamProgress(asked.length, async (watcher) => {
      const result = await this.#engine.search(asked, request, watcher);
      this.#freshness.noteSearch(result, request.collapse, startedMs);
      return result;
    });
  }

  watchHealth(registryNames: readonly string[] | null): AsyncIterableIterator<VisibleRegistry> {
    return watchHealth(this.#registriesNamed(registryNames), this.#onHealthChange);
  }

  /** In the order of the names, each once; null: all. Throws BadUserInput. */
  #registriesNamed(names: readonly string[] | null): readonly VisibleRegistry[] {
    if (names === null) return this.registries;
    return [...new Set(names)].map((name) => this.registryNamed(name, 'registries'));
  }

  async lookUpTemplate(name: string, version: string | null, registryName: string | null): Promise<Template | null> {
    if (registryName !== null) this.registryNamed(registryName, 'registry');
    this.#noteLookUp(name, version, registryName);
    return await this.#lookUps.load(name, version, registryName);
  }

  #noteLookUp(name: string, version: string | null, registryName: string | null): void {
    if (this.#usage === null) return;
    const registries = this.registries.map(({ source }) => source.info.name);
    const used = { registries, name, version, registryName };
    this.#usage.lookUps.note(JSON.stringify(used), () => used);
  }

  registryOf(template: Template): VisibleRegistry {
    return this.registryNamed(template.registryName, 'registry');
  }

  sourcesOf(template: Template): Promise<TemplateSources> {
    return this.#lookUps.sourcesOf(template);
  }

  async versionsOf(template: Template): Promise<readonly TemplateVersion[] | null> {
    const { source } = this.registryOf(template);
    const answer = await source.fetchVersions(template.name, this.#callOptions());
    this.#freshness.noteAnswer(template.registryName, answer);
    const { value } = answer;
    return value === null ? null : sortVersions(value);
  }

  async contentOf(template: Template): Promise<TemplateContent | null> {
    const { source } = this.registryOf(template);
    const answer = await source.fetchContent(template.name, template.version, this.#callOptions());
    this.#freshness.noteAnswer(template.registryName, answer);
    return answer.value;
  }

  async parentOf(template: Template): Promise<Template | null> {
    return template.parentName === null ? null : await this.#lookUps.load(template.parentName, null, null);
  }

  /** Popular templates of the same category (without one: of the same words in the title), this one left out. */
  async alternativesTo(template: Template, count: number): Promise<readonly Template[]> {
    const byCategory = template.category !== null;
    const result = await this.search({
      query: byCategory ? '' : template.title.slice(0, 200),
      filter: {
        ...NO_CRITERIA,
        categories: template.category === null ? null : [template.category],
        registries: null,
        registryTypes: null,
      },
      order: { field: byCategory ? 'POPULARITY' : 'RELEVANCE', direction: 'DESC' },
      page: { direction: 'FORWARD', count: Math.min(count + 1, this.#config.maxPageSize), cursor: null },
      collapse: true,
      require: [],
      timeoutMs: null,
    });
    return result.edges
      .map((edge) => edge.template)
      .filter((other) => other.name !== template.name && !other.deprecated && other.withdrawnAtMs === null)
      .slice(0, count);
  }

  async categories(registryNames: readonly string[] | null): Promise<readonly FederatedCategory[]> {
    const asked = this.#registriesNamed(registryNames);
    const answers = await Promise.all(asked.map((registry) => this.#categoriesOf(registry)));
    const failures = answers.flatMap(({ failure }) => (failure === null ? [] : [failure]));
    if (failures.length > 0 && failures.length === asked.length) throw new RegistriesUnavailable(failures);
    const merged = new Map<string, { count: number | null; registries: VisibleRegistry[] }>();
    for (const { registry, categories } of answers) {
      for (const { name, count } of categories) {
        const known = merged.get(name) ?? { count: null, registries: [] };
        known.count = count === null ? known.count : (known.count ?? 0) + count;
        known.registries.push(registry);
        merged.set(name, known);
      }
    }
    return [...merged]
      .map(([name, { count, registries }]) => ({ name, count, registries: inResolutionOrder(registries) }))
      .sort((left, right) => (right.count ?? -1) - (left.count ?? -1) || (left.name < right.name ? -1 : 1));
  }

  async #categoriesOf(registry: VisibleRegistry) {
    const { name } = registry.source.info;
    try {
      const answer = await registry.source.fetchCategories(this.#callOptions());
      this.#freshness.noteAnswer(name, answer);
      return { registry, categories: answer.value, failure: null };
    } catch (error) {
      if (!(error instanceof RegistryFailure)) throw error;
      this.#freshness.noteSilence(name);
      return { registry, categories: [], failure: error };
    }
  }

  #callOptions() {
    return { deadlineMs: performance.now() + this.#config.timeout };
  }
}

function inResolutionOrder(registries: readonly VisibleRegistry[]): readonly VisibleRegistry[] {
  return [...registries].sort((left, right) => left.priority - right.priority);
}

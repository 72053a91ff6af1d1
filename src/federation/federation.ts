/** The federation: many registries as one, for each caller just those that the caller may see. */
import type { CacheInvalidation, ChangingCache } from '../domain/cache.ts';
import { type Caller, maySeeRegistry } from '../domain/caller.ts';
import { BadUserInput, RegistriesUnavailable, RegistryFailure } from '../domain/errors.ts';
import type { RegistrySource } from '../domain/registry.ts';
import type { RegistryType, SearchConfig, SearchRequest } from '../domain/search.ts';
import { NO_CRITERIA } from '../domain/search.ts';
import type { Template, TemplateContent, TemplateDocument, TemplateVersion } from '../domain/template.ts';
import type {
  FederatedCategory,
  FederationView,
  Freshness,
  Publication,
  SearchResult,
  TemplateSources,
  VisibleRegistry,
} from './answers.ts';
import { CallerEngines } from './caller-engines.ts';
import { compileClaims } from './claims.ts';
import { FreshnessRecord } from './freshness-record.ts';
import { Learnt } from './learnt.ts';
import { LookUps } from './look-up.ts';
import { type PublishingSetting, publishDocument, rehearsePublication } from './publishing.ts';
import type { SearchEngine } from './search-engine.ts';
import { followTemplateChange } from './template-change.ts';
import { describeUnknown } from './unknown-registry.ts';
import type { Usage } from './usage.ts';
import { sortVersions } from './versions.ts';
import { Warming } from './warming.ts';

export interface FederationOptions {
  /** All registries, in resolution order. */
  readonly sources: readonly RegistrySource[];
  readonly search: SearchConfig;
  /** Seal cursors: the first writes, all of them open. */
  readonly secrets: readonly string[];
  /** What keeps the registries' answers; null: nothing does. */
  readonly cache?: ChangingCache | null;
  /** Whether windows are asked for before a walk comes to them; not, where it is not said. */
  readonly readsAhead?: boolean;
  /** Counts what is asked for; null: nobody does. */
  readonly usage?: Usage | null;
  /** How long the list of a registry's names is believed; 24 hours where it is not said. */
  readonly catalogLifetimeMs?: (registryName: string) => number;
  /** What others have learnt of the registries; nothing, where it is not said. */
  readonly learnt?: Learnt;
  /** Where a publication goes that names no registry; null: nowhere. */
  readonly defaultRegistry?: string | null;
  /** The wall clock, milliseconds since the epoch. */
  readonly now?: () => number;
}

export interface Federation {
  /** What this caller sees. Make one for each request: its look-ups are remembered for that long. */
  viewFor(caller: Caller): FederationView;
  /**
   * Takes a registry's word that a template of it has changed, however it is spelt: when this resolves, nothing that is given
   * out is from before. Gives how many kept answers were dropped for it. Throws RangeError for an unknown registry.
   */
  noteTemplateChange(registryName: string, name: string): Promise<number>;
  /** Reads ahead of time what will be asked for. */
  readonly warming: Warming;
  /** Settles when no background work is under way. */
  close(): Promise<void>;
}

const DAY_MS = 24 * 60 * 60 * 1000;

/** Joins registries into one federation. */
export function createFederation(options: FederationOptions): Federation {
  const isClaimedElsewhere = compileClaims(options.sources.map(({ info }) => info));
  const {
    search,
    secrets,
    sources,
    cache = null,
    readsAhead = false,
    usage = null,
    catalogLifetimeMs = () => DAY_MS,
    learnt = new Learnt(),
    defaultRegistry = null,
    now = Date.now,
  } = options;
  const parts = { sources, search, secrets, isClaimedElsewhere, learnt, catalogLifetimeMs, readsAhead, usage, now };
  const engines = new CallerEngines(parts);
  const unlisten = cache?.onInvalidated((invalidation) => {
    for (const engine of engines.list()) engine.noteChange(invalidation);
  });
  const begun = new WeakMap<Promise<SearchResult>, number>();
  return {
    viewFor: (caller) => {
      const { engine, sources: own, isShared } = engines.of(caller);
      const visible = own.filter(({ info }) => maySeeRegistry(caller, info));
      const registries = visible.map((source, index) => ({ source, priority: index + 1 }));
      const freshness = new FreshnessRecord();
      const lookUps = new LookUps({
        registries,
        freshness,
        isClaimedElsewhere,
        timeoutMs: search.timeout,
        traitsOf: (name) => engine.traitsOf(name),
        catalogOf: (name) => engine.catalogOf(name),
      });
      const seesAll = visible.length === sources.length;
      const counted = isShared ? usage : null;
      const publishing = { isClaimedElsewhere, cache, timeoutMs: search.timeout, defaultRegistry };
      return new CallerView({
        registries,
        engine,
        lookUps,
        usage: counted,
        search,
        cache,
        seesAll,
        freshness,
        begun,
        publishing,
      });
    },
    noteTemplateChange: async (registryName, name) => {
      const source = sources.find(({ info }) => info.name === registryName);
      if (source === undefined) throw new RangeError(`registryName must be a registry, got "${registryName}"`);
      return cache === null ? 0 : await followTemplateChange(source, name, cache, search.timeout);
    },
    // Of nobody's token nothing is read ahead.
    warming: new Warming({
      sources: sources.filter(({ forCaller }) => forCaller === undefined),
      ...{ engine: engines.shared, isClaimedElsewhere },
    }),
    close: () => {
      unlisten?.();
      return closeAll(engines);
    },
  };
}

async function closeAll(engines: CallerEngines): Promise<void> {
  await Promise.all(engines.list().map((engine) => engine.close()));
}

interface CallerViewParts {
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
}

class CallerView implements FederationView {
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

  async search(request: SearchRequest): Promise<SearchResult> {
    const { registries, registryTypes } = request.filter;
    for (const name of registries ?? []) this.registryNamed(name, 'filter.registries');
    for (const name of request.require) this.registryNamed(name, 'require');
    const asked = this.registriesOfTypes(registryTypes).filter(
      ({ source }) => registries === null || registries.includes(source.info.name),
    );
    const startedMs = performance.now();
    const running = this.#engine.search(asked, request);
    const sinceMs = this.#begun.get(running) ?? startedMs;
    this.#begun.set(running, sinceMs);
    const result = await running;
    this.#freshness.noteSearch(result, request.collapse, sinceMs);
    return result;
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
    const asked =
      registryNames === null
        ? this.registries
        : [...new Set(registryNames)].map((name) => this.registryNamed(name, 'registries'));
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

/** Reads ahead of time what will be asked for, as those who ask will read it, from the registries' spare budgets alone. */
import { RegistriesUnavailable, RegistryFailure, TemplateWithdrawn } from '../domain/errors.ts';
import type { RegistrySource } from '../domain/registry.ts';
import { NO_CRITERIA, type SearchRequest } from '../domain/search.ts';
import type { VisibleRegistry } from './answers.ts';
import type { IsClaimedElsewhere } from './claims.ts';
import { FreshnessRecord } from './freshness-record.ts';
import { LookUps } from './look-up.ts';
import type { SearchEngine } from './search-engine.ts';
import type { Usage, UsedLookUp, UsedSearch } from './usage.ts';
import { type WarmCounts, WarmReading } from './warm-reading.ts';

export interface WarmingOptions {
  /** All registries, in resolution order. */
  readonly sources: readonly RegistrySource[];
  readonly engine: SearchEngine;
  readonly isClaimedElsewhere: IsClaimedElsewhere | null;
}

/** What warming everything has come to. */
export interface WarmedFederation {
  /** In resolution order. */
  readonly registries: readonly WarmCounts[];
  readonly searches: number;
  readonly templates: number;
}

/** Where nobody waits a slow registry may take its time. */
const PATIENCE_MS = 30_000;
/** Page size where a client gives none (the contract's schema). */
const PAGE_SIZE = 20;

/** None of these rejects for what a registry does: the reading has the account. Times to wait are milliseconds. */
export class Warming {
  readonly #options: WarmingOptions;

  constructor(options: WarmingOptions) {
    this.#options = options;
  }

  /**
   * Everything: categories, lists of names, what is used most (`most` searches and look-ups), and the first page of each of
   * `queries` as a client without further wishes gets it. Names that `queries` repeat are read once.
   */
  async warmAll(usage: Usage, queries: readonly string[], most: number): Promise<WarmedFederation> {
    const reading = new WarmReading();
    const registries = this.#options.sources.map(({ info }) => info.name);
    for (const name of registries) reading.countsOf(name);
    await this.warmCategories(reading, PATIENCE_MS);
    await this.warmNames(reading);
    const given = [...new Set(queries)].map((query) => ({ registries, request: requestOf(query) }));
    const searches = [...usage.searches.list(most).map(({ item }) => item), ...given];
    for (const search of searches) await this.warmSearch(search, reading, PATIENCE_MS);
    const lookUps = usage.lookUps.list(most);
    for (const { item } of lookUps) await this.warmLookUp(item, reading, PATIENCE_MS);
    return { registries: reading.counts, searches: searches.length, templates: lookUps.length };
  }

  /** The page of a search, from the registries that are still there. */
  async warmSearch({ registries, request }: UsedSearch, reading: WarmReading, timeoutMs: number): Promise<void> {
    const asked = this.#wrap(registries, reading);
    const unbound = { ...request, require: [], timeoutMs };
    await ignoreRegistries(this.#options.engine.searchInBackground(asked, unbound));
    await reading.whenRead();
  }

  async warmLookUp(used: UsedLookUp, reading: WarmReading, timeoutMs: number): Promise<void> {
    const { engine, isClaimedElsewhere } = this.#options;
    const lookUps = new LookUps({
      // Nobody is told what is only read ahead.
      freshness: new FreshnessRecord(),
      registries: this.#wrap(used.registries, reading),
      isClaimedElsewhere,
      timeoutMs,
      traitsOf: (name) => engine.traitsOf(name),
      catalogOf: (name) => engine.catalogOf(name),
    });
    await ignoreRegistries(lookUps.load(used.name, used.version, used.registryName));
    await reading.whenRead();
  }

  /** The categories of every registry. */
  async warmCategories(reading: WarmReading, timeoutMs: number): Promise<void> {
    const deadlineMs = performance.now() + timeoutMs;
    const reads = this.#options.sources.map((source) => reading.wrap(source).fetchCategories({ deadlineMs }));
    await Promise.all(reads.map(ignoreRegistries));
  }

  /** The names of each registry that shares its namespace: collapse asks of names nobody else has until it knows them. */
  async warmNames(reading: WarmReading): Promise<void> {
    const { sources, engine } = this.#options;
    const shared = sources.filter(({ info }) =>
      sources.some((other) => other.info !== info && other.info.namespace === info.namespace),
    );
    await Promise.all(
      shared
        .filter((source) => source.canAnswer())
        .map((source) => engine.catalogOf(source.info.name).listEarly(reading.wrap(source))),
    );
  }

  #wrap(names: readonly string[], reading: WarmReading): readonly VisibleRegistry[] {
    return this.#options.sources
      .filter((source) => names.includes(source.info.name) && source.canAnswer())
      .map((source, index) => ({ source: reading.wrap(source), priority: index + 1 }));
  }
}

function requestOf(query: string): SearchRequest {
  return {
    query,
    filter: { ...NO_CRITERIA, registries: null, registryTypes: null },
    order: { field: query === '' ? 'POPULARITY' : 'RELEVANCE', direction: 'DESC' },
    page: { direction: 'FORWARD', count: PAGE_SIZE, cursor: null },
    collapse: true,
    require: [],
    timeoutMs: null,
  };
}

/** A registry that does not answer, or not with what was hoped for, is warmed another time. */
async function ignoreRegistries(work: Promise<unknown>): Promise<void> {
  try {
    await work;
  } catch (error) {
    const isExpected =
      error instanceof RegistryFailure || error instanceof RegistriesUnavailable || error instanceof TemplateWithdrawn;
    if (!isExpected) throw error;
  }
}

/** Reads ahead of time what will be asked for, as those who ask will read it, from the registries' spare budgets alone. */
import { RegistriesUnavailable, RegistryFailure, TemplateWithdrawn } from '../domain/errors.ts';
import type { RegistrySource } from '../domain/registry.ts';
import type { VisibleRegistry } from './answers.ts';
import type { IsClaimedElsewhere } from './claims.ts';
import { LookUps } from './look-up.ts';
import type { SearchEngine } from './search-engine.ts';
import type { UsedLookUp, UsedSearch } from './usage.ts';
import type { WarmReading } from './warm-reading.ts';

export interface WarmingOptions {
  /** All registries, in resolution order. */
  readonly sources: readonly RegistrySource[];
  readonly engine: SearchEngine;
  readonly isClaimedElsewhere: IsClaimedElsewhere | null;
}

/** None of these rejects for what a registry does: the reading has the account. Times to wait are milliseconds. */
export class Warming {
  readonly #options: WarmingOptions;

  constructor(options: WarmingOptions) {
    this.#options = options;
  }

  /** The names of all registries, in resolution order. */
  get registryNames(): readonly string[] {
    return this.#options.sources.map(({ info }) => info.name);
  }

  /** The page of a search, from the registries that are still there. */
  async warmSearch({ registries, request }: UsedSearch, reading: WarmReading, timeoutMs: number): Promise<void> {
    const asked = this.#wrap(registries, reading);
    const unbound = { ...request, require: [], timeoutMs };
    await ignoreRegistries(this.#options.engine.searchInBackground(asked, unbound));
  }

  async warmLookUp(used: UsedLookUp, reading: WarmReading, timeoutMs: number): Promise<void> {
    const { engine, isClaimedElsewhere } = this.#options;
    const lookUps = new LookUps({
      registries: this.#wrap(used.registries, reading),
      isClaimedElsewhere,
      timeoutMs,
      traitsOf: (name) => engine.traitsOf(name),
      catalogOf: (name) => engine.catalogOf(name),
    });
    await ignoreRegistries(lookUps.load(used.name, used.version, used.registryName));
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

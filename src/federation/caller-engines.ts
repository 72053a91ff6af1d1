/**
 * Engines for callers in whose own name some registries are asked. What such a registry answered one caller is no other's
 * business: not as an answer, a search that is under way, a list of names, a window read ahead, nor as what was learnt of it. So
 * each token has an engine of its own, over sources that ask by that token, and shares with others just the registries that
 * answer everybody the same.
 */
import type { Caller } from '../domain/caller.ts';
import type { RegistrySource } from '../domain/registry.ts';
import { SearchEngine, type SearchEngineOptions } from './search-engine.ts';

/** Callers that were here last; an engine that is let go of is begun anew, and the cache of answers has what it had read. */
const MAX_ENGINES = 200;

/** An engine with the sources that it is over. */
export interface EngineOverSources {
  readonly engine: SearchEngine;
  /** In resolution order. */
  readonly sources: readonly RegistrySource[];
  /** Whether others are served by it as well. */
  readonly isShared: boolean;
}

export class CallerEngines {
  readonly #shared: EngineOverSources;
  readonly #options: SearchEngineOptions;
  readonly #hasOwn: boolean;
  /** By fingerprint of the token, the one that was used longest ago first. */
  readonly #own = new Map<string, EngineOverSources>();

  constructor(options: SearchEngineOptions) {
    this.#options = options;
    this.#shared = { engine: new SearchEngine(options), sources: options.sources, isShared: true };
    this.#hasOwn = options.sources.some(({ forCaller }) => forCaller !== undefined);
  }

  /** The one that whoever has no token is served by: registries that want one are not asked there. */
  get shared(): SearchEngine {
    return this.#shared.engine;
  }

  of({ token }: Caller): EngineOverSources {
    if (!this.#hasOwn || token === undefined) return this.#shared;
    const { fingerprint } = token;
    const known = this.#own.get(fingerprint);
    if (known !== undefined) {
      this.#own.delete(fingerprint);
      this.#own.set(fingerprint, known);
      return known;
    }
    const sources = this.#options.sources.map((source) => source.forCaller?.(token) ?? source);
    // What is read ahead for all is read by nobody's token.
    const engine = new SearchEngine({ ...this.#options, sources, usage: null });
    const own = { engine, sources, isShared: false };
    for (const oldest of this.#own.keys()) {
      if (this.#own.size < MAX_ENGINES) break;
      this.#own.delete(oldest);
    }
    this.#own.set(fingerprint, own);
    return own;
  }

  /** All that are there. */
  list(): readonly SearchEngine[] {
    return [this.#shared.engine, ...[...this.#own.values()].map(({ engine }) => engine)];
  }
}

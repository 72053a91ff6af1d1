/** What is learnt of registries by asking them: it outlives the federation that has learnt it. */
import type { RegistrySource } from '../domain/registry.ts';
import { NameCatalog } from './name-catalog.ts';
import { RegistryTraits } from './traits.ts';

/** Of one registry. */
export interface LearntOfRegistry {
  readonly traits: RegistryTraits;
  readonly catalog: NameCatalog;
}

/** By the registry itself: one that is opened with other settings may be another, of which nothing is known. */
export class Learnt {
  readonly #known = new WeakMap<RegistrySource, LearntOfRegistry>();

  /** `catalogLifetimeMs`: how long a list of its names is believed. `now`: the wall clock, milliseconds. */
  of(source: RegistrySource, catalogLifetimeMs: number, now: () => number): LearntOfRegistry {
    let learnt = this.#known.get(source);
    if (learnt === undefined) {
      const traits = new RegistryTraits();
      learnt = { traits, catalog: new NameCatalog(source, traits, catalogLifetimeMs, now) };
      this.#known.set(source, learnt);
    }
    return learnt;
  }
}

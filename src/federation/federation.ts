/** The federation: many registries as one, for each caller just those that the caller may see. */
import type { ChangingCache } from '../domain/cache.ts';
import { type Caller, maySeeRegistry } from '../domain/caller.ts';
import type { RegistrySource } from '../domain/registry.ts';
import type { SearchConfig } from '../domain/search.ts';
import type { FederationView, SearchResult } from './answers.ts';
import { CallerEngines } from './caller-engines.ts';
import { CallerView } from './caller-view.ts';
import { compileClaims } from './claims.ts';
import { FreshnessRecord } from './freshness-record.ts';
import type { OnHealthChange } from './health-watch.ts';
import { Learnt } from './learnt.ts';
import { LookUps } from './look-up.ts';
import { followTemplateChange } from './template-change.ts';
import type { Usage } from './usage.ts';
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
  /** Tells of changes of the registries' health; nobody does, where it is not said. */
  readonly onHealthChange?: OnHealthChange;
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
    onHealthChange = () => () => undefined,
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
        onHealthChange,
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

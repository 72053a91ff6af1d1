/** Federated search: fans out, merges, pages, counts and reports, within one deadline. */

import type { CacheInvalidation } from '../domain/cache.ts';
import { compileCriteria, type TemplatePredicate } from '../domain/criteria.ts';
import { BadCursor, RegistriesUnavailable, RegistryFailure } from '../domain/errors.ts';
import type { RegistrySource } from '../domain/registry.ts';
import type { SearchConfig, SearchRequest } from '../domain/search.ts';
import type { CatalogRow } from '../domain/template.ts';
import type { SearchResult, VisibleRegistry } from './answers.ts';
import type { IsClaimedElsewhere } from './claims.ts';
import { CursorSeal, registryIdOf } from './cursor.ts';
import { Drains } from './drained-stream.ts';
import { firstRowsOf, isUsualPage } from './first-window.ts';
import type { Learnt, LearntOfRegistry } from './learnt.ts';
import { ListReader } from './list-reader.ts';
import { makePage } from './make-page.ts';
import type { NameCatalog } from './name-catalog.ts';
import { type PageSetting, Participant } from './open-stream.ts';
import { type ComparePositions, comparePositionsIn } from './order.ts';
import { PageCursors } from './page-cursors.ts';
import { KeptHabits } from './page-habits.ts';
import { ReadAhead } from './read-ahead.ts';
import { compileQuery } from './relevance.ts';
import { composeResult, type MadePage } from './search-answer.ts';
import { type SearchWatcher, watchOpenings } from './search-progress.ts';
import { checkRequired, listQueryOf } from './search-request.ts';
import type { ListQuery } from './span-reader.ts';
import type { Direction, RegistryStream, StreamContext } from './stream.ts';
import type { RegistryTraits } from './traits.ts';
import type { Usage } from './usage.ts';
import { fingerprintSearch, rankRegistries, WalkStart } from './walk.ts';

export interface SearchEngineOptions {
  readonly sources: readonly RegistrySource[];
  readonly search: SearchConfig;
  readonly secrets: readonly string[];
  readonly isClaimedElsewhere: IsClaimedElsewhere | null;
  readonly learnt: Learnt;
  /** How long the list of a registry's names is believed. */
  catalogLifetimeMs(registryName: string): number;
  /** Whether windows are asked for before a walk comes to them. */
  readonly readsAhead: boolean;
  /** Counts what is asked for; null: nobody does. */
  readonly usage: Usage | null;
  readonly now: () => number;
}

/** `result` is null once it is there: copies of the map that it leaves behind as it grows must hold no answers alive. */
interface RunningSearch {
  result: Promise<SearchResult> | null;
}

export class SearchEngine {
  readonly #sources: readonly RegistrySource[];
  readonly #config: SearchConfig;
  readonly #running = new Map<string, RunningSearch>();
  readonly #seal: CursorSeal;
  readonly #isClaimedElsewhere: IsClaimedElsewhere | null;
  readonly #drains = new Drains();
  readonly #readAhead: ReadAhead | null;
  readonly #usage: Usage | null;
  readonly #habits = new KeptHabits();
  readonly #learnt: ReadonlyMap<string, LearntOfRegistry>;

  constructor(options: SearchEngineOptions) {
    this.#sources = options.sources;
    this.#config = options.search;
    this.#seal = new CursorSeal(options.secrets);
    this.#isClaimedElsewhere = options.isClaimedElsewhere;
    this.#readAhead = options.readsAhead ? new ReadAhead(options.search.timeout / 2) : null;
    this.#usage = options.usage;
    this.#learnt = new Map(
      options.sources.map((source) => {
        const { name } = source.info;
        return [name, options.learnt.of(source, options.catalogLifetimeMs(name), options.now)];
      }),
    );
  }

  /** What was learnt of a registry so far. */
  traitsOf(registryName: string): RegistryTraits {
    return this.#learntOf(registryName).traits;
  }

  /** The names that a registry carries, as far as they are listed. */
  catalogOf(registryName: string): NameCatalog {
    return this.#learntOf(registryName).catalog;
  }

  #learntOf(registryName: string): LearntOfRegistry {
    const learnt = this.#learnt.get(registryName);
    if (learnt === undefined) throw new RangeError(`registryName must be a configured registry, got "${registryName}"`);
    return learnt;
  }

  /**
   * Takes note of what the cache of answers forgets: nobody joins a search from before that, and what is remembered here of
   * the registries' answers follows. Sorted lists need not: they are held against the rows of the cache each time.
   */
  noteChange(invalidation: CacheInvalidation): void {
    this.#running.clear();
    this.#drains.forgetRunning();
    const { registry, layer } = invalidation;
    for (const [name, { catalog, traits }] of this.#learnt) {
      if (registry !== undefined && registry !== name) continue;
      catalog.noteChange(invalidation);
      if (layer === undefined || layer === 'SEARCH') traits.noteChange(invalidation);
    }
  }

  /** Settles when no background work is under way. */
  async close(): Promise<void> {
    const catalogs = [...this.#learnt.values()].map(({ catalog }) => catalog.whenIdle());
    await Promise.all([this.#readAhead?.close(), ...catalogs]);
  }

  /**
   * One page over `registries` (in resolution order: those the caller sees and the request asks for). Throws BadCursor,
   * BadUserInput for a `require` that is not among them, and RegistriesUnavailable when a required one is silent;
   * SearchAbandoned where there is a `watcher` and it has gone.
   */
  search(
    registries: readonly VisibleRegistry[],
    request: SearchRequest,
    watcher: SearchWatcher | null = null,
  ): Promise<SearchResult> {
    // What is asked of the same registries in the same words while it is being answered has the same answer.
    const key = JSON.stringify([registries.map(({ source, priority }) => [source.info.name, priority]), request]);
    const { direction, cursor } = request.page;
    if (cursor === null && direction === 'FORWARD') {
      this.#usage?.searches.note(key, () => ({
        registries: registries.map(({ source }) => source.info.name),
        request,
      }));
    }
    // Whoever joins a search that is under way has missed what was told of it; what registries are asked is shared anyway.
    if (watcher !== null) return this.#search(registries, request, watcher);
    const running = this.#running.get(key);
    if (running?.result) return running.result;
    const flight: RunningSearch = { result: null };
    this.#running.set(key, flight);
    flight.result = this.#searchOnce(registries, request, key, flight);
    return flight.result;
  }

  /**
   * The same page, which nobody waits for: it is not counted as used, and nobody joins it. The registries must be such as are
   * read in the background.
   */
  searchInBackground(registries: readonly VisibleRegistry[], request: SearchRequest): Promise<SearchResult> {
    return this.#search(registries, request);
  }

  async #searchOnce(
    registries: readonly VisibleRegistry[],
    request: SearchRequest,
    key: string,
    flight: RunningSearch,
  ): Promise<SearchResult> {
    try {
      return await this.#search(registries, request);
    } finally {
      flight.result = null;
      if (this.#running.get(key) === flight) this.#running.delete(key);
    }
  }

  async #search(
    registries: readonly VisibleRegistry[],
    request: SearchRequest,
    watcher: SearchWatcher | null = null,
  ): Promise<SearchResult> {
    const startedMs = performance.now();
    checkRequired(registries, request.require);
    const list = listQueryOf(request);
    const { filter, page, collapse } = request;
    // Many answers are asked for without a cursor.
    let known: Uint8Array | null = null;
    const fingerprint = () => {
      known ??= fingerprintSearch(list, filter.registries, filter.registryTypes, collapse, this.#config.window);
      return known;
    };
    const deadlineMs = startedMs + (request.timeoutMs ?? this.#config.timeout);
    const forwardCompare = comparePositionsIn(list.order);
    const walk = this.#openWalk(request, registries, fingerprint, forwardCompare);
    const firstRows = walk.firstRows ?? firstRowsOf(registries.length, this.#config.window);
    const habits = this.#habits.of(registries, list.order);
    const own = { forwardCompare, deadlineMs, firstRows, collapse, habits };
    const setting = this.#createSetting(list, page.direction, own);
    // Half of the time at most: the registry that would know may be the one that hangs.
    const namesDeadlineMs = (startedMs + deadlineMs) / 2;
    await walk.resolveCutNames((registryId, hint, isIt) =>
      this.#findName(registries, setting, namesDeadlineMs, { registryId, hint, isIt }),
    );
    const participants = registries.map((registry) => {
      const { name } = registry.source.info;
      return new Participant(registry, walk.startOf(name), this.traitsOf(name), setting);
    });
    const made = await makePage(participants, page.count, {
      setting,
      collapse,
      isShown: (row, registryName) =>
        !this.#isClaimedElsewhere?.(row.name, registryName) && (setting.passes?.(row.template) ?? true),
      watch: watcher && watchOpenings(watcher, page.count),
      catalogOf: (name) => this.catalogOf(name),
    });
    requireAnswers(made.streams, request.require);
    if (page.cursor !== null) this.#readAhead?.plan(made.streams, made.merged.entries);
    else if (isUsualPage(page)) {
      noteFirstPage(participants, made);
      if (collapse) {
        habits.wantsLongerWindows.note(made.wantsLongerWindows);
        habits.questions.note(made.neededAnswers);
      }
    }
    this.#noteCounts(participants, list);
    const cursors = new PageCursors({
      streams: made.streams,
      entries: made.merged.entries,
      startMark: walk.mark,
      direction: page.direction,
      compare: setting.context.compare,
      seal: this.#seal,
      fingerprint,
      firstRows,
    });
    const areClaimsSet = this.#isClaimedElsewhere !== null;
    return composeResult({ ...made, participants, cursors, walk, setting, collapse, areClaimsSet, startedMs });
  }

  #createSetting(
    list: ListQuery,
    direction: Direction,
    own: Pick<PageSetting, 'forwardCompare' | 'deadlineMs' | 'firstRows' | 'collapse' | 'habits'>,
  ): PageSetting {
    const { forwardCompare } = own;
    const backwardCompare: ComparePositions = (left, right) => forwardCompare(right, left);
    const compare = direction === 'FORWARD' ? forwardCompare : backwardCompare;
    const passes = compileCriteria(list.criteria);
    return {
      list,
      search: this.#config,
      drains: this.#drains,
      ...own,
      sinceMs: Date.now(),
      query: list.order.field === 'RELEVANCE' ? { compiled: compileQuery(list.query), text: list.query } : null,
      passes,
      context: this.#createContext(direction, compare, passes),
    };
  }

  /** A registry that counts other than its names were listed has changed since. */
  #noteCounts(participants: readonly Participant[], list: ListQuery): void {
    if (list.query !== '' || compileCriteria(list.criteria) !== null) return;
    for (const { registry, reader } of participants) {
      this.catalogOf(registry.source.info.name).noteTotalCount(reader.totalCount);
    }
  }

  #openWalk(
    request: SearchRequest,
    registries: readonly VisibleRegistry[],
    fingerprint: () => Uint8Array,
    compare: ComparePositions,
  ): WalkStart {
    const { cursor, direction } = request.page;
    if (cursor === null) return new WalkStart(null, new Map(), direction, compare);
    const state = this.#seal.open(cursor, fingerprint());
    if (state === null) throw new BadCursor(direction === 'FORWARD' ? 'after' : 'before');
    return new WalkStart(state, rankRegistries(registries, this.#sources), direction, compare);
  }

  /** The name of the row that a cursor had no room to name in full; null where it is gone or its registry is silent. */
  async #findName(
    registries: readonly VisibleRegistry[],
    { list, firstRows }: PageSetting,
    deadlineMs: number,
    wanted: { readonly registryId: number; readonly hint: number; readonly isIt: (name: string) => boolean },
  ): Promise<string | null> {
    const registry = registries.find(({ source }) => registryIdOf(source.info.name) === wanted.registryId);
    if (registry === undefined) return null;
    const { window } = this.#config;
    const reader = new ListReader(registry.source, list, window, this.traitsOf(registry.source.info.name), deadlineMs, {
      firstSize: firstRows,
    });
    const around = Math.max(0, wanted.hint - window);
    try {
      const { rows } = await reader.readRows(around, wanted.hint + window);
      return rows.find((row) => row !== null && wanted.isIt(row.name))?.name ?? null;
    } catch (error) {
      if (!(error instanceof RegistryFailure)) throw error;
      return null;
    }
  }

  #createContext(
    direction: 'FORWARD' | 'BACKWARD',
    compare: ComparePositions,
    passes: TemplatePredicate | null,
  ): StreamContext {
    return {
      direction,
      compare,
      scanRows: this.#config.scan,
      accepts: (row: CatalogRow, stream: RegistryStream) => {
        const { source } = stream.registry;
        if (this.#isClaimedElsewhere?.(row.name, source.info.name)) {
          source.noteClaimedName(row.name);
          stream.refused += 1;
          return false;
        }
        if (passes === null || passes(row.template)) return true;
        stream.refused += 1;
        return false;
      },
    };
  }
}

function requireAnswers(streams: readonly RegistryStream[], required: readonly string[]): void {
  const failures = streams.flatMap(({ state, registry }) =>
    state.type === 'LOST' && required.includes(registry.source.info.name) ? [state.failure] : [],
  );
  if (failures.length > 0) throw new RegistriesUnavailable(failures);
}

/** Takes note of how much of each registry's first window a page from the head of the lists has used up. */
function noteFirstPage(participants: readonly Participant[], { streams, merged }: MadePage): void {
  const taken = new Map<RegistryStream, number>();
  for (const { stream } of merged.entries) taken.set(stream, (taken.get(stream) ?? 0) + 1);
  for (const [index, participant] of participants.entries()) {
    const stream = streams[index];
    if (stream !== undefined) participant.noteFirstPage(stream, taken.get(stream) ?? 0);
  }
}

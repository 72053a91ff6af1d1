/** Federated search: fans out, merges, pages, counts and reports, within one deadline. */
import { BadCursor, BadUserInput, RegistriesUnavailable, RegistryFailure } from '../domain/errors.ts';
import type { RegistrySource } from '../domain/registry.ts';
import type { SearchConfig, SearchRequest, TemplateCriteria, TemplateOrder } from '../domain/search.ts';
import type { CatalogRow } from '../domain/template.ts';
import type { SearchResult, VisibleRegistry } from './answers.ts';
import type { IsClaimedElsewhere } from './claims.ts';
import { CollapseDecisions } from './collapse.ts';
import { countMatches } from './counts.ts';
import { compileCriteria, type TemplatePredicate } from './criteria.ts';
import { CursorSeal, registryIdOf } from './cursor.ts';
import { Drains } from './drained-stream.ts';
import { mergeFacets } from './facets.ts';
import { ListReader } from './list-reader.ts';
import { type MergedPage, mergePage } from './merge.ts';
import { NameCatalog } from './name-catalog.ts';
import { type PageSetting, Participant } from './open-stream.ts';
import { type ComparePositions, comparePositionsIn } from './order.ts';
import { type IsShown, PageRows } from './page-rows.ts';
import { compileQuery } from './relevance.ts';
import { reportOn } from './report.ts';
import { OrderWeakened } from './sorted-stream.ts';
import type { ListQuery } from './span-reader.ts';
import type { Entry, RegistryStream, StreamContext } from './stream.ts';
import { RegistryTraits } from './traits.ts';
import { fingerprintSearch, PageCursors, WalkStart } from './walk.ts';

/** How often a page starts again because a registry sorts less well than was believed: twice for each, at most. */
const MAX_RESTARTS = 200;
const HIGHEST_SCORE = 65_535;

export interface SearchEngineOptions {
  readonly sources: readonly RegistrySource[];
  readonly search: SearchConfig;
  readonly secrets: readonly string[];
  readonly isClaimedElsewhere: IsClaimedElsewhere | null;
  /** How long the list of a registry's names is believed. */
  catalogLifetimeMs(registryName: string): number;
  readonly now: () => number;
}

export class SearchEngine {
  readonly #search: SearchConfig;
  readonly #seal: CursorSeal;
  readonly #isClaimedElsewhere: IsClaimedElsewhere | null;
  readonly #drains = new Drains();
  readonly #traits: ReadonlyMap<string, RegistryTraits>;
  readonly #catalogs: ReadonlyMap<string, NameCatalog>;

  constructor(options: SearchEngineOptions) {
    this.#search = options.search;
    this.#seal = new CursorSeal(options.secrets);
    this.#isClaimedElsewhere = options.isClaimedElsewhere;
    this.#traits = new Map(options.sources.map(({ info }) => [info.name, new RegistryTraits()]));
    this.#catalogs = new Map(
      options.sources.map((source) => [
        source.info.name,
        new NameCatalog(
          source,
          this.traitsOf(source.info.name),
          options.catalogLifetimeMs(source.info.name),
          options.now,
        ),
      ]),
    );
  }

  /** What was learnt of a registry so far. */
  traitsOf(registryName: string): RegistryTraits {
    const traits = this.#traits.get(registryName);
    if (traits === undefined) throw new RangeError(`registryName must be a configured registry, got "${registryName}"`);
    return traits;
  }

  /** The names that a registry carries, as far as they are listed. */
  catalogOf(registryName: string): NameCatalog {
    const catalog = this.#catalogs.get(registryName);
    if (catalog === undefined)
      throw new RangeError(`registryName must be a configured registry, got "${registryName}"`);
    return catalog;
  }

  /** Settles when no background work is under way. */
  async close(): Promise<void> {
    await Promise.all([...this.#catalogs.values()].map((catalog) => catalog.whenIdle()));
  }

  /**
   * One page over `registries` (in resolution order: those the caller sees and the request asks for). Throws BadCursor,
   * BadUserInput for a `require` that is not among them, and RegistriesUnavailable when a required one is silent.
   */
  async search(registries: readonly VisibleRegistry[], request: SearchRequest): Promise<SearchResult> {
    const startedMs = performance.now();
    checkRequired(registries, request.require);
    const list = listQueryOf(request);
    const { filter, page, collapse } = request;
    const fingerprint = fingerprintSearch(list, filter.registries, filter.registryTypes, collapse, this.#search.window);
    const forwardCompare = comparePositionsIn(list.order);
    const walk = this.#openWalk(request, registries, fingerprint, forwardCompare);
    const isForward = page.direction === 'FORWARD';
    const compare: ComparePositions = isForward ? forwardCompare : (left, right) => forwardCompare(right, left);
    const passes = compileCriteria(list.criteria);
    const setting: PageSetting = {
      list,
      search: this.#search,
      drains: this.#drains,
      forwardCompare,
      deadlineMs: startedMs + (request.timeoutMs ?? this.#search.timeout),
      query: list.order.field === 'RELEVANCE' ? { compiled: compileQuery(list.query), text: list.query } : null,
      context: this.#createContext(page.direction, compare, passes),
    };
    await walk.resolveCutNames((registryId, hint, isIt) =>
      this.#findName(registries, list, setting.deadlineMs, { registryId, hint, isIt }),
    );
    const participants = registries.map((registry) => {
      const { name } = registry.source.info;
      return new Participant(registry, walk.startOf(name), this.traitsOf(name), setting);
    });
    const isShown: IsShown = (row, registryName) =>
      !this.#isClaimedElsewhere?.(row.name, registryName) && (passes === null || passes(row.template));
    const { streams, merged, rows } = await this.#makePage(participants, setting, page.count, collapse, isShown);
    requireAnswers(streams, request.require);
    if (list.query === '' && passes === null) {
      for (const { registry, reader } of participants) {
        this.catalogOf(registry.source.info.name).noteTotalCount(reader.totalCount);
      }
    }

    const cursors = new PageCursors({
      streams,
      entries: merged.entries,
      startMark: walk.mark,
      direction: page.direction,
      compare,
      seal: this.#seal,
      fingerprint,
    });
    const isLate = (entry: Entry) => walk.mark !== null && compare(entry, walk.mark) <= 0;
    const reports = participants.map((participant, index) =>
      reportOn(participant, streams[index] ?? participant.createTotalStream(), merged.entries, isLate),
    );
    const partial = reports.some(({ outcome }) => outcome !== 'OK' && outcome !== 'STALE');
    const counts = countMatches(
      participants.map((participant) => rows.countOf(participant, this.#isClaimedElsewhere !== null, passes !== null)),
      collapse,
    );
    const inOrder = merged.entries.map((entry, index) => ({
      template: entry.row.template,
      score: entry.relevance === null ? null : entry.relevance / HIGHEST_SCORE,
      cursor: () => cursors.atEntry(index),
    }));
    const edges = isForward ? inOrder : inOrder.reverse();
    const walkEnd = () => {
      if (merged.entries.length > 0 && !merged.isBounded) return cursors.atEntry(merged.entries.length - 1);
      return merged.entries.length > 0 || partial || merged.isBounded ? cursors.atEnd(merged.end) : null;
    };
    const walkBegin = () => (merged.entries.length > 0 ? cursors.atEntry(0) : null);
    return {
      edges,
      hasNextPage: isForward ? merged.hasMore : walk.mark !== null,
      hasPreviousPage: isForward ? walk.mark !== null : merged.hasMore,
      startCursor: isForward ? walkBegin : walkEnd,
      endCursor: isForward ? walkEnd : walkBegin,
      totalCount: counts.totalCount,
      totalCountAccuracy: counts.accuracy,
      facets: () =>
        mergeFacets(
          participants.map((each) => rows.facetsOf(each)),
          collapse,
          counts.accuracy,
        ),
      partial,
      reports,
      tookMs: performance.now() - startedMs,
    };
  }

  #openWalk(
    request: SearchRequest,
    registries: readonly VisibleRegistry[],
    fingerprint: Uint8Array,
    compare: ComparePositions,
  ): WalkStart {
    const { cursor, direction } = request.page;
    if (cursor === null) return new WalkStart(null, registries, direction, compare);
    const state = this.#seal.open(cursor, fingerprint);
    if (state === null) throw new BadCursor(direction === 'FORWARD' ? 'after' : 'before');
    return new WalkStart(state, registries, direction, compare);
  }

  /** The name of the row that a cursor had no room to name in full; null where it is gone or its registry is silent. */
  async #findName(
    registries: readonly VisibleRegistry[],
    list: ListQuery,
    deadlineMs: number,
    wanted: { readonly registryId: number; readonly hint: number; readonly isIt: (name: string) => boolean },
  ): Promise<string | null> {
    const registry = registries.find(({ source }) => registryIdOf(source.info.name) === wanted.registryId);
    if (registry === undefined) return null;
    const { window } = this.#search;
    const reader = new ListReader(registry.source, list, window, this.traitsOf(registry.source.info.name), deadlineMs);
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
      scanRows: this.#search.scan,
      accepts: (row: CatalogRow, stream: RegistryStream) => {
        if (this.#isClaimedElsewhere?.(row.name, stream.registry.source.info.name)) {
          stream.refused += 1;
          return false;
        }
        if (passes === null || passes(row.template)) return true;
        stream.refused += 1;
        stream.reader.traits.ignoresFilters = true;
        return false;
      },
    };
  }

  /** Opens the streams and merges; begins again when a registry proves to sort less well than it was read. */
  async #makePage(
    participants: readonly Participant[],
    setting: PageSetting,
    count: number,
    collapse: boolean,
    isShown: IsShown,
  ): Promise<{ streams: RegistryStream[]; merged: MergedPage; rows: PageRows }> {
    for (let restart = 0; ; restart += 1) {
      const streams = await Promise.all(participants.map(openOrLose));
      const rows = new PageRows(participants, streams, isShown);
      const sources = participants.map((participant, index) =>
        rows.collapseSource(participant, streams[index] ?? participant.createTotalStream(), {
          catalog: this.catalogOf(participant.registry.source.info.name),
          drains: this.#drains,
          limits: this.#search.drain,
        }),
      );
      const decisions =
        collapse && shareNamespace(streams)
          ? new CollapseDecisions(sources, setting.list.query === '', setting.deadlineMs)
          : null;
      try {
        const merged = await mergePage(streams, count, {
          compare: setting.context.compare,
          collapse: decisions,
          asFailure,
        });
        return { streams, merged, rows };
      } catch (error) {
        if (!(error instanceof OrderWeakened) || restart >= MAX_RESTARTS) throw error;
        participants.find((each) => each.registry.source.info.name === error.registryName)?.readWeaker(error.readAs);
      }
    }
  }
}

/** RELEVANCE without a query has nothing to go by: it browses by popularity. */
function listQueryOf(request: SearchRequest): ListQuery {
  const order: TemplateOrder =
    request.order.field === 'RELEVANCE' && request.query === ''
      ? { field: 'POPULARITY', direction: 'DESC' }
      : { field: request.order.field, direction: request.order.direction };
  return { query: request.query, criteria: canonicalCriteria(request.filter), order };
}

/** Equal criteria in equal words, however they were written: one cache entry, one walk. */
function canonicalCriteria(filter: TemplateCriteria): TemplateCriteria {
  const list = <T extends string>(values: readonly T[] | null) =>
    values === null ? null : [...new Set(values)].sort();
  return {
    categories: list(filter.categories),
    domains: list(filter.domains),
    complexity: list(filter.complexity),
    keywords: list(filter.keywords),
    minRating: filter.minRating,
    verified: filter.verified,
    validated: filter.validated,
    researchUser: filter.researchUser,
    connectionTypes: list(filter.connectionTypes),
    packageManagers: list(filter.packageManagers),
    licenses: list(filter.licenses),
    updatedSinceMs: filter.updatedSinceMs,
  };
}

function checkRequired(registries: readonly VisibleRegistry[], required: readonly string[]): void {
  for (const name of required) {
    if (registries.some(({ source }) => source.info.name === name)) continue;
    throw new BadUserInput(
      'require',
      `"require" must name registries that the search asks; "${name}" is left out by its filter. Ask it, or do not require it.`,
    );
  }
}

function requireAnswers(streams: readonly RegistryStream[], required: readonly string[]): void {
  const failures = streams.flatMap(({ state, registry }) =>
    state.type === 'LOST' && required.includes(registry.source.info.name) ? [state.failure] : [],
  );
  if (failures.length > 0) throw new RegistriesUnavailable(failures);
}

async function openOrLose(participant: Participant): Promise<RegistryStream> {
  try {
    return await participant.openStream();
  } catch (error) {
    const stream = participant.createTotalStream();
    stream.state = { type: 'LOST', failure: asFailure(error), position: participant.start.position };
    return stream;
  }
}

function asFailure(error: unknown): RegistryFailure {
  if (error instanceof RegistryFailure) return error;
  throw error;
}

function shareNamespace(streams: readonly RegistryStream[]): boolean {
  return new Set(streams.map((stream) => stream.reader.source.info.namespace)).size < streams.length;
}

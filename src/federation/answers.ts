/**
 * What the federation answers, and the surface the resolvers call. One `FederationView` is made for each request: it
 * shows exactly what its caller may see, and its look-ups by name are batched and remembered for that request alone.
 */
import type { CacheInvalidation } from '../domain/cache.ts';
import type { RegistryErrorView } from '../domain/errors.ts';
import type { RegistrySource } from '../domain/registry.ts';
import type {
  CacheOutcome,
  CountAccuracy,
  Facet,
  RegistryOutcome,
  RegistryType,
  RowOrder,
  SearchRequest,
} from '../domain/search.ts';
import type { Template, TemplateContent, TemplateDocument, TemplateVersion } from '../domain/template.ts';

/** A registry as one caller sees it. */
export interface VisibleRegistry {
  readonly source: RegistrySource;
  /** Rank in the resolution order of what this caller sees, 1 first. */
  readonly priority: number;
}

export interface SearchEdge {
  readonly template: Template;
  /** The gateway's relevance score, 0..1; null without a query. */
  readonly score: number | null;
  /** Seals the position after this edge. Costs a few microseconds: call it only where it is selected. */
  cursor(): string;
}

export interface RegistrySearchReport {
  readonly registry: VisibleRegistry;
  readonly outcome: RegistryOutcome;
  readonly totalCount: number | null;
  readonly returned: number;
  readonly lateRows: number;
  readonly scanned: number;
  /** Entries that were malformed and dropped in what was read for this page. */
  readonly malformed: number;
  readonly reachable: number | null;
  readonly truncated: boolean;
  readonly order: RowOrder;
  readonly cache: CacheOutcome;
  readonly ageSeconds: number | null;
  /** Until when all that was read of the registry may be used again without asking (`Date.now()`); 0: not at all. */
  readonly freshUntilMs: number;
  readonly tookMs: number;
  readonly error: RegistryErrorView | null;
}

export interface SearchResult {
  readonly edges: readonly SearchEdge[];
  readonly hasNextPage: boolean;
  readonly hasPreviousPage: boolean;
  startCursor(): string | null;
  endCursor(): string | null;
  readonly totalCount: number | null;
  readonly totalCountAccuracy: CountAccuracy;
  facets(): readonly Facet[] | null;
  readonly partial: boolean;
  /** One per visible registry that was meant to answer, in resolution order. */
  readonly reports: readonly RegistrySearchReport[];
  /** Until when the same search has the same answer, as far as is known (`Date.now()`); 0: it may differ at once. */
  readonly freshUntilMs: number;
  readonly tookMs: number;
}

/** One event of a search that is watched: a registry has answered, or, as the last one, the page is made. */
export interface SearchProgress {
  /** Null with the result. */
  readonly report: RegistrySearchReport | null;
  /** The first matching rows of the registry, a page at most; before anything is collapsed. */
  readonly nodes: readonly Template[];
  /** How many registries have answered or failed so far. */
  readonly answered: number;
  readonly expected: number;
  /** Null before the last event. */
  readonly result: SearchResult | null;
}

export interface SourceEntry {
  readonly registry: VisibleRegistry;
  readonly version: string;
  readonly digest: string | null;
  /** The one that resolution order prefers. */
  readonly canonical: boolean;
}

export interface TemplateSources {
  readonly entries: readonly SourceEntry[];
  readonly complete: boolean;
}

export interface FederatedCategory {
  readonly name: string;
  readonly count: number | null;
  readonly registries: readonly VisibleRegistry[];
}

/** What came of a publication. */
export interface Publication {
  readonly published: boolean;
  /** As it is listed; null where it was not published, or its registry cannot be asked just now. */
  readonly template: Template | null;
  /** Why it was not, or would not be, published. */
  readonly error: RegistryErrorView | null;
}

/** What the answers that a view gave so far are worth later. */
export interface Freshness {
  /** Until when all of them are the same without asking anybody (`Date.now()`); 0: they may differ at once, Infinity: always. */
  readonly freshUntilMs: number;
  /** The registries that had a part in them, by name. */
  readonly registryNames: ReadonlySet<string>;
  /** When the oldest of what they are made of was begun (`performance.now()`): a search may be one that began for another. */
  readonly sinceMs: number;
}

export interface FederationView {
  /** In resolution order. */
  readonly registries: readonly VisibleRegistry[];
  /**
   * The visible registry of that name. Throws BadUserInput (with the nearest visible names) when there is none; `field` is
   * the argument that named it.
   */
  registryNamed(name: string, field: string): VisibleRegistry;
  /** Throws BadUserInput, BadCursor or (for `require`) RegistriesUnavailable; registries that fail are data in the answer. */
  search(request: SearchRequest): Promise<SearchResult>;
  /**
   * The same search, told of as it goes on: one event for each registry when it has answered or failed, then one with what
   * `search` would give. Throws BadUserInput for an unknown registry; what else `search` rejects with is the last read's.
   */
  searchProgressively(request: SearchRequest): AsyncIterableIterator<SearchProgress>;
  /**
   * The named registries (null: all visible) at once, then each again when its status or the state of one of its circuits
   * has changed. Throws BadUserInput for an unknown name.
   */
  watchHealth(registryNames: readonly string[] | null): AsyncIterableIterator<VisibleRegistry>;
  /**
   * Exact look-up in resolution order, or in `registryName` alone. null: nobody has it. Throws RegistriesUnavailable when a
   * registry that has to be asked first is silent, BadUserInput for an unknown registry, TemplateWithdrawn.
   */
  lookUpTemplate(name: string, version: string | null, registryName: string | null): Promise<Template | null>;
  /** The template's registry as this caller sees it. */
  registryOf(template: Template): VisibleRegistry;
  /** Every visible registry that carries the name, in resolution order. */
  sourcesOf(template: Template): Promise<TemplateSources>;
  /** Newest first; throws RegistryFailure. null where the registry keeps none. */
  versionsOf(template: Template): Promise<readonly TemplateVersion[] | null>;
  contentOf(template: Template): Promise<TemplateContent | null>;
  /** The template it inherits from, looked up in resolution order; null where it names none or nobody has it. */
  parentOf(template: Template): Promise<Template | null>;
  alternativesTo(template: Template, count: number): Promise<readonly Template[]>;
  /**
   * Merged by name over the named registries (null: all visible); a registry that fails leaves its counts out. Throws
   * RegistriesUnavailable when all fail.
   */
  categories(registryNames: readonly string[] | null): Promise<readonly FederatedCategory[]>;
  registriesOfTypes(types: readonly RegistryType[] | null): readonly VisibleRegistry[];
  /**
   * Forgets what is kept of the registries' answers, as far as the caller may see these; gives how many answers that were.
   * Throws BadUserInput for an unknown registry.
   */
  invalidateCache(invalidation: Pick<CacheInvalidation, 'registry' | 'layer' | 'template'>): Promise<number>;
  /**
   * The registry that a publication goes to: the visible one of that name, or the one that is configured (null). Throws
   * BadUserInput where there is none; `field` is the argument that names it.
   */
  registryToPublishTo(name: string | null, field: string): VisibleRegistry;
  /**
   * Publishes a document to a registry, once: a repetition of the same document is a success. When it resolves, no answer
   * from before is given any more. What forbids it is data in the answer. `dryRun`: finds out what would come of it; nothing
   * is sent.
   */
  publishTemplate(registry: VisibleRegistry, document: TemplateDocument, dryRun: boolean): Promise<Publication>;
  /** Of all that was asked of this view. Complete when nothing is under way. */
  readFreshness(): Freshness;
}

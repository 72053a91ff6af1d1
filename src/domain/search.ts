import type { Complexity } from './template.ts';

export type OrderField = 'RELEVANCE' | 'POPULARITY' | 'RATING' | 'UPDATED' | 'NAME';
export type OrderDirection = 'ASC' | 'DESC';
export type RegistryType = 'OFFICIAL' | 'COMMUNITY' | 'INSTITUTIONAL' | 'PRIVATE';

export interface TemplateOrder {
  readonly field: OrderField;
  readonly direction: OrderDirection;
}

/** What must hold of a template itself. Values within a list: any of them; members: all of them; null: no filter. */
export interface TemplateCriteria {
  readonly categories: readonly string[] | null;
  readonly domains: readonly string[] | null;
  readonly complexity: readonly Complexity[] | null;
  readonly keywords: readonly string[] | null;
  readonly minRating: number | null;
  readonly verified: boolean | null;
  readonly validated: boolean | null;
  readonly researchUser: boolean | null;
  readonly connectionTypes: readonly string[] | null;
  readonly packageManagers: readonly string[] | null;
  readonly licenses: readonly string[] | null;
  readonly updatedSinceMs: number | null;
}

/** The criteria, and which registries are asked at all. */
export interface TemplateFilter extends TemplateCriteria {
  readonly registries: readonly string[] | null;
  readonly registryTypes: readonly RegistryType[] | null;
}

export const NO_CRITERIA: TemplateCriteria = Object.freeze({
  categories: null,
  domains: null,
  complexity: null,
  keywords: null,
  minRating: null,
  verified: null,
  validated: null,
  researchUser: null,
  connectionTypes: null,
  packageManagers: null,
  licenses: null,
  updatedSinceMs: null,
});

/** A page of a walk in either direction. `after` and `before` are sealed cursors as the client sent them. */
export type PageRequest =
  | { readonly direction: 'FORWARD'; readonly count: number; readonly cursor: string | null }
  | { readonly direction: 'BACKWARD'; readonly count: number; readonly cursor: string | null };

/** A search as the resolvers hand it to the federation: already checked, defaults filled in. */
export interface SearchRequest {
  /** Trimmed; empty: browse. */
  readonly query: string;
  readonly filter: TemplateFilter;
  readonly order: TemplateOrder;
  readonly page: PageRequest;
  readonly collapse: boolean;
  readonly require: readonly string[];
  readonly timeoutMs: number | null;
}

export type RegistryOutcome = 'OK' | 'STALE' | 'TIMEOUT' | 'FAILED' | 'SKIPPED';
export type CacheOutcome = 'HIT' | 'MISS' | 'STALE' | 'BYPASS';
export type RowOrder = 'REGISTRY' | 'GATEWAY' | 'PARTIAL';
export type CountAccuracy = 'EXACT' | 'AT_LEAST' | 'AT_MOST' | 'ESTIMATE' | 'UNKNOWN';
export type FacetField = 'CATEGORY' | 'DOMAIN' | 'COMPLEXITY' | 'LICENSE' | 'REGISTRY' | 'VERIFIED';

export interface FacetValue {
  readonly value: string;
  readonly count: number;
}

export interface Facet {
  readonly field: FacetField;
  readonly values: readonly FacetValue[];
  readonly accuracy: CountAccuracy;
}

/** The bounds of one search (contract 2, `server.search`). Times are milliseconds. */
export interface SearchConfig {
  readonly timeout: number;
  readonly maxPageSize: number;
  /** Rows a window. */
  readonly window: number;
  /** Rows read at most, for one page, of a registry that ignores filters. */
  readonly scan: number;
  /** Read at most, for one page, of a registry that cannot sort. */
  readonly drain: { readonly rows: number; readonly requests: number };
}

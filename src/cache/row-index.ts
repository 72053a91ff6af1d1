import type { AnswerSubject } from '../domain/cache.ts';
import { compileCriteria } from '../domain/criteria.ts';
import { normalizeName } from '../domain/names.ts';
import type { CatalogRow } from '../domain/template.ts';

/** What the rows of a search answer say about which templates it can contain. */
export interface RowIndex {
  /**
   * Fingerprints of the rows' normalised names: two names that share one cost a needless question, never a wrong answer. A list,
   * though they have 32 bits each: the bytes of a typed array lie in malloc's heap, which the small ones of many answers keep in
   * shreds, and which then never gives back what lay between them.
   */
  readonly names: readonly number[];
  /** The registry gave rows that were not asked for: it ignores names or filters, and may give anything. */
  readonly isLoose: boolean;
}

/** Names like these, and they are nearly all, are normalised when they are in lower case (NFKC leaves ASCII alone). */
const PLAIN_NAME = /^[\x21-\x24\x26-\x7e]*$/;

/** FNV-1a over the UTF-16 code units of the normalised name. */
export function fingerprintName(name: string): number {
  const normalized = PLAIN_NAME.test(name) ? name.toLowerCase() : normalizeName(name);
  let hash = 0x811c9dc5;
  for (let index = 0; index < normalized.length; index += 1) {
    hash = Math.imul(hash ^ normalized.charCodeAt(index), 0x01000193);
  }
  return hash >>> 0;
}

/** Reads the rows of an answer's value; null: it has none. */
export function indexRows(subject: AnswerSubject, value: unknown): RowIndex | null {
  if (subject.layer !== 'SEARCH' || !hasRows(value)) return null;
  const rows = value.rows.filter((row) => row !== null);
  const names = rows.map((row) => fingerprintName(row.name));
  const asked = subject.names === null ? null : new Set(subject.names.map(fingerprintName));
  const passes = compileCriteria(subject.criteria);
  const isLoose =
    (asked !== null && names.some((name) => !asked.has(name))) ||
    (passes !== null && rows.some((row) => !passes(row.template)));
  return { names, isLoose };
}

function hasRows(value: unknown): value is { readonly rows: readonly (CatalogRow | null)[] } {
  return typeof value === 'object' && value !== null && 'rows' in value && Array.isArray(value.rows);
}

import type { RowPage, SentFacets } from '../../src/domain/registry.ts';
import type { FacetValue } from '../../src/domain/search.ts';
import type { CatalogRow, CategoryCount, RowText, Template, TemplateVersion } from '../../src/domain/template.ts';
import type { MappingContext } from '../registry-definition.ts';
import {
  readCount,
  readFlag,
  readLine,
  readList,
  readName,
  readNumber,
  readObject,
  readTimeMs,
  readVersion,
  type WireObject,
} from '../wire-values.ts';
import { readDigest, readEach, WireTemplate } from './template.ts';

const FACET_MEMBERS = ['category', 'domain', 'complexity', 'license', 'verified'] as const;
const NAME_LENGTH = 500;
const VERSION_LENGTH = 200;
/** Of versions and categories: nothing else says what was cut off. */
const LIST_LENGTH = 20_000;

/**
 * Reads a search answer, `{"templates":[…],"total_count":N}` (contract 4). Entries beyond `limit` are cut off; a malformed
 * one is null and counted. Throws a TypeError when it is no search answer at all.
 */
export function parseSearchPage(body: unknown, context: MappingContext, limit: number): RowPage {
  const answer = readObject(body);
  if (answer === null || !Array.isArray(answer.templates)) throw new TypeError('"templates" must be a list');
  const entries: readonly unknown[] = answer.templates;
  const rows: (CatalogRow | null)[] = [];
  let malformed = 0;
  for (let index = 0; index < entries.length && index < limit; index += 1) {
    const row = parseRow(entries[index], context);
    if (row === null) malformed += 1;
    rows.push(row);
  }
  const facets = readObject(answer.facets);
  return {
    rows,
    malformed,
    totalCount: readCount(answer.total_count),
    claimsTotalOrder: answer.order === 'total',
    facets: facets === null ? null : new WireFacets(facets),
  };
}

/** Reads one template; null when it has no usable name or version. */
export function parseTemplate(body: unknown, context: MappingContext): Template | null {
  return parseRow(body, context)?.template ?? null;
}

/** Reads `{"versions":[…]}`. Malformed entries are left out. Throws a TypeError when it is none. */
export function parseVersions(body: unknown): readonly TemplateVersion[] {
  const answer = readObject(body);
  if (answer === null || !Array.isArray(answer.versions)) throw new TypeError('"versions" must be a list');
  const versions: TemplateVersion[] = [];
  for (const entry of readList(answer.versions, LIST_LENGTH)) {
    const wire = readObject(entry);
    const version = readVersion(wire?.version, VERSION_LENGTH);
    if (wire === null || version === null) continue;
    versions.push({
      version,
      publishedAtMs: readTimeMs(wire.published_at),
      deprecated: readFlag(wire.deprecated) ?? false,
      withdrawnAtMs: readTimeMs(wire.withdrawn_at),
      digest: readDigest(wire.digest),
    });
  }
  return Object.freeze(versions);
}

/** Reads `["…"]` or `[{"name","count"}]`. Malformed entries are left out. Throws a TypeError when it is no list. */
export function parseCategories(body: unknown): readonly CategoryCount[] {
  if (!Array.isArray(body)) throw new TypeError('the categories must be a list');
  const categories: CategoryCount[] = [];
  for (const entry of readList(body, LIST_LENGTH)) {
    const wire = readObject(entry);
    const name = readLine(wire === null ? entry : wire.name, 200);
    if (name !== null) categories.push({ name, count: readCount(wire?.count) });
  }
  return Object.freeze(categories);
}

function parseRow(entry: unknown, context: MappingContext): WireRow | null {
  const wire = readObject(entry);
  if (wire === null) return null;
  const name = readName(wire.name, NAME_LENGTH);
  const version = readVersion(wire.version, VERSION_LENGTH);
  return name === null || version === null ? null : new WireRow(wire, name, version, context);
}

/** A row as it is compared. Its template is made when somebody looks: most rows of a window are only compared. */
class WireRow implements CatalogRow {
  readonly name: string;
  readonly version: string;
  readonly popularity: number | null;
  readonly rating: number | null;
  readonly #registryName: string;
  readonly #wire: WireObject;
  #nameLower: string | null = null;
  #updatedAtMs: number | null | undefined = undefined;
  #template: WireTemplate | null = null;

  constructor(wire: WireObject, name: string, version: string, context: MappingContext) {
    const market = readObject(wire.marketplace) ?? wire;
    const downloads = readCount(market.downloads ?? wire.downloads);
    this.name = name;
    this.version = version;
    this.popularity = downloads === null ? null : downloads * context.popularityScale;
    this.rating = readNumber(market.rating ?? wire.rating, 0, 5);
    this.#registryName = context.registryName;
    this.#wire = wire;
  }

  /** Only where keys are equal is a name compared. */
  get nameLower(): string {
    this.#nameLower ??= this.name.toLowerCase();
    return this.#nameLower;
  }

  /** Read on first use: parsing fifty times is a measurable part of a cold window, and one order in five needs them. */
  get updatedAtMs(): number | null {
    if (this.#updatedAtMs === undefined) this.#updatedAtMs = readTimeMs(this.#wire.updated_at);
    return this.#updatedAtMs;
  }

  get text(): RowText {
    return this.template;
  }

  get template(): WireTemplate {
    this.#template ??= new WireTemplate(this, this.#wire, this.#registryName);
    return this.#template;
  }
}

/**
 * Facets as text: those of many searches are kept and hardly ever read, and the dozens of small objects of each would be carried
 * along by every collection of garbage.
 */
class WireFacets implements SentFacets {
  readonly #text: string;

  constructor(wire: WireObject) {
    this.#text = JSON.stringify(wire);
  }

  read(): ReadonlyMap<string, readonly FacetValue[]> {
    const wire = readObject(JSON.parse(this.#text)) ?? {};
    const facets = new Map<string, readonly FacetValue[]>();
    for (const member of FACET_MEMBERS) {
      if (Array.isArray(wire[member])) facets.set(member, readEach(wire[member], readFacetValue));
    }
    return facets;
  }
}

function readFacetValue(entry: unknown): FacetValue | null {
  const wire = readObject(entry);
  const value = readLine(typeof wire?.value === 'boolean' ? String(wire.value) : wire?.value, 200);
  const count = readCount(wire?.count);
  return value === null || count === null ? null : { value, count };
}

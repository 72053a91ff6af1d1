import type { RowPage } from '../../src/domain/registry.ts';
import type { FacetValue } from '../../src/domain/search.ts';
import type {
  CatalogRow,
  CategoryCount,
  Complexity,
  DependencyType,
  RowText,
  ScanFinding,
  SecurityScan,
  Severity,
  Template,
  TemplateBadge,
  TemplateDependency,
  TemplateVersion,
} from '../../src/domain/template.ts';
import type { MappingContext } from '../rest-registry.ts';
import {
  readChoice,
  readCount,
  readFlag,
  readIdentifier,
  readLine,
  readLines,
  readList,
  readName,
  readNumber,
  readObject,
  readText,
  readTimeMs,
  readUrl,
  readVersion,
  type WireObject,
} from '../wire-values.ts';

const COMPLEXITIES: readonly Complexity[] = ['SIMPLE', 'MODERATE', 'ADVANCED', 'COMPLEX'];
const DEPENDENCY_TYPES: readonly DependencyType[] = ['TEMPLATE', 'PACKAGE', 'SYSTEM'];
const SEVERITIES: readonly Severity[] = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'INFO'];
const FACET_MEMBERS = ['category', 'domain', 'complexity', 'license', 'verified'] as const;
const NAME_LENGTH = 500;
const VERSION_LENGTH = 200;
/** Of versions and categories: nothing else says what was cut off. */
const LIST_LENGTH = 20_000;
const DESCRIPTION_LENGTH = 20_000;
const DOCUMENT_LENGTH = 1_000_000;

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
  return Object.freeze({
    rows: Object.freeze(rows),
    malformed,
    totalCount: readCount(answer.total_count),
    claimsTotalOrder: answer.order === 'total',
    facets: parseFacets(answer.facets),
  });
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

/** A row whose forty members are mapped when somebody looks: most rows of a window are only compared. */
class WireRow implements CatalogRow {
  readonly name: string;
  readonly version: string;
  readonly nameLower: string;
  readonly popularity: number | null;
  readonly rating: number | null;
  readonly #context: MappingContext;
  readonly #updatedAt: unknown;
  #updatedAtMs: number | null | undefined = undefined;
  #wire: WireObject | null;
  #template: Template | null = null;

  constructor(wire: WireObject, name: string, version: string, context: MappingContext) {
    const market = readObject(wire.marketplace) ?? wire;
    const downloads = readCount(market.downloads ?? wire.downloads);
    this.name = name;
    this.version = version;
    this.nameLower = name.toLowerCase();
    this.popularity = downloads === null ? null : downloads * context.popularityScale;
    this.rating = readNumber(market.rating ?? wire.rating, 0, 5);
    this.#updatedAt = wire.updated_at;
    this.#context = context;
    this.#wire = wire;
  }

  /** Read on first use: parsing fifty times is a measurable part of a cold window, and one order in five needs them. */
  get updatedAtMs(): number | null {
    if (this.#updatedAtMs === undefined) this.#updatedAtMs = readTimeMs(this.#updatedAt);
    return this.#updatedAtMs;
  }

  get text(): RowText {
    return this.#template ?? readRowText(this.name, this.#wire ?? {});
  }

  get template(): Template {
    if (this.#template === null) {
      this.#template = Object.freeze(toTemplate(this, this.#wire ?? {}, this.#context.registryName));
      // What the mapping left out need not be kept any longer.
      this.#wire = null;
    }
    return this.#template;
  }
}

function readRowText(name: string, wire: WireObject): RowText & Pick<Template, 'title' | 'description'> {
  return {
    name,
    title: readLine(wire.title) ?? name,
    description: readText(wire.description, DESCRIPTION_LENGTH) ?? '',
    category: readLine(wire.category, 200),
    domain: readLine(wire.domain, 200),
    tags: readLines(wire.tags),
    keywords: readLines(wire.keywords),
  };
}

/** Maps a checked row to a template. Members of `marketplace` may also stand at the top level. */
function toTemplate(row: CatalogRow, wire: WireObject, registryName: string): Template {
  const inner = readObject(wire.marketplace);
  const market = (member: string): unknown => inner?.[member] ?? wire[member];
  const downloads = readCount(market('downloads'));
  const packageManager = readLine(wire.package_manager, 100);
  return {
    ...readRowText(row.name, wire),
    registryName,
    version: row.version,
    longDescription: readText(wire.long_description, DOCUMENT_LENGTH),
    complexity: readChoice(wire.complexity, COMPLEXITIES),
    license: readLine(wire.license),
    author: readLine(wire.author),
    homepage: readUrl(wire.homepage),
    repository: readUrl(wire.repository),
    documentation: readText(wire.documentation, DOCUMENT_LENGTH),
    base: readLine(wire.base),
    architectures: readLines(wire.architectures),
    packageManager,
    packageManagers: readPackageManagers(packageManager, wire.packages),
    connectionTypes: readLines(wire.connection_types),
    researchUser: readFlag(wire.research_user),
    estimatedLaunchMinutes: readLaunchMinutes(wire.estimated_launch_time),
    parentName: readIdentifier(wire.parent, NAME_LENGTH),
    downloads,
    popularity: downloads === null ? null : { value: downloads, kind: 'DOWNLOADS' },
    rating: row.rating,
    ratingCount: readCount(market('rating_count')),
    verified: readFlag(market('verified')) ?? false,
    validated: readValidated(market('validation_tests')),
    badges: readEach(market('badges'), readBadge),
    deprecated: readFlag(wire.deprecated) ?? false,
    withdrawnAtMs: readTimeMs(wire.withdrawn_at),
    createdAtMs: readTimeMs(wire.created_at),
    updatedAtMs: row.updatedAtMs,
    digest: readDigest(wire.digest),
    contentUrl: readUrl(wire.content_url),
    dependencies: readEach(market('dependencies'), readDependency),
    securityScan: readSecurityScan(market('security_scan')),
  };
}

/** "sha256:" and 64 hexadecimal digits; anything else could not be checked against a document. */
function readDigest(value: unknown): string | null {
  const text = typeof value === 'string' ? value.trim().toLowerCase() : '';
  return /^sha256:[0-9a-f]{64}$/.test(text) ? text : null;
}

function readPackageManagers(packageManager: string | null, packages: unknown): readonly string[] {
  const named = readLines(Object.keys(readObject(packages) ?? {}), 100);
  return packageManager === null ? named : [...new Set([packageManager, ...named])];
}

/** Whole minutes; a GraphQL Int holds them. */
function readLaunchMinutes(value: unknown): number | null {
  const minutes = readNumber(value, 0, 1_000_000);
  return minutes === null ? null : Math.ceil(minutes);
}

function readEach<T>(value: unknown, read: (entry: unknown) => T | null): readonly T[] {
  return readList(value)
    .map(read)
    .filter((entry) => entry !== null);
}

/** Whether all of its tests passed; null where there is none. */
function readValidated(value: unknown): boolean | null {
  const tests = readList(value);
  if (tests.length === 0) return null;
  return tests.every((test) => {
    const wire = readObject(test);
    return wire?.passed === true || readChoice(wire?.status, ['PASSED', 'PASS', 'SUCCESS', 'OK']) !== null;
  });
}

function readBadge(entry: unknown): TemplateBadge | null {
  const wire = readObject(entry) ?? { kind: entry };
  const kind = readLine(wire.kind, 100);
  if (kind === null) return null;
  return {
    kind,
    label: readLine(wire.label, 200) ?? kind,
    issuer: readLine(wire.issuer, 200),
    issuedAtMs: readTimeMs(wire.issued_at),
  };
}

function readDependency(entry: unknown): TemplateDependency | null {
  const wire = readObject(entry);
  const name = readIdentifier(wire?.name, NAME_LENGTH);
  if (wire === null || name === null) return null;
  return {
    name,
    constraint: readLine(wire.version, VERSION_LENGTH) ?? '*',
    optional: readFlag(wire.optional) ?? false,
    type: readChoice(wire.type, DEPENDENCY_TYPES) ?? 'TEMPLATE',
  };
}

function readSecurityScan(value: unknown): SecurityScan | null {
  const wire = readObject(value);
  if (wire === null) return null;
  return {
    status: readLine(wire.status, 100) ?? 'unknown',
    score: readNumber(wire.score, 0, 100),
    scannedAtMs: readTimeMs(wire.scanned_at),
    findings: readEach(wire.findings, readFinding),
  };
}

/** A finding whose severity is none of the known ones is kept as inconclusive: to drop it would hide it. */
function readFinding(entry: unknown): ScanFinding | null {
  const wire = readObject(entry);
  const id = readLine(wire?.id, 200);
  if (wire === null || id === null) return null;
  const severity = readChoice(wire.severity, SEVERITIES);
  return {
    id,
    scanner: readLine(wire.scanner, 100) ?? 'registry',
    severity: severity ?? 'INFO',
    inconclusive: severity === null || (readFlag(wire.inconclusive) ?? false),
    title: readLine(wire.title) ?? id,
    description: readText(wire.description, DESCRIPTION_LENGTH) ?? '',
    path: readLine(wire.path),
    line: readNumber(wire.line, 0, 2 ** 31 - 1),
    remediation: readText(wire.remediation, DESCRIPTION_LENGTH),
    references: readEach(wire.references, readUrl),
  };
}

function parseFacets(value: unknown): ReadonlyMap<string, readonly FacetValue[]> | null {
  const wire = readObject(value);
  if (wire === null) return null;
  const facets = new Map<string, readonly FacetValue[]>();
  for (const member of FACET_MEMBERS) {
    if (Array.isArray(wire[member])) facets.set(member, readEach(wire[member], readFacetValue));
  }
  return facets;
}

function readFacetValue(entry: unknown): FacetValue | null {
  const wire = readObject(entry);
  const value = readLine(typeof wire?.value === 'boolean' ? String(wire.value) : wire?.value, 200);
  const count = readCount(wire?.count);
  return value === null || count === null ? null : { value, count };
}

/**
 * What the gateway knows of a template. Everything here was parsed from an untrusted registry: a member that was missing
 * or malformed is null (or an empty list), never a guess.
 */
export type Complexity = 'SIMPLE' | 'MODERATE' | 'ADVANCED' | 'COMPLEX';
export type DependencyType = 'TEMPLATE' | 'PACKAGE' | 'SYSTEM';
type PopularityKind = 'DOWNLOADS' | 'PULLS' | 'STARS' | 'LIKES' | 'VIEWS';
export type Severity = 'CRITICAL' | 'HIGH' | 'MEDIUM' | 'LOW' | 'INFO';

interface Popularity {
  /** As the registry states it, before `popularityScale`. */
  readonly value: number;
  readonly kind: PopularityKind;
}

export interface TemplateBadge {
  readonly kind: string;
  readonly label: string;
  readonly issuer: string | null;
  readonly issuedAtMs: number | null;
}

/** A finding as a registry's own scan claims it. */
export interface ScanFinding {
  readonly id: string;
  readonly scanner: string;
  readonly severity: Severity;
  readonly inconclusive: boolean;
  readonly title: string;
  readonly description: string;
  readonly path: string | null;
  readonly line: number | null;
  readonly remediation: string | null;
  readonly references: readonly string[];
}

export interface SecurityScan {
  readonly status: string;
  readonly score: number | null;
  readonly scannedAtMs: number | null;
  readonly findings: readonly ScanFinding[];
}

export interface TemplateDependency {
  readonly name: string;
  /** The version range the template asks for; "*" when it states none. */
  readonly constraint: string;
  readonly optional: boolean;
  readonly type: DependencyType;
}

/** One entry of a registry's catalogue. Times are milliseconds since the epoch, UTC. */
export interface Template {
  readonly registryName: string;
  readonly name: string;
  readonly version: string;
  readonly title: string;
  readonly description: string;
  readonly longDescription: string | null;
  readonly category: string | null;
  readonly domain: string | null;
  readonly complexity: Complexity | null;
  readonly tags: readonly string[];
  readonly keywords: readonly string[];
  readonly license: string | null;
  readonly author: string | null;
  readonly homepage: string | null;
  readonly repository: string | null;
  readonly documentation: string | null;
  readonly base: string | null;
  readonly architectures: readonly string[];
  readonly packageManager: string | null;
  /** Every package manager the entry names: `package_manager` and the keys of `packages`. */
  readonly packageManagers: readonly string[];
  readonly connectionTypes: readonly string[];
  readonly researchUser: boolean | null;
  readonly estimatedLaunchMinutes: number | null;
  readonly parentName: string | null;
  readonly downloads: number | null;
  readonly popularity: Popularity | null;
  readonly rating: number | null;
  readonly ratingCount: number | null;
  readonly verified: boolean;
  /** Whether its registry says that all of its validation tests passed; null where it lists none. */
  readonly validated: boolean | null;
  readonly badges: readonly TemplateBadge[];
  readonly deprecated: boolean;
  readonly withdrawnAtMs: number | null;
  readonly createdAtMs: number | null;
  readonly updatedAtMs: number | null;
  readonly digest: string | null;
  readonly contentUrl: string | null;
  readonly dependencies: readonly TemplateDependency[];
  readonly securityScan: SecurityScan | null;
}

/** One published version of a template, as its registry lists it. */
export interface TemplateVersion {
  readonly version: string;
  readonly publishedAtMs: number | null;
  readonly deprecated: boolean;
  readonly withdrawnAtMs: number | null;
  readonly digest: string | null;
}

/** A document that is to be published. */
export interface TemplateDocument {
  /** As it states them itself. */
  readonly name: string;
  readonly version: string;
  readonly bytes: Uint8Array;
  readonly mediaType: 'application/yaml' | 'application/json';
  /** "sha256:<hex>" of the bytes. */
  readonly digest: string;
}

/** A template's document. */
export interface TemplateContent {
  readonly bytes: Uint8Array;
  readonly mediaType: string;
  /** "sha256:<hex>" of the bytes that arrived, computed here. */
  readonly digest: string;
}

export interface CategoryCount {
  readonly name: string;
  readonly count: number | null;
}

/** The text of a row that relevance is judged by. Its lists are read up to a bound, its strings are cut. */
export interface RowText {
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly keywords: readonly string[];
  readonly tags: readonly string[];
  readonly category: string | null;
  readonly domain: string | null;
}

/**
 * A row of a search answer: what ordering needs, and the template behind it, mapped when somebody looks. Most rows of a
 * window are only compared, so mapping all forty members of each would be the larger part of a cold search's work.
 */
export interface CatalogRow {
  readonly name: string;
  readonly version: string;
  /** `name` in lower case (Unicode default mapping): the first tie-breaker of every order. */
  readonly nameLower: string;
  /** Already multiplied by the registry's `popularityScale`. */
  readonly popularity: number | null;
  readonly rating: number | null;
  readonly updatedAtMs: number | null;
  /** Read anew on each use: a fifth of the work of mapping the template, and most scored rows are not shown. */
  readonly text: RowText;
  /** Mapped on first use, the same object afterwards. */
  readonly template: Template;
}

/** A template of the marketplace protocol, read from its JSON member by member as somebody looks. */
import type {
  CatalogRow,
  Complexity,
  DependencyType,
  RowText,
  ScanFinding,
  SecurityScan,
  Severity,
  Template,
  TemplateBadge,
  TemplateDependency,
} from '../../src/domain/template.ts';
import {
  readChoice,
  readCount,
  readFlag,
  readIdentifier,
  readLine,
  readLines,
  readList,
  readNumber,
  readObject,
  readText,
  readTimeMs,
  readUrl,
  type WireObject,
} from '../wire-values.ts';

const COMPLEXITIES: readonly Complexity[] = ['SIMPLE', 'MODERATE', 'ADVANCED', 'COMPLEX'];
const DEPENDENCY_TYPES: readonly DependencyType[] = ['TEMPLATE', 'PACKAGE', 'SYSTEM'];
const SEVERITIES: readonly Severity[] = ['CRITICAL', 'HIGH', 'MEDIUM', 'LOW', 'INFO'];
const NAME_LENGTH = 500;
const VERSION_LENGTH = 200;
const DESCRIPTION_LENGTH = 20_000;
const DOCUMENT_LENGTH = 1_000_000;

/**
 * The template of a row that was checked to have a name and a version. Of its forty members a page shows a dozen, so each
 * is read when it is asked for: to map them all would be a sixth of a cold search. It cannot be changed. Members of
 * `marketplace` may also stand at the top level.
 */
export class WireTemplate implements Template, RowText {
  readonly #row: Pick<CatalogRow, 'name' | 'version' | 'rating' | 'updatedAtMs'>;
  readonly #wire: WireObject;
  readonly #registryName: string;

  constructor(
    row: Pick<CatalogRow, 'name' | 'version' | 'rating' | 'updatedAtMs'>,
    wire: WireObject,
    registryName: string,
  ) {
    this.#row = row;
    this.#wire = wire;
    this.#registryName = registryName;
  }

  get registryName() {
    return this.#registryName;
  }

  get name() {
    return this.#row.name;
  }

  get version() {
    return this.#row.version;
  }

  get title() {
    return readLine(this.#wire.title) ?? this.#row.name;
  }

  get description() {
    return readText(this.#wire.description, DESCRIPTION_LENGTH) ?? '';
  }

  get longDescription() {
    return readText(this.#wire.long_description, DOCUMENT_LENGTH);
  }

  get category() {
    return readLine(this.#wire.category, 200);
  }

  get domain() {
    return readLine(this.#wire.domain, 200);
  }

  get complexity() {
    return readChoice(this.#wire.complexity, COMPLEXITIES);
  }

  get tags() {
    return readLines(this.#wire.tags);
  }

  get keywords() {
    return readLines(this.#wire.keywords);
  }

  get license() {
    return readLine(this.#wire.license);
  }

  get author() {
    return readLine(this.#wire.author);
  }

  get homepage() {
    return readUrl(this.#wire.homepage);
  }

  get repository() {
    return readUrl(this.#wire.repository);
  }

  get documentation() {
    return readText(this.#wire.documentation, DOCUMENT_LENGTH);
  }

  get base() {
    return readLine(this.#wire.base);
  }

  get architectures() {
    return readLines(this.#wire.architectures);
  }

  get packageManager() {
    return readLine(this.#wire.package_manager, 100);
  }

  get packageManagers() {
    return readPackageManagers(this.packageManager, this.#wire.packages);
  }

  get connectionTypes() {
    return readLines(this.#wire.connection_types);
  }

  get researchUser() {
    return readFlag(this.#wire.research_user);
  }

  get estimatedLaunchMinutes() {
    return readLaunchMinutes(this.#wire.estimated_launch_time);
  }

  get parentName() {
    return readIdentifier(this.#wire.parent, NAME_LENGTH);
  }

  get downloads() {
    return readCount(this.#market('downloads'));
  }

  get popularity(): Template['popularity'] {
    const { downloads } = this;
    return downloads === null ? null : { value: downloads, kind: 'DOWNLOADS' };
  }

  get rating() {
    return this.#row.rating;
  }

  get ratingCount() {
    return readCount(this.#market('rating_count'));
  }

  get verified() {
    return readFlag(this.#market('verified')) ?? false;
  }

  get validated() {
    return readValidated(this.#market('validation_tests'));
  }

  get badges() {
    return readEach(this.#market('badges'), readBadge);
  }

  get deprecated() {
    return readFlag(this.#wire.deprecated) ?? false;
  }

  get withdrawnAtMs() {
    return readTimeMs(this.#wire.withdrawn_at);
  }

  get createdAtMs() {
    return readTimeMs(this.#wire.created_at);
  }

  get updatedAtMs() {
    return this.#row.updatedAtMs;
  }

  get digest() {
    return readDigest(this.#wire.digest);
  }

  get contentUrl() {
    return readUrl(this.#wire.content_url);
  }

  get dependencies() {
    return readEach(this.#market('dependencies'), readDependency);
  }

  get securityScan() {
    return readSecurityScan(this.#market('security_scan'));
  }

  #market(member: string): unknown {
    return readObject(this.#wire.marketplace)?.[member] ?? this.#wire[member];
  }
}

/** "sha256:" and 64 hexadecimal digits; anything else could not be checked against a document. */
export function readDigest(value: unknown): string | null {
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

/** What `read` makes of each entry of a list, without those that it makes null of. */
export function readEach<T>(value: unknown, read: (entry: unknown) => T | null): readonly T[] {
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

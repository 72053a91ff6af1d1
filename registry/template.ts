/**
 * A template as this registry keeps it: checked, in the shape of the wire, with the values that search needs beside it.
 */
import { isMembers, MemberReader, type Members, parseTimeMs } from './member-reader.ts';

/** A name is a path of segments; 200 characters keep it within the file names and addresses it becomes part of. */
const NAME_LENGTH = 200;
const VERSION_LENGTH = 100;
const CONTROL_CHARACTERS = /[\u0000-\u001f\u007f-\u009f]/;
const COMPLEXITIES = ['simple', 'moderate', 'advanced', 'complex'];
const DEPENDENCY_TYPES = ['template', 'package', 'system'];
const SEVERITIES = ['critical', 'high', 'medium', 'low', 'info'];

/** One version of one template. Absent values are null. */
export interface Template {
  readonly name: string;
  readonly version: string;
  /** Lower case by the Unicode default mapping: what ties are broken by. */
  readonly nameLower: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly longDescription: string | null;
  readonly category: string | null;
  readonly domain: string | null;
  readonly complexity: string | null;
  readonly tags: readonly string[];
  readonly keywords: readonly string[];
  readonly license: string | null;
  readonly author: string | null;
  /** `package_manager` and the keys of `packages`. */
  readonly packageManagers: readonly string[];
  readonly packageNames: readonly string[];
  readonly connectionTypes: readonly string[];
  readonly researchUser: boolean;
  readonly downloads: number | null;
  readonly rating: number | null;
  readonly verified: boolean;
  /** There are validation tests, and all of them passed. */
  readonly validated: boolean;
  readonly updatedMs: number | null;
  readonly publishedAt: string | null;
  readonly deprecated: boolean;
  readonly withdrawnAt: string | null;
  /** The object that answers carry, without the members that are about its document (`digest`, `content_url`). */
  readonly wire: Readonly<Record<string, unknown>>;
}

/** A template, or why there is none: one sentence per fault, each naming the member. */
export type TemplateReading =
  | { readonly ok: true; readonly template: Template }
  | { readonly ok: false; readonly faults: readonly string[] };

/**
 * What the registry itself says of a template that somebody published: the author's word for these would be worth nothing.
 */
export interface Standing {
  readonly publishedAt: string;
}

/**
 * Reads a template of the protocol. Members of `marketplace` may stand at the top level; unknown members are left out.
 * With a `standing`, downloads, ratings, verification, badges, scans and tests that the document claims are left out too.
 */
export function readTemplate(value: unknown, standing: Standing | null = null): TemplateReading {
  if (!isMembers(value)) return { ok: false, faults: ['a template must be an object with members'] };
  const reader = new MemberReader(value);
  const name = reader.requireText('name');
  const version = reader.requireText('version');
  const { faults } = reader;
  if (name !== null) checkName(name, faults);
  if (version !== null) checkVersion(version, faults);
  const market = new MemberReader(reader.readMembers('marketplace') ?? {}, 'marketplace.', faults, value);
  const draft = readMembers(reader, market, standing);
  if (name === null || version === null || faults.length > 0) return { ok: false, faults };
  return { ok: true, template: finishTemplate(name, version, draft) };
}

/** Says what is wrong with a name, one sentence each: it becomes a part of addresses and file names. */
function checkName(name: string, faults: string[]): void {
  if (name.length > NAME_LENGTH) faults.push(`"name" must have at most ${NAME_LENGTH} characters`);
  if (CONTROL_CHARACTERS.test(name) || name.includes('\\')) {
    faults.push('"name" must have neither control characters nor backslashes');
  }
  if (name.split('/').some((segment) => segment === '' || segment === '.' || segment === '..')) {
    faults.push('"name" must consist of segments parted by single slashes, none of them "." or ".."');
  }
}

function checkVersion(version: string, faults: string[]): void {
  if (version.length > VERSION_LENGTH) faults.push(`"version" must have at most ${VERSION_LENGTH} characters`);
  if (CONTROL_CHARACTERS.test(version) || /[\s/\\]/.test(version)) {
    faults.push('"version" must have neither white space, slashes nor control characters');
  }
}

type Draft = ReturnType<typeof readMembers>;

function readMembers(reader: MemberReader, market: MemberReader, standing: Standing | null) {
  const claims = standing === null ? readClaims(market) : NO_CLAIMS;
  const createdAt = reader.readTime('created_at') ?? standing?.publishedAt ?? null;
  const updatedAt = standing?.publishedAt ?? reader.readTime('updated_at');
  return {
    title: reader.readText('title'),
    description: reader.readText('description'),
    long_description: reader.readText('long_description'),
    category: reader.readText('category'),
    domain: reader.readText('domain'),
    complexity: reader.readChoice('complexity', COMPLEXITIES),
    tags: reader.readTexts('tags'),
    keywords: reader.readTexts('keywords'),
    license: reader.readText('license'),
    author: reader.readText('author'),
    homepage: reader.readText('homepage'),
    repository: reader.readText('repository'),
    documentation: reader.readText('documentation'),
    base: reader.readText('base'),
    architectures: reader.readTexts('architectures'),
    package_manager: reader.readText('package_manager'),
    connection_types: reader.readTexts('connection_types'),
    research_user: reader.readFlag('research_user'),
    estimated_launch_time: reader.readNumber('estimated_launch_time', 0, 100_000),
    parent: reader.readText('parent'),
    packages: readPackages(reader),
    created_at: createdAt,
    updated_at: updatedAt,
    published_at: standing?.publishedAt ?? reader.readTime('published_at') ?? updatedAt ?? createdAt,
    deprecated: reader.readFlag('deprecated'),
    withdrawn_at: reader.readTime('withdrawn_at'),
    ...claims,
    dependencies: market.readEach('dependencies', readDependency),
  };
}

const NO_CLAIMS = {
  downloads: null,
  rating: null,
  rating_count: null,
  verified: null,
  badges: [],
  security_scan: null,
  validation_tests: [],
};

function readClaims(market: MemberReader) {
  return {
    downloads: market.readCount('downloads'),
    rating: market.readNumber('rating', 0, 5),
    rating_count: market.readCount('rating_count'),
    verified: market.readFlag('verified'),
    badges: market.readEach('badges', (badge) => ({
      kind: badge.readText('kind'),
      label: badge.readText('label'),
      issuer: badge.readText('issuer'),
      issued_at: badge.readTime('issued_at'),
    })),
    security_scan: readSecurityScan(market),
    validation_tests: market.readEach('validation_tests', (test) => ({
      name: test.readText('name'),
      status: test.readText('status'),
    })),
  };
}

function readDependency(reader: MemberReader) {
  return {
    name: reader.requireText('name'),
    version: reader.readText('version'),
    optional: reader.readFlag('optional'),
    type: reader.readChoice('type', DEPENDENCY_TYPES),
  };
}

function readSecurityScan(market: MemberReader): Members | null {
  const scan = market.readMembers('security_scan');
  if (scan === null) return null;
  const reader = new MemberReader(scan, 'marketplace.security_scan.', market.faults);
  return withoutAbsent({
    status: reader.readText('status'),
    score: reader.readNumber('score', 0, 100),
    scanned_at: reader.readTime('scanned_at'),
    findings: reader.readEach('findings', (finding) =>
      withoutAbsent({
        id: finding.readText('id'),
        scanner: finding.readText('scanner'),
        severity: finding.readChoice('severity', SEVERITIES),
        inconclusive: finding.readFlag('inconclusive'),
        title: finding.readText('title'),
        description: finding.readText('description'),
        path: finding.readText('path'),
        line: finding.readCount('line'),
        remediation: finding.readText('remediation'),
        references: finding.readTexts('references'),
      }),
    ),
  });
}

function readPackages(reader: MemberReader): Readonly<Record<string, readonly string[]>> | null {
  const packages = reader.readMembers('packages');
  if (packages === null) return null;
  const lists = new MemberReader(packages, 'packages.', reader.faults);
  return Object.fromEntries(Object.keys(packages).map((manager) => [manager, lists.readTexts(manager)]));
}

function finishTemplate(name: string, version: string, draft: Draft): Template {
  const packages = draft.packages ?? {};
  const managers = [...(draft.package_manager === null ? [] : [draft.package_manager]), ...Object.keys(packages)];
  return {
    name,
    version,
    nameLower: name.toLowerCase(),
    title: draft.title,
    description: draft.description,
    longDescription: draft.long_description,
    category: draft.category,
    domain: draft.domain,
    complexity: draft.complexity,
    tags: draft.tags,
    keywords: draft.keywords,
    license: draft.license,
    author: draft.author,
    packageManagers: managers,
    packageNames: Object.values(packages).flat(),
    connectionTypes: draft.connection_types,
    researchUser: draft.research_user ?? false,
    downloads: draft.downloads,
    rating: draft.rating,
    verified: draft.verified ?? false,
    validated:
      draft.validation_tests.length > 0 &&
      draft.validation_tests.every((test) => test.status?.toLowerCase() === 'passed'),
    updatedMs: draft.updated_at === null ? null : parseTimeMs(draft.updated_at),
    publishedAt: draft.published_at,
    deprecated: draft.deprecated ?? false,
    withdrawnAt: draft.withdrawn_at,
    wire: toWire(name, version, draft),
  };
}

function toWire(name: string, version: string, draft: Draft): Readonly<Record<string, unknown>> {
  const { downloads, rating, rating_count, verified, badges, security_scan, validation_tests, dependencies, ...own } =
    draft;
  const { published_at: _publishedAt, ...members } = own;
  return withoutAbsent({
    name,
    version,
    ...members,
    marketplace: withoutAbsent({
      downloads,
      rating,
      rating_count,
      verified,
      badges: badges.map(withoutAbsent),
      security_scan,
      validation_tests: validation_tests.map(withoutAbsent),
      dependencies: dependencies.map(withoutAbsent),
    }),
  });
}

/** Leaves out nulls and empty lists: on the wire, what is unknown is absent. */
function withoutAbsent(members: Members): Record<string, unknown> {
  const kept: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(members)) {
    if (value === null || value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    kept[name] = value;
  }
  return kept;
}

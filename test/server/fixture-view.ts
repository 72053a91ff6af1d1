/** A federation small enough to be seen whole: two registries, three templates, everything answered from memory. */
import type { RequestContext } from '../../resolvers/context.ts';
import { CallerAudit } from '../../src/audit/request-audit.ts';
import { BadUserInput } from '../../src/domain/errors.ts';
import type { RegistryHealth, RegistryInfo, RegistryMetrics, RegistrySource } from '../../src/domain/registry.ts';
import type { SearchRequest } from '../../src/domain/search.ts';
import type { Template } from '../../src/domain/template.ts';
import type {
  FederationView,
  SearchEdge,
  SearchProgress,
  SearchResult,
  VisibleRegistry,
} from '../../src/federation/answers.ts';
import { HeldTrail } from '../helpers/held-trail.ts';

const HEALTH: RegistryHealth = {
  status: 'UP',
  sinceMs: Date.UTC(2026, 0, 1),
  checkedAtMs: Date.UTC(2026, 0, 2),
  latencyMs: 3,
  message: 'answers',
  circuits: [
    { operation: 'SEARCH', state: 'HALF_OPEN', sinceMs: Date.UTC(2026, 0, 1), nextAttemptAtMs: Date.UTC(2026, 0, 3) },
    { operation: 'TEMPLATE', state: 'CLOSED', sinceMs: Date.UTC(2026, 0, 1), nextAttemptAtMs: null },
  ],
  certificate: { subject: 'CN=one', issuer: 'CN=two', validFromMs: 0, validToMs: Date.UTC(2030, 0, 1) },
  uptime: 1,
};

const METRICS: RegistryMetrics = {
  requests: 10,
  successRate: 1,
  responseTime: { mean: 1, p50: 1, p95: 2, p99: 3, max: 4 },
  cacheHitRate: 0.5,
  cacheHits: 5,
  cacheMisses: 5,
  authFailures: 0,
  rateLimitHits: 0,
  timeouts: 0,
  retries: 0,
  circuitOpens: 0,
  claimedNames: 0,
  inFlight: 0,
  queued: 0,
};

/** A source of which only the parts that resolvers read are there; every call to the registry is a failure of the test. */
function fixtureSource(
  info: Partial<RegistryInfo> & { name: string },
  health: Partial<RegistryHealth> = {},
): RegistrySource {
  const refuse = () => Promise.reject(new TypeError('a resolver must not call a registry'));
  return {
    info: {
      type: 'OFFICIAL',
      kind: 'marketplace',
      url: 'https://registry.example',
      writable: false,
      namespace: 'marketplace',
      claims: [],
      access: null,
      ...info,
    },
    searchRows: refuse,
    fetchTemplate: refuse,
    fetchVersions: refuse,
    fetchContent: refuse,
    fetchCategories: refuse,
    peekRows: () => 0,
    publishTemplate: refuse,
    noteClaimedName: () => undefined,
    resetCircuit: () => undefined,
    recallTemplate: async () => null,
    canAnswer: () => true,
    readHealth: () => ({ ...HEALTH, ...health }),
    readMetrics: () => METRICS,
  };
}

/** A template with every member set. */
export function fixtureTemplate(given: Partial<Template> & { name: string }): Template {
  return {
    registryName: 'official',
    version: '1.2.0',
    title: `The ${given.name}`,
    description: 'An environment.',
    longDescription: 'An environment, at length.',
    category: 'ml',
    domain: 'biology',
    complexity: 'SIMPLE',
    tags: ['tag'],
    keywords: ['keyword'],
    license: 'MIT',
    author: 'Somebody',
    homepage: 'https://example.org/home',
    repository: 'https://example.org/repository',
    documentation: '# How',
    base: 'ubuntu',
    architectures: ['x86_64'],
    packageManager: 'conda',
    packageManagers: ['conda'],
    connectionTypes: ['ssh'],
    researchUser: true,
    estimatedLaunchMinutes: 3,
    parentName: 'org/base',
    downloads: 12,
    popularity: { value: 12, kind: 'DOWNLOADS' },
    rating: 4.5,
    ratingCount: 2,
    verified: true,
    validated: true,
    badges: [{ kind: 'award', label: 'Award', issuer: 'Jury', issuedAtMs: 1000 }],
    deprecated: false,
    withdrawnAtMs: 2000,
    createdAtMs: 3000,
    updatedAtMs: 4000,
    digest: 'sha256:00',
    contentUrl: null,
    dependencies: [{ name: 'org/base', constraint: '^1', optional: false, type: 'TEMPLATE' }],
    securityScan: {
      status: 'passed',
      score: 90,
      scannedAtMs: 5000,
      findings: [
        {
          id: 'CVE-2026-1',
          scanner: 'cve',
          severity: 'LOW',
          inconclusive: false,
          title: 'Old library',
          description: 'It is old.',
          path: '/packages/0',
          line: 3,
          remediation: 'Renew it.',
          references: ['https://example.org/cve'],
        },
      ],
    },
    ...given,
  };
}

export interface FixtureView extends FederationView {
  /** Every call that would have reached the federation's engine, by the name of the method. */
  readonly calls: string[];
  readonly searches: SearchRequest[];
}

const TEMPLATES = [
  fixtureTemplate({ name: 'org/base' }),
  fixtureTemplate({ name: 'org/python-ml' }),
  fixtureTemplate({ name: 'genomics', registryName: 'community' }),
];

/** Makes the view. `replaced` takes the place of some of its methods. */
export function createFixtureView(replaced: Partial<FederationView> = {}): FixtureView {
  const calls: string[] = [];
  const searches: SearchRequest[] = [];
  const registries: readonly VisibleRegistry[] = [
    { source: fixtureSource({ name: 'official' }), priority: 1 },
    { source: fixtureSource({ name: 'community', type: 'COMMUNITY' }), priority: 2 },
  ];
  const registryNamed = (name: string, field: string): VisibleRegistry => {
    const found = registries.find(({ source }) => source.info.name === name);
    if (found === undefined) throw new BadUserInput(field, `"${field}" must name a registry; "${name}" is none.`);
    return found;
  };
  const findTemplate = (name: string) => TEMPLATES.find((template) => template.name === name) ?? null;
  const counted = <A extends readonly unknown[], R>(name: string, answer: (...given: A) => R) => {
    return async (...given: A): Promise<R> => {
      calls.push(name);
      return answer(...given);
    };
  };
  return {
    calls,
    searches,
    registries,
    registryNamed,
    search: counted('search', (request: SearchRequest) => {
      searches.push(request);
      return answerSearch(request, registries);
    }),
    searchProgressively: (request) => {
      calls.push('searchProgressively');
      searches.push(request);
      return progressOf(answerSearch(request, registries));
    },
    watchHealth: (names) => {
      calls.push('watchHealth');
      return eachOf(names === null ? registries : names.map((name) => registryNamed(name, 'registries')));
    },
    lookUpTemplate: counted('lookUpTemplate', findTemplate),
    registryOf: (template) => registryNamed(template.registryName, 'registry'),
    sourcesOf: counted('sourcesOf', () => ({
      entries: registries.map((registry, index) => ({
        registry,
        version: '1.2.0',
        digest: 'sha256:00',
        canonical: index === 0,
      })),
      complete: true,
    })),
    versionsOf: counted('versionsOf', () => [
      { version: '1.2.0', publishedAtMs: 1000, deprecated: false, withdrawnAtMs: null, digest: 'sha256:00' },
    ]),
    contentOf: counted('contentOf', () => ({
      bytes: new TextEncoder().encode('name: org/base\n'),
      mediaType: 'application/yaml',
      digest: 'sha256:31c5a1ef3d0d5ec0a4ee1d8a5a1d2a3a4fd6a0f5b8c1f6f38b1e2aa2f39ad6b4',
    })),
    parentOf: counted('parentOf', () => findTemplate('org/base')),
    alternativesTo: counted('alternativesTo', (_: Template, count: number) => TEMPLATES.slice(0, count)),
    categories: counted('categories', () => [{ name: 'ml', count: 3, registries }]),
    registryToPublishTo: (name, field) => registryNamed(name ?? 'community', field),
    publishTemplate: counted('publishTemplate', () => ({
      published: true,
      template: TEMPLATES[0] ?? null,
      error: null,
    })),
    invalidateCache: counted('invalidateCache', () => 3),
    registriesOfTypes: (types) => registries.filter(({ source }) => types === null || types.includes(source.info.type)),
    readFreshness: () => ({ freshUntilMs: 0, registryNames: new Set(), sinceMs: 0 }),
    ...replaced,
  };
}

/** Every registry's part in the search, then the answer. */
async function* progressOf(result: SearchResult): AsyncIterableIterator<SearchProgress> {
  const expected = result.reports.length;
  for (const [index, report] of result.reports.entries()) {
    const { name } = report.registry.source.info;
    const nodes = TEMPLATES.filter(({ registryName }) => registryName === name);
    yield { report, nodes, answered: index + 1, expected, result: null };
  }
  yield { report: null, nodes: [], answered: expected, expected, result };
}

async function* eachOf<T>(values: readonly T[]): AsyncIterableIterator<T> {
  yield* values;
}

function answerSearch(request: SearchRequest, registries: readonly VisibleRegistry[]): SearchResult {
  const edges: SearchEdge[] = TEMPLATES.slice(0, request.page.count).map((template, index) => ({
    template,
    score: 0.5,
    cursor: () => `cursor-${index}`,
  }));
  return {
    edges,
    hasNextPage: false,
    hasPreviousPage: false,
    startCursor: () => 'cursor-0',
    endCursor: () => 'cursor-2',
    totalCount: 3,
    totalCountAccuracy: 'EXACT',
    facets: () => [{ field: 'CATEGORY', values: [{ value: 'ml', count: 3 }], accuracy: 'EXACT' }],
    partial: false,
    reports: registries.map((registry) => ({
      registry,
      outcome: 'STALE',
      totalCount: 3,
      returned: 1,
      lateRows: 0,
      scanned: 50,
      malformed: 0,
      reachable: 1000,
      truncated: false,
      order: 'REGISTRY',
      cache: 'STALE',
      ageSeconds: 4,
      freshUntilMs: 0,
      tookMs: 5,
      error: {
        type: 'TIMEOUT',
        registryName: registry.source.info.name,
        message: 'It was late.',
        statusCode: 504,
        retryAfterMs: 10,
        guidance: 'Wait.',
      },
    })),
    freshUntilMs: 0,
    tookMs: 7,
  };
}

/** What resolvers are given beside their arguments: the view above, of a caller who may do everything. */
export function createFixtureContext(): RequestContext {
  const caller = { authenticated: true, subject: 'tester', roles: ['admin'], groups: ['physics'] };
  return {
    view: createFixtureView(),
    caller,
    requestId: 'request-1',
    audit: new CallerAudit(new HeldTrail(), caller, 'request-1'),
    maxPageSize: 100,
    origin: 'http://gateway.example',
    requireRole: () => undefined,
    requireIdentity: () => undefined,
    notes: { cost: null, isWhole: false, waitsFor: null, refusal: null },
    chargeCost: () => undefined,
    gateway: {
      version: '0.0.0',
      startedAtMs: 0,
      readSharing: () => null,
      readDatabase: () => null,
      countSubscriptions: () => 0,
      isRestricted: false,
      readConfigState: () => ({ refusal: null, needsRestart: [] }),
      readMetrics: () => ({
        searches: 1,
        responseTime: { mean: 1, p50: 1, p95: 1, p99: 1, max: 1 },
        errorRate: 0.5,
        errors: [{ name: 'BAD_CURSOR', count: 1 }],
        installations: [{ name: 'SUCCEEDED', count: 2 }],
        popularTemplates: [{ name: 'org/base', registryName: 'official', views: 3, installations: 2 }],
      }),
      countSearch: () => undefined,
      countView: () => undefined,
      countInstallation: () => undefined,
    },
  };
}

/** /metrics: everything that is counted, at the moment somebody asks; nothing is prepared for it. */
import type { RegistryHealth } from '../domain/registry.ts';
import { Exposition } from './exposition.ts';
import type { GatewayMetrics, MaySee } from './gateway-metrics.ts';
import type { HttpRequests } from './http-requests.ts';
import type { ProcessUsage } from './process-usage.ts';
import { ATTEMPT_OUTCOMES, CACHE_LAYERS, CACHE_OUTCOMES, type RegistryTotals } from './registry-metrics.ts';

const STATUSES = ['UP', 'DEGRADED', 'DOWN', 'UNKNOWN'];
const SHARING_STATES = ['UP', 'SLOW', 'DOWN'];
const CIRCUIT_STATES = ['CLOSED', 'HALF_OPEN', 'OPEN'];

/** One registry, with all that was counted of it. */
export interface MeasuredRegistry {
  readonly name: string;
  readonly totals: RegistryTotals;
  readonly health: RegistryHealth;
}

interface SharingState {
  readonly state: string;
  readonly replicas: number;
  readonly untoldInvalidations: number;
}

export interface MetricsPageOptions {
  readonly version: string;
  readonly metrics: GatewayMetrics;
  readonly requests: HttpRequests;
  readonly readRegistries: () => readonly MeasuredRegistry[];
  /** Of registries' answers, in memory; `maySee` null: of all. */
  readonly readCache: (maySee: MaySee | null) => {
    readonly answers: number;
    readonly weightBytes: number;
    readonly heldBytes: number;
  };
  /** Of finished answers to clients; null: none are kept. */
  readonly readFinished: () => { readonly count: number; readonly weightBytes: number } | null;
  readonly finishedUse: { readonly hits: number; readonly misses: number };
  /** null: this is the only process. */
  readonly readSharing: () => SharingState | null;
  /** null: nothing is kept in one. */
  readonly readDatabase: () => { readonly state: string } | null;
  readonly isReady: () => boolean;
  /** Whether the configuration was changed, and the one before is in use. */
  readonly isConfigRefused: () => boolean;
  /** Operations whose results are streamed, that are open now. */
  readonly countSubscriptions: () => number;
  /** null: there is nothing to tell of the process. */
  readonly readProcess: (() => ProcessUsage) | null;
}

/** Makes the function that writes the page. What comes of registries is left out as far as it is told that one may not see it. */
export function createMetricsPage(options: MetricsPageOptions): (maySee: MaySee) => string {
  return (maySee) => {
    const page = new Exposition();
    const usage = options.readProcess?.() ?? null;
    writeGateway(page, options, usage, maySee);
    const all = options.readRegistries();
    const registries = all.filter(({ name }) => maySee(name));
    // To look through all that is kept takes milliseconds.
    writeCaches(page, options, registries.length === all.length ? null : maySee);
    writeSharing(page, options.readSharing());
    writeDatabase(page, options.readDatabase());
    writeCalls(page, registries);
    writeHealth(page, registries);
    if (usage !== null) writeProcess(page, usage);
    return page.toString();
  };
}

function writeGateway(
  page: Exposition,
  { version, metrics, requests, ...options }: MetricsPageOptions,
  usage: ProcessUsage | null,
  maySee: MaySee,
): void {
  const totals = metrics.readTotals(maySee);
  const build = { version, ...(usage !== null && { node_version: usage.nodeVersion }) };
  page.gauge('marketplace_build_info', 'What is running; always 1.', [[build, 1]]);
  page.gauge('marketplace_ready', 'Whether requests should be sent here: 1 or 0.', [[{}, options.isReady() ? 1 : 0]]);
  page.gauge(
    'marketplace_config_last_reload_successful',
    'Whether what was read last of the configuration is in use: 1, or 0 while a change is refused.',
    [[{}, options.isConfigRefused() ? 0 : 1]],
  );
  page.gauge(
    'marketplace_open_subscriptions',
    'Subscriptions, and other operations that are streamed, that are open.',
    [[{}, options.countSubscriptions()]],
  );
  page.counter(
    'marketplace_http_requests_total',
    'HTTP requests that were answered, by endpoint and status.',
    requests.list().map(({ endpoint, status, count }) => [{ endpoint, status: String(status) }, count]),
  );
  page.counter(
    'marketplace_graphql_operations_total',
    'GraphQL operations that came to their end, without any error or with one.',
    [
      [{ outcome: 'ok' }, totals.operations - totals.failedOperations],
      [{ outcome: 'error' }, totals.failedOperations],
    ],
  );
  page.counter(
    'marketplace_graphql_errors_total',
    'Errors that clients were told of, by code.',
    totals.errors.map(({ name, count }) => [{ code: name }, count]),
  );
  page.histogram('marketplace_search_duration_seconds', 'How long searches took that were answered.', [
    [{}, totals.searches],
  ]);
  page.counter(
    'marketplace_template_views_total',
    'Templates that were looked up, by registry.',
    totals.views.map(([registry, count]) => [{ registry }, count]),
  );
  page.counter(
    'marketplace_installations_total',
    'Installations that clients reported, by registry and outcome.',
    totals.installations.map(({ registryName, outcome, count }) => [
      { registry: registryName, outcome: outcome.toLowerCase() },
      count,
    ]),
  );
}

function writeCaches(
  page: Exposition,
  { readCache, readFinished, finishedUse }: MetricsPageOptions,
  maySee: MaySee | null,
): void {
  const cache = readCache(maySee);
  const finished = readFinished();
  page.gauge(
    'marketplace_cache_entries',
    'Answers that are kept in memory: of registries, and finished ones to clients.',
    [
      [{ cache: 'registries' }, cache.answers],
      ...(finished === null ? [] : [[{ cache: 'finished' }, finished.count] as const]),
    ],
  );
  page.gauge('marketplace_cache_size_bytes', 'What they weigh.', [
    [{ cache: 'registries' }, cache.weightBytes],
    ...(finished === null ? [] : [[{ cache: 'finished' }, finished.weightBytes] as const]),
  ]);
  page.gauge('marketplace_cache_held_bytes', "Memory that is held for the bodies of registries' answers.", [
    [{}, cache.heldBytes],
  ]);
  if (finished === null) return;
  page.counter(
    'marketplace_finished_answers_total',
    'Operations whose answer may be kept: given from memory (hit), or executed (miss).',
    [
      [{ outcome: 'hit' }, finishedUse.hits],
      [{ outcome: 'miss' }, finishedUse.misses],
    ],
  );
}

function writeSharing(page: Exposition, sharing: SharingState | null): void {
  if (sharing === null) return;
  page.state(
    'marketplace_sharing',
    'Whether what is shared with other processes can be used: 1 for the state that it is in.',
    'state',
    SHARING_STATES,
    [[{}, sharing.state]],
  );
  page.gauge('marketplace_sharing_replicas', 'Processes, this one included, as far as is known.', [
    [{}, sharing.replicas],
  ]);
  page.gauge('marketplace_sharing_untold_invalidations', 'Invalidations that other processes may not know yet.', [
    [{}, sharing.untoldInvalidations],
  ]);
}

function writeDatabase(page: Exposition, database: ReturnType<MetricsPageOptions['readDatabase']>): void {
  if (database === null) return;
  page.gauge('marketplace_database_up', 'Whether audit trail and counts can be written to their database: 1 or 0.', [
    [{}, database.state === 'UP' ? 1 : 0],
  ]);
}

function writeCalls(page: Exposition, registries: readonly MeasuredRegistry[]): void {
  const each = (read: (totals: RegistryTotals) => number) =>
    registries.map(({ name, totals }) => [{ registry: name }, read(totals)] as const);
  page.counter(
    'marketplace_registry_requests_total',
    'HTTP requests to registries that came to their end, by outcome; health checks are not among them.',
    registries.flatMap(({ name, totals }) =>
      ATTEMPT_OUTCOMES.map(
        (outcome) => [{ registry: name, outcome: outcome.toLowerCase() }, totals.countAttempts(outcome)] as const,
      ),
    ),
  );
  page.histogram(
    'marketplace_registry_request_duration_seconds',
    'How long they took.',
    registries.map(({ name, totals }) => [{ registry: name }, totals.latencies]),
  );
  page.counter(
    'marketplace_registry_cache_lookups_total',
    'Questions to registries, by what the cache had: a fresh answer (hit), an older one (stale), none (miss), one that may not be kept (bypass).',
    registries.flatMap(({ name, totals }) =>
      CACHE_LAYERS.flatMap((layer) =>
        CACHE_OUTCOMES.map(
          (outcome) =>
            [
              { registry: name, layer: layer.toLowerCase(), outcome: outcome.toLowerCase() },
              totals.countLookups(layer, outcome),
            ] as const,
        ),
      ),
    ),
  );
  page.counter(
    'marketplace_registry_retries_total',
    'Requests made again after a failure.',
    each(({ retries }) => retries),
  );
  page.counter(
    'marketplace_registry_refusals_total',
    "Calls that were not made because the registry's limit was used up.",
    each(({ refusals }) => refusals),
  );
  page.counter(
    'marketplace_registry_circuit_opens_total',
    'How often a circuit opened.',
    each(({ circuitOpens }) => circuitOpens),
  );
  page.counter(
    'marketplace_registry_claimed_names_total',
    'Names that it sent and another registry claims; each counts once an hour.',
    each(({ claimedNames }) => claimedNames),
  );
  page.gauge(
    'marketplace_registry_requests_in_flight',
    'Requests under way.',
    each(({ inFlight }) => inFlight),
  );
  page.gauge(
    'marketplace_registry_requests_queued',
    'Calls that wait for their turn.',
    each(({ queued }) => queued),
  );
}

function writeHealth(page: Exposition, registries: readonly MeasuredRegistry[]): void {
  const known = (read: (health: RegistryHealth) => number | null | undefined) =>
    registries.flatMap(({ name, health }) => {
      const value = read(health);
      return value === null || value === undefined ? [] : [[{ registry: name }, value] as const];
    });
  page.state(
    'marketplace_registry_health',
    'How a registry does: 1 for the status that it has.',
    ...(['status', STATUSES] as const),
    registries.map(({ name, health }) => [{ registry: name }, health.status]),
  );
  page.state(
    'marketplace_registry_circuit_state',
    'The state of its circuits: 1 for the one that each has.',
    ...(['state', CIRCUIT_STATES] as const),
    registries.flatMap(({ name, health }) =>
      health.circuits.map(({ operation, state }) => [{ registry: name, operation }, state] as const),
    ),
  );
  page.gauge(
    'marketplace_registry_uptime_ratio',
    'The share of checks of the last 24 hours that went well.',
    known(({ uptime }) => uptime),
  );
  page.gauge(
    'marketplace_registry_check_duration_seconds',
    'How long the last check took.',
    known(({ latencyMs }) => latencyMs && latencyMs / 1000),
  );
  page.gauge(
    'marketplace_registry_check_timestamp_seconds',
    'When the last check ended, in seconds since 1970.',
    known(({ checkedAtMs }) => checkedAtMs && checkedAtMs / 1000),
  );
  page.gauge(
    'marketplace_registry_certificate_expiry_timestamp_seconds',
    'When the certificate that it presented expires, in seconds since 1970.',
    known(({ certificate }) => certificate && certificate.validToMs / 1000),
  );
}

/** Under the names that Prometheus' client libraries have for them. */
function writeProcess(page: Exposition, usage: ProcessUsage): void {
  const gauges = [
    ['process_start_time_seconds', 'When the process started, in seconds since 1970.', usage.startedAtSeconds],
    ['process_resident_memory_bytes', 'Memory of the process that is in RAM.', usage.residentBytes],
    ['nodejs_heap_size_used_bytes', "What is in use of V8's heap.", usage.heapUsedBytes],
    ['nodejs_heap_size_total_bytes', "The size of V8's heap.", usage.heapTotalBytes],
    ['nodejs_external_memory_bytes', "What is held outside of V8's heap.", usage.externalBytes],
    [
      'nodejs_eventloop_lag_mean_seconds',
      'How late timers were on average since the last scrape.',
      usage.eventLoopLag.meanSeconds,
    ],
    [
      'nodejs_eventloop_lag_p99_seconds',
      '99 of a hundred timers were no later since the last scrape.',
      usage.eventLoopLag.p99Seconds,
    ],
    [
      'nodejs_eventloop_lag_max_seconds',
      'How late the latest timer was since the last scrape.',
      usage.eventLoopLag.maxSeconds,
    ],
  ] as const;
  page.counter('process_cpu_seconds_total', 'CPU time that the process took.', [
    [{}, usage.cpuUserSeconds + usage.cpuSystemSeconds],
  ]);
  for (const [name, help, value] of gauges) page.gauge(name, help, [[{}, value]]);
}

import { RegistryFailure } from '../src/domain/errors.ts';
import type { CircuitView, HealthStatus, RegistryHealth } from '../src/domain/registry.ts';
import { readJson } from './http/body.ts';
import type { Upstream } from './http/chain.ts';
import { readObject } from './wire-values.ts';

/** Checks of a registry are spread over this share of the interval, so that a hundred do not come in one moment. */
const JITTER = 0.2;
/** Checks are remembered for a day, in parts of five minutes. */
const PART_MS = 300_000;
const PARTS = 288;
/** Beyond this Node's timers fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const MAX_HEALTH_BYTES = 1_048_576;

export interface HealthMonitorOptions {
  readonly registryName: string;
  readonly upstream: Upstream;
  /** Asked in turn until one is there. */
  readonly paths: readonly [string, ...string[]];
  readonly intervalMs: number;
  readonly timeoutMs: number;
  /** As `Date.now()`. */
  readonly now: () => number;
}

/** What a check found. */
type Check =
  | { readonly outcome: 'WELL'; readonly atMs: number; readonly latencyMs: number }
  | { readonly outcome: 'AILING'; readonly atMs: number; readonly latencyMs: number; readonly message: string }
  | { readonly outcome: 'FAILED'; readonly atMs: number; readonly latencyMs: number; readonly message: string };

/**
 * Asks a registry how it is, at the start and then every interval, beside the traffic of users and outside its circuits: a
 * check must see a registry that is shut out, and must not open or close anything. What users' calls meet shows in the
 * circuits, and both together are its health.
 */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #days = new Map<number, { up: number; all: number }>();
  readonly #triedOnce: Promise<void>;
  #lastCheck: Check | null = null;
  #status: HealthStatus = 'UNKNOWN';
  #sinceMs: number;
  #path: string;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  /** Starts checking at once. */
  constructor(options: HealthMonitorOptions) {
    this.#options = options;
    this.#sinceMs = options.now();
    this.#path = options.paths[0];
    this.#triedOnce = this.#check();
  }

  /** Resolves when the first check ended, however. */
  whenTriedOnce(): Promise<void> {
    return this.#triedOnce;
  }

  read(): RegistryHealth {
    const { upstream } = this.#options;
    const circuits = upstream.readCircuits();
    this.#update(circuits);
    const check = this.#lastCheck;
    return {
      status: this.#status,
      sinceMs: this.#sinceMs,
      checkedAtMs: check?.atMs ?? null,
      latencyMs: check?.latencyMs ?? null,
      message: this.#describe(check, circuits),
      circuits,
      certificate: upstream.readCertificate(),
      uptime: this.#readUptime(),
    };
  }

  /** Tells that a circuit changed, so that `sinceMs` is when it did and not when somebody looked. */
  noteCircuitChange(): void {
    this.#update(this.#options.upstream.readCircuits());
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #check(): Promise<void> {
    const startedAtMs = performance.now();
    const finding = await this.#ask();
    if (this.#closed) return;
    const atMs = this.#options.now();
    this.#lastCheck = { ...finding, atMs, latencyMs: performance.now() - startedAtMs };
    this.#remember(atMs, finding.outcome !== 'FAILED');
    this.#update(this.#options.upstream.readCircuits());
    const waitMs = this.#options.intervalMs * (1 - JITTER / 2 + Math.random() * JITTER);
    this.#timer = setTimeout(() => void this.#check(), Math.min(waitMs, LONGEST_TIMER_MS));
    this.#timer.unref();
  }

  /** Never rejects. A path that is not there is given up for the next one, for good. */
  async #ask(): Promise<{ outcome: 'WELL' } | { outcome: 'AILING' | 'FAILED'; message: string }> {
    const { paths } = this.#options;
    try {
      const status = await this.#probe(this.#path);
      return status === 'ok'
        ? { outcome: 'WELL' }
        : { outcome: 'AILING', message: 'The registry says it is not well.' };
    } catch (failure) {
      if (!(failure instanceof RegistryFailure)) return { outcome: 'FAILED', message: 'The check could not be made.' };
      const next = paths[paths.indexOf(this.#path) + 1];
      if (failure.type === 'NOT_FOUND' && next !== undefined) {
        this.#path = next;
        return this.#ask();
      }
      // It answers, only not as fast as we ask.
      const outcome = failure.type === 'RATE_LIMIT' ? 'AILING' : 'FAILED';
      return { outcome, message: failure.message };
    }
  }

  async #probe(path: string): Promise<'ok' | 'other'> {
    const { registryName, upstream, timeoutMs } = this.#options;
    const response = await upstream.probe({
      operation: 'CATALOG',
      path,
      subject: null,
      accept: 'application/json',
      maxBytes: MAX_HEALTH_BYTES,
      keepUpToBytes: 0,
      timeoutMs,
      lifetimeMs: 0,
      absence: 'FAILURE',
      parse: (body) => {
        const status = readObject(readJson(registryName, body))?.status;
        // The list of categories has no status: that it came is all there is to know.
        return status === undefined || status === 'ok' ? 'ok' : 'other';
      },
      deadlineMs: Number.POSITIVE_INFINITY,
      notBeforeMs: 0,
      purpose: null,
      etag: null,
      waiters: { latestDeadlineMs: Number.POSITIVE_INFINITY, background: true },
      traceHeaders: null,
      attempt: null,
    });
    return response.value === 'ok' ? 'ok' : 'other';
  }

  #update(circuits: readonly CircuitView[]): void {
    const status = judge(this.#lastCheck, circuits);
    if (status === this.#status) return;
    this.#status = status;
    this.#sinceMs = this.#options.now();
  }

  #describe(check: Check | null, circuits: readonly CircuitView[]): string | null {
    if (check !== null && check.outcome !== 'WELL') return check.message;
    const open = circuits.filter((circuit) => circuit.state !== 'CLOSED').map((circuit) => circuit.operation);
    return open.length === 0 ? null : `Calls failed repeatedly: ${open.join(', ')}.`;
  }

  #remember(atMs: number, up: boolean): void {
    const number = Math.floor(atMs / PART_MS);
    const part = this.#days.get(number) ?? { up: 0, all: 0 };
    part.all += 1;
    if (up) part.up += 1;
    this.#days.set(number, part);
    for (const old of this.#days.keys()) if (old <= number - PARTS) this.#days.delete(old);
  }

  #readUptime(): number | null {
    const oldest = Math.floor(this.#options.now() / PART_MS) - PARTS;
    let up = 0;
    let all = 0;
    for (const [number, part] of this.#days) {
      if (number <= oldest) continue;
      up += part.up;
      all += part.all;
    }
    return all === 0 ? null : up / all;
  }
}

/** The check says whether the registry is there, the circuits whether users get what they ask for. */
function judge(check: Check | null, circuits: readonly CircuitView[]): HealthStatus {
  const searchOpen = circuits.some((circuit) => circuit.operation === 'SEARCH' && circuit.state === 'OPEN');
  const allClosed = circuits.every((circuit) => circuit.state === 'CLOSED');
  if (check === null) return searchOpen ? 'DOWN' : 'UNKNOWN';
  switch (check.outcome) {
    case 'WELL':
      return allClosed ? 'UP' : 'DEGRADED';
    case 'AILING':
      return 'DEGRADED';
    case 'FAILED':
      return 'DOWN';
  }
}

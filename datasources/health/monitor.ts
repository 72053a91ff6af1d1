import type { CircuitView, HealthChange, HealthStatus, RegistryHealth } from '../../src/domain/registry.ts';
import type { Upstream } from '../http/chain.ts';
import { CertificateWatch } from './certificate-watch.ts';
import { Probe, type ProbeOptions } from './probe.ts';
import { Uptime } from './uptime.ts';
import { type Check, type Finding, judge, type Traffic, type Verdict } from './verdict.ts';

/** Checks of a registry are spread over this share of the interval, so that a hundred do not come in one moment. */
const JITTER = 0.2;
/** Between two checks, whatever others find. */
const SOONEST_MS = 1_000;
/** Beyond this Node's timers fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** A connection that is kept, or a TLS session that is resumed, shows no new certificate: it is looked at anew so often. */
const CERTIFICATE_AGE_MS = 3_600_000;
/** Checks in a row that brought no answer before the circuits are opened for it. */
const SILENT_CHECKS = 2;

export interface HealthMonitorOptions extends ProbeOptions {
  readonly upstream: Pick<
    Upstream,
    'probe' | 'readCircuits' | 'openCircuits' | 'resetCircuit' | 'readCertificate' | 'inspectCertificate'
  >;
  readonly intervalMs: number;
  /** From these on a registry is DEGRADED: the time of a check, and the share of calls that failed, in per cent. */
  readonly degradedLatencyMs: number;
  readonly degradedErrorPercentage: number;
  /** The calls of users in the last minute, and how many of them failed. */
  readonly countCalls: () => Pick<Traffic, 'calls' | 'failures'>;
  /** As `Date.now()`. */
  readonly now: () => number;
  readonly warn: (detail: object, message: string) => void;
  /** `detail`: why the last check failed, for the log alone. */
  readonly onChange: (change: HealthChange, detail: string | null) => void;
}

/**
 * Asks a registry how it is, at the start and then every interval, beside the traffic of users and outside its circuits and
 * limits: a check must see a registry that is shut out. Its health is judged by that and by what calls of users meet, at each
 * check and each change of a circuit; reading it asks nobody.
 *
 * Two things a check does to the circuits. When nothing answered two of them in a row, nor a user in between, they open, so
 * that nobody waits to find out. When the registry is seen well that was seen down, they close: the check is their probe.
 */
export class HealthMonitor {
  readonly #options: HealthMonitorOptions;
  readonly #probe: Probe;
  readonly #uptime: Uptime;
  readonly #certificateWatch: CertificateWatch;
  readonly #triedOnce: Promise<void>;
  #lastCheck: Check | null = null;
  #verdict: Verdict;
  #sinceMs: number;
  #lastCall: Traffic['last'] = null;
  /** Of the calls that ended before the last check began. */
  #callBefore: Traffic['last'] = null;
  #silentChecks = 0;
  #inspectedMs: number;
  #timer: NodeJS.Timeout | null = null;
  #closed = false;

  /** Starts checking at once. What one that checked the same registry by other settings found (`before`) holds until then. */
  constructor(options: HealthMonitorOptions, before: HealthMonitor | null = null) {
    this.#options = options;
    this.#probe = new Probe(options);
    this.#certificateWatch = new CertificateWatch(options);
    this.#inspectedMs = options.now();
    this.#uptime = before === null ? new Uptime() : before.#uptime;
    this.#lastCheck = before === null ? null : before.#lastCheck;
    this.#verdict = this.#judge();
    this.#sinceMs =
      before !== null && before.#verdict.status === this.#verdict.status ? before.#sinceMs : options.now();
    this.#triedOnce = this.#check();
  }

  /** Resolves when the first check ended, however. */
  whenTriedOnce(): Promise<void> {
    return this.#triedOnce;
  }

  read(): RegistryHealth {
    const { upstream, now } = this.#options;
    const { status, message } = this.#verdict;
    return {
      status,
      sinceMs: this.#sinceMs,
      checkedAtMs: this.#lastCheck?.atMs ?? null,
      latencyMs: this.#lastCheck?.latencyMs ?? null,
      message,
      circuits: upstream.readCircuits(),
      certificate: upstream.readCertificate(),
      uptime: this.#uptime.read(now()),
    };
  }

  /** Tells that a user's call came to its end at the registry. */
  noteCall(isGood: boolean): void {
    this.#lastCall = isGood ? 'GOOD' : 'BAD';
  }

  noteCircuitChange(circuit: CircuitView): void {
    if (!this.#closed) this.#update(circuit);
  }

  /** Another process has found something: it is looked at now, unless that was done a moment ago. */
  checkSoon(): void {
    const isRecent = this.#options.now() - (this.#lastCheck?.atMs ?? 0) < SOONEST_MS;
    if (this.#timer === null || this.#closed || isRecent) return;
    clearTimeout(this.#timer);
    this.#timer = null;
    void this.#check();
  }

  close(): void {
    this.#closed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  async #check(): Promise<void> {
    const { now, intervalMs } = this.#options;
    this.#callBefore = this.#lastCall;
    this.#lastCall = null;
    const startedAtMs = performance.now();
    const finding = await this.#probe.ask();
    const latencyMs = performance.now() - startedAtMs;
    await this.#lookAtCertificate(finding);
    if (this.#closed) return;
    const wasDown = this.#lastCheck?.outcome === 'FAILED';
    const atMs = now();
    this.#lastCheck = { ...finding, atMs, latencyMs };
    this.#uptime.note(atMs, finding.outcome !== 'FAILED');
    this.#feedCircuits(finding, wasDown);
    this.#update(null);
    const waitMs = intervalMs * (1 - JITTER / 2 + Math.random() * JITTER);
    this.#timer = setTimeout(() => void this.#check(), Math.min(waitMs, LONGEST_TIMER_MS));
    this.#timer.unref();
  }

  /** What calls did not show: a certificate that is refused, or one that has taken the place of the last one seen. */
  async #lookAtCertificate(finding: Finding): Promise<void> {
    const { upstream, timeoutMs, now } = this.#options;
    const isRefused = finding.outcome === 'FAILED' && finding.type === 'TLS';
    if (isRefused || now() - this.#inspectedMs >= CERTIFICATE_AGE_MS) {
      this.#inspectedMs = now();
      await upstream.inspectCertificate(timeoutMs);
    }
    this.#certificateWatch.look(upstream.readCertificate(), now());
  }

  #feedCircuits(finding: Finding, wasDown: boolean): void {
    const { upstream } = this.#options;
    const isSilent =
      finding.outcome === 'FAILED' &&
      (finding.type === 'CONNECTION' || finding.type === 'TIMEOUT' || finding.type === 'TLS');
    const usersWereAnswered = this.#callBefore === 'GOOD' || this.#lastCall === 'GOOD';
    this.#silentChecks = isSilent && !usersWereAnswered ? this.#silentChecks + 1 : 0;
    if (this.#silentChecks >= SILENT_CHECKS) upstream.openCircuits();
    else if (finding.outcome === 'WELL' && wasDown) {
      const isShut = upstream.readCircuits().some(({ state }) => state !== 'CLOSED');
      if (isShut) upstream.resetCircuit(null);
    }
  }

  #judge(): Verdict {
    const { upstream, now, degradedLatencyMs, degradedErrorPercentage, countCalls } = this.#options;
    return judge({
      check: this.#lastCheck,
      circuits: upstream.readCircuits(),
      traffic: { ...countCalls(), last: this.#lastCall ?? this.#callBefore },
      certificate: upstream.readCertificate(),
      nowMs: now(),
      degradedLatencyMs,
      degradedErrorPercentage,
    });
  }

  #update(circuit: CircuitView | null): void {
    const previousStatus: HealthStatus = this.#verdict.status;
    this.#verdict = this.#judge();
    const { registryName, onChange, now } = this.#options;
    const hasChanged = this.#verdict.status !== previousStatus;
    if (hasChanged) this.#sinceMs = now();
    if (!hasChanged && circuit === null) return;
    const detail = this.#lastCheck?.outcome === 'FAILED' ? (this.#lastCheck.detail ?? null) : null;
    onChange({ registryName, previousStatus, circuit, health: this.read() }, detail);
  }
}

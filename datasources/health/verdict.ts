import type { RegistryErrorType } from '../../src/domain/errors.ts';
import type { CertificateView, CircuitView, HealthStatus } from '../../src/domain/registry.ts';
import { countDaysRemaining, isAboutToExpire } from './certificate-watch.ts';

/** Fewer calls than these in a minute say nothing about a rate. */
const LEAST_CALLS = 10;

/** What a check found. AILING: it answers, and says that it is not well or wants to be left alone. */
export type Finding =
  | { readonly outcome: 'WELL' }
  | { readonly outcome: 'AILING'; readonly reason: 'SAYS_SO' | 'RATE_LIMIT' }
  | {
      readonly outcome: 'FAILED';
      readonly type: RegistryErrorType;
      readonly message: string;
      /** For the log alone. */
      readonly detail?: string | null;
    };

export type Check = Finding & { readonly atMs: number; readonly latencyMs: number };

/** The calls of users in the last minute, as they arrived at the registry. */
export interface Traffic {
  readonly calls: number;
  readonly failures: number;
  /** How the last of them ended, of those that ended since the check before the last one; null: there was none. */
  readonly last: 'GOOD' | 'BAD' | null;
}

/** All that a registry's health is judged by. */
export interface Evidence {
  /** The last one; null before the first. */
  readonly check: Check | null;
  readonly circuits: readonly CircuitView[];
  readonly traffic: Traffic;
  readonly certificate: CertificateView | null;
  /** As `Date.now()`. */
  readonly nowMs: number;
  /** From these on a registry is DEGRADED: the time of a check, and the share of calls that failed, in per cent. */
  readonly degradedLatencyMs: number;
  readonly degradedErrorPercentage: number;
}

export interface Verdict {
  readonly status: HealthStatus;
  /** Why, and what to do; null where all is well. */
  readonly message: string | null;
}

/** The check says whether the registry is there; circuits and calls say whether users get what they ask for. */
export function judge(evidence: Evidence): Verdict {
  const { check, circuits } = evidence;
  const flaws = listFlaws(evidence);
  if (check === null) {
    if (circuits.some(({ operation, state }) => operation === 'SEARCH' && state === 'OPEN')) {
      return { status: 'DOWN', message: flaws.join(' ') };
    }
    return { status: 'UNKNOWN', message: 'It was not checked yet. Look again in a moment.' };
  }
  if (check.outcome === 'FAILED') {
    const why = `${check.message} ${ADVICE[check.type]}`;
    if (isUsable(check.type, evidence.traffic)) {
      return { status: 'DEGRADED', message: [why, 'Calls of users succeed all the same.', ...flaws].join(' ') };
    }
    return { status: 'DOWN', message: [why, ...flaws].join(' ') };
  }
  return flaws.length === 0 ? { status: 'UP', message: null } : { status: 'DEGRADED', message: flaws.join(' ') };
}

/** Whether a registry whose check failed works for its users: only where the check could reach its host. */
function isUsable(type: RegistryErrorType, { last }: Traffic): boolean {
  return type !== 'CONNECTION' && type !== 'TLS' && last === 'GOOD';
}

/** What is not as it should be with a registry that is there, the gravest first. */
function listFlaws({ check, circuits, traffic, certificate, nowMs, ...thresholds }: Evidence): string[] {
  const flaws: string[] = [];
  const shut = circuits.filter(({ state }) => state !== 'CLOSED').map(({ operation }) => operation);
  if (shut.length > 0) {
    flaws.push(`Calls failed repeatedly: ${shut.join(', ')}. They are tried again by themselves; the log says why.`);
  }
  const percentage = traffic.calls === 0 ? 0 : (traffic.failures / traffic.calls) * 100;
  if (traffic.calls >= LEAST_CALLS && percentage >= thresholds.degradedErrorPercentage) {
    flaws.push(
      `${Math.round(percentage)} % of its ${traffic.calls} calls failed in the last minute, ` +
        `${thresholds.degradedErrorPercentage} % or more are too many. The log says why.`,
    );
  }
  if (check?.outcome === 'AILING') flaws.push(AILMENTS[check.reason]);
  if (check?.outcome === 'WELL' && check.latencyMs >= thresholds.degradedLatencyMs) {
    flaws.push(
      `It is slow: its last check took ${Math.round(check.latencyMs)} ms, ` +
        `${thresholds.degradedLatencyMs} ms or more are too many. Ask whoever runs it.`,
    );
  }
  if (certificate !== null && isAboutToExpire(certificate, nowMs)) flaws.push(describeExpiry(certificate, nowMs));
  return flaws;
}

function describeExpiry(certificate: CertificateView, nowMs: number): string {
  const day = new Date(certificate.validToMs).toISOString().slice(0, 10);
  const days = countDaysRemaining(certificate, nowMs);
  const when = days < 0 ? `expired on ${day}` : `expires on ${day}, in ${days === 1 ? '1 day' : `${days} days`}`;
  return `Its certificate ${when}. Ask whoever runs it to renew it.`;
}

const AILMENTS = {
  SAYS_SO: 'The registry says it is not well. Ask whoever runs it.',
  RATE_LIMIT: 'The registry asks for fewer requests. Lower its rateLimit, or check it less often (health.interval).',
} as const;

const UNREACHABLE =
  'Check that it runs, and that its address, its proxy and the network between are right; the log says why.';
const ANSWERS_WRONG = 'It answers, but not as its protocol demands. Check its address, or ask whoever runs it.';
const REFUSES = "Check the registry's credentials in the configuration.";

/** What to do about a check that failed. */
const ADVICE: Record<RegistryErrorType, string> = {
  CONNECTION: UNREACHABLE,
  TIMEOUT: 'Ask whoever runs it, or give its checks more time (timeouts.health).',
  AUTHENTICATION: REFUSES,
  AUTHORIZATION: REFUSES,
  RATE_LIMIT: AILMENTS.RATE_LIMIT,
  CIRCUIT_OPEN: UNREACHABLE,
  NOT_FOUND: ANSWERS_WRONG,
  CONFLICT: ANSWERS_WRONG,
  INVALID: ANSWERS_WRONG,
  READ_ONLY: ANSWERS_WRONG,
  PROTOCOL: ANSWERS_WRONG,
  SERVER: 'It has a fault of its own. Ask whoever runs it.',
  TLS: "Its certificate is not trusted: look at `certificate`, and at the registry's `tls` in the configuration.",
};

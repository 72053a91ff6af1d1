import type { CertificateView } from '../../src/domain/registry.ts';

const DAY_MS = 86_400_000;
/** Warned about when so many days or fewer are left, once each. */
const WARNED_AT_DAYS = [30, 14, 3];
/** From here on a certificate is about to expire, and its registry DEGRADED. */
const LAST_DAYS = 3;
/**
 * A certificate that was issued for a week is not about to expire from its first day on: what is more than this share of its
 * whole time is no warning. ACME clients renew when a third of it is left.
 */
const LATE_SHARE = 0.5;

export interface CertificateWatchOptions {
  readonly registryName: string;
  readonly warn: (detail: object, message: string) => void;
}

/** Looks at the certificate that a registry presents, and warns before it expires: once for each threshold. */
export class CertificateWatch {
  readonly #options: CertificateWatchOptions;
  #warnedFor: { readonly key: string; readonly days: number } | null = null;

  constructor(options: CertificateWatchOptions) {
    this.#options = options;
  }

  /** Warns where a threshold was crossed since the last look. `nowMs` as `Date.now()`. */
  look(certificate: CertificateView | null, nowMs: number): void {
    if (certificate === null) return;
    const crossed = WARNED_AT_DAYS.filter((days) => isWithin(certificate, days, nowMs)).at(-1);
    if (crossed === undefined) return;
    const { subject, issuer, validToMs } = certificate;
    const key = `${issuer}\n${subject}\n${validToMs}`;
    if (this.#warnedFor?.key === key && this.#warnedFor.days <= crossed) return;
    this.#warnedFor = { key, days: crossed };
    const detail = {
      registry: this.#options.registryName,
      ...{ subject, issuer, validTo: new Date(validToMs).toISOString() },
      daysRemaining: countDaysRemaining(certificate, nowMs),
      thresholdDays: crossed,
    };
    this.#options.warn(
      detail,
      "the certificate of a registry is about to expire: ask the registry's operator to renew it",
    );
  }
}

/** Whether it is time to say so in the registry's health: it has expired, or will within days. */
export function isAboutToExpire(certificate: CertificateView, nowMs: number): boolean {
  return certificate.validToMs <= nowMs || isWithin(certificate, LAST_DAYS, nowMs);
}

/** Whole days; negative when it has expired. */
export function countDaysRemaining({ validToMs }: CertificateView, nowMs: number): number {
  return Math.floor((validToMs - nowMs) / DAY_MS);
}

function isWithin({ validFromMs, validToMs }: CertificateView, days: number, nowMs: number): boolean {
  return validToMs - nowMs <= days * DAY_MS && days * DAY_MS <= (validToMs - validFromMs) * LATE_SHARE;
}

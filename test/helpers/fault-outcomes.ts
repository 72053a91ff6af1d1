import type { RegistryErrorType } from '../../src/domain/errors.ts';

/** What a fault is reported as. */
export interface FaultOutcome {
  readonly type: RegistryErrorType;
  /** Whether an old answer may stand in. */
  readonly stale: boolean;
}

/** By the names of `FAULT_MODES`. */
export const FAULT_OUTCOMES: Readonly<Record<string, FaultOutcome>> = {
  refused: { type: 'CONNECTION', stale: true },
  reset: { type: 'CONNECTION', stale: true },
  hang: { type: 'TIMEOUT', stale: true },
  drip: { type: 'TIMEOUT', stale: true },
  html: { type: 'PROTOCOL', stale: true },
  truncated: { type: 'PROTOCOL', stale: true },
  'wrong-shape': { type: 'PROTOCOL', stale: true },
  'empty-with-error': { type: 'PROTOCOL', stale: true },
  'not-json': { type: 'PROTOCOL', stale: true },
  'gzip-bomb': { type: 'PROTOCOL', stale: true },
  endless: { type: 'PROTOCOL', stale: true },
  'redirect-elsewhere': { type: 'PROTOCOL', stale: true },
  'status 401': { type: 'AUTHENTICATION', stale: false },
  'status 403': { type: 'AUTHORIZATION', stale: false },
  'status 404': { type: 'NOT_FOUND', stale: false },
  'status 429': { type: 'RATE_LIMIT', stale: true },
  'status 500': { type: 'SERVER', stale: true },
  'status 502': { type: 'SERVER', stale: true },
  'status 503': { type: 'SERVER', stale: true },
};

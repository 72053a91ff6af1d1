/** What access refuses. Translated at the GraphQL border as the errors of src/domain are. */

/** No valid proof of who calls, where one is needed or a wrong one was given. */
export class Unauthenticated extends Error {
  override readonly name = 'Unauthenticated';
  /** MISSING: nothing was given. INVALID: what was given proves nothing. EXPIRED: it did once. */
  readonly reason: 'MISSING' | 'INVALID' | 'EXPIRED';

  constructor(message: string, reason: Unauthenticated['reason']) {
    super(message);
    this.reason = reason;
  }
}

/** A proof that cannot be judged now, since whoever issued it does not answer. Nobody is taken for anybody meanwhile. */
export class IdentityUnavailable extends Error {
  override readonly name = 'IdentityUnavailable';
  readonly retryAfterMs: number;

  constructor(retryAfterMs: number) {
    super(
      'The token cannot be verified now: its issuer does not answer with its keys. Try again in a moment; if it goes on, tell whoever runs the gateway.',
    );
    this.retryAfterMs = retryAfterMs;
  }
}

/** A known caller that lacks the role which something needs. */
export class Forbidden extends Error {
  override readonly name = 'Forbidden';
}

/** Whether somebody was refused for who they are. */
export function isDenial(error: unknown): boolean {
  return error instanceof Unauthenticated || error instanceof Forbidden;
}

/** A document that could cause more work than one request may. */
export class QueryTooComplex extends Error {
  override readonly name = 'QueryTooComplex';
}

/** More than a caller may use in a time, or at one time. */
export class RateLimited extends Error {
  override readonly name = 'RateLimited';
  readonly retryAfterMs: number;

  constructor(message: string, retryAfterMs: number) {
    super(message);
    this.retryAfterMs = retryAfterMs;
  }
}

/** How HTTP says that a request was not let in: nobody knows whose it is, or it is one too many. */
import { IdentityUnavailable, RateLimited, Unauthenticated } from '../access/errors.ts';

const REALM = 'Bearer realm="marketplace"';

/** RFC 6750, section 3: without credentials no code; with wrong ones the code and, of a token that has expired, why. */
const CHALLENGES: Readonly<Record<Unauthenticated['reason'], string>> = {
  MISSING: REALM,
  INVALID: `${REALM}, error="invalid_token"`,
  EXPIRED: `${REALM}, error="invalid_token", error_description="The token has expired"`,
};

/** Why a caller that was let in would not be now; null: it would, or that cannot be told at this moment. */
export async function findRefusal(authenticate: () => unknown): Promise<Unauthenticated | null> {
  try {
    await authenticate();
    return null;
  } catch (error) {
    if (error instanceof Unauthenticated) return error;
    if (error instanceof IdentityUnavailable) return null;
    throw error;
  }
}

/** Status and headers of the answer to a request that was not let in; null for any other error. */
export function describeRefusal(
  error: unknown,
): { readonly status: 401 | 429 | 503; readonly headers: Readonly<Record<string, string>> } | null {
  if (error instanceof Unauthenticated) {
    return { status: 401, headers: { 'WWW-Authenticate': CHALLENGES[error.reason] } };
  }
  if (error instanceof IdentityUnavailable || error instanceof RateLimited) {
    // RFC 6585, section 4, and RFC 9110, section 10.2.3.
    const status = error instanceof RateLimited ? 429 : 503;
    return { status, headers: { 'Retry-After': String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))) } };
  }
  return null;
}

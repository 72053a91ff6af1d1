/** How HTTP says that a caller could not be established. */
import { IdentityUnavailable, Unauthenticated } from '../access/errors.ts';

const REALM = 'Bearer realm="marketplace"';

/** RFC 6750, section 3: without credentials no code; with wrong ones the code and, of a token that has expired, why. */
const CHALLENGES: Readonly<Record<Unauthenticated['reason'], string>> = {
  MISSING: REALM,
  INVALID: `${REALM}, error="invalid_token"`,
  EXPIRED: `${REALM}, error="invalid_token", error_description="The token has expired"`,
};

/** Status and headers of an answer to a request whose caller is not known; null for any other error. */
export function describeIdentityFailure(
  error: unknown,
): { readonly status: 401 | 503; readonly headers: Readonly<Record<string, string>> } | null {
  if (error instanceof Unauthenticated) {
    return { status: 401, headers: { 'WWW-Authenticate': CHALLENGES[error.reason] } };
  }
  if (error instanceof IdentityUnavailable) {
    return { status: 503, headers: { 'Retry-After': String(Math.max(1, Math.ceil(error.retryAfterMs / 1000))) } };
  }
  return null;
}

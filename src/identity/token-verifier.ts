/** Verifies the tokens of an issuer, each once: who was found to send one is remembered until it expires. */
import { createHmac, randomBytes } from 'node:crypto';
import { errors, type JWTPayload, jwtVerify } from 'jose';
import { LRUCache } from 'lru-cache';
import type { TokenVerifier } from '../access/authenticate.ts';
import { IdentityUnavailable } from '../access/errors.ts';
import type { JwtConfig } from '../config/config.ts';
import type { Caller } from '../domain/caller.ts';
import { CallerToken } from '../domain/caller-token.ts';
import { mapRoles, readTexts } from './claims.ts';
import { createJsonFetcher } from './fetch-json.ts';
import { IssuerKeys } from './issuer-keys.ts';
import { checkTokenForm, expiredToken, invalidToken } from './token-form.ts';

/** Of all that is remembered, about a byte for each character of a token that is kept, and this for the rest of each. */
const MAX_REMEMBERED_BYTES = 16 * 1024 * 1024;
const REMEMBERED_OVERHEAD_BYTES = 800;
/** Tokens that are verified at one time, each some 100 µs of a core; beyond that a flood of them has to wait. */
const MAX_RUNNING = 500;
const BUSY_RETRY_MS = 1000;
/** OpenID Connect Core 1.0, section 2. */
const MAX_SUBJECT_LENGTH = 255;

interface Verified {
  readonly caller: Caller;
  /** On the clock of `Date.now()`. */
  readonly untilMs: number;
}

export interface TokenVerifierOptions {
  readonly jwt: JwtConfig;
  /** Whether callers keep their token, for registries that are asked in their name. */
  readonly keepsTokens: boolean;
  readonly log: { warn(detail: object, message: string): void };
  /** As `Date.now()`. */
  readonly now?: () => number;
}

export interface OpenTokenVerifier extends TokenVerifier {
  close(): Promise<void>;
}

/** Makes the verifier, and begins to fetch the issuer's keys. */
export function openTokenVerifier({ jwt, keepsTokens, log, now = Date.now }: TokenVerifierOptions): OpenTokenVerifier {
  const fetcher = createJsonFetcher();
  const remembered = new LRUCache<string, Verified>({
    maxSize: MAX_REMEMBERED_BYTES,
    sizeCalculation: ({ caller }) => REMEMBERED_OVERHEAD_BYTES + (caller.token?.reveal().length ?? 0),
  });
  let keysGone = 0;
  const { issuer, jwksUri } = jwt;
  const keys = new IssuerKeys({
    ...{ issuer, jwksUri, now, log },
    fetchJson: (url, origin) => fetcher.fetch(url, origin),
    onKeyGone: () => {
      keysGone += 1;
      remembered.clear();
    },
  });
  keys.start();
  const running = new Map<string, Promise<Caller>>();
  const fingerprintKey = randomBytes(32);

  async function verifyOnce(token: string, digest: string): Promise<Caller> {
    const keysGoneBefore = keysGone;
    checkTokenForm(token, { ...jwt, clockToleranceMs: jwt.clockTolerance }, now());
    const claims = await verifySignature(token, jwt, keys, now());
    const fingerprint = createHmac('sha256', fingerprintKey).update(token).digest('base64url');
    const caller = toCaller(claims, jwt, keepsTokens ? new CallerToken(token, fingerprint) : null);
    // The key may have gone while the signature was being verified.
    if (keysGone === keysGoneBefore) remembered.set(digest, { caller, untilMs: Number(claims.exp) * 1000 });
    return caller;
  }

  return {
    find(digest) {
      const known = remembered.get(digest);
      if (known === undefined) return undefined;
      const nowMs = now();
      keys.refreshIfOld(nowMs);
      if (nowMs < known.untilMs) return known.caller;
      remembered.delete(digest);
      return undefined;
    },
    verify(token, digest) {
      const begun = running.get(digest);
      if (begun !== undefined) return begun;
      if (running.size >= MAX_RUNNING) return Promise.reject(new IdentityUnavailable(BUSY_RETRY_MS));
      const verifying = verifyOnce(token, digest).finally(() => running.delete(digest));
      running.set(digest, verifying);
      return verifying;
    },
    close: () => fetcher.close(),
  };
}

/** Throws Unauthenticated or IdentityUnavailable. Whatever else jose finds wrong is one thing to whoever sent it. */
async function verifySignature(token: string, jwt: JwtConfig, keys: IssuerKeys, nowMs: number): Promise<JWTPayload> {
  try {
    const { payload } = await jwtVerify(token, keys.getKey, {
      issuer: jwt.issuer,
      audience: [...jwt.audience],
      algorithms: [...jwt.algorithms],
      clockTolerance: jwt.clockTolerance / 1000,
      requiredClaims: ['exp', 'sub'],
      currentDate: new Date(nowMs),
    });
    return payload;
  } catch (error) {
    if (error instanceof IdentityUnavailable) throw error;
    if (error instanceof errors.JWTExpired) throw expiredToken();
    throw invalidToken();
  }
}

function toCaller(claims: JWTPayload, jwt: JwtConfig, token: CallerToken | null): Caller {
  const { sub } = claims;
  if (typeof sub !== 'string' || sub === '' || sub.length > MAX_SUBJECT_LENGTH || /\p{Cc}/u.test(sub))
    throw invalidToken();
  return Object.freeze({
    authenticated: true,
    subject: sub,
    roles: Object.freeze([...mapRoles(readTexts(claims, jwt.rolesClaim), jwt.roleMapping)]),
    groups: Object.freeze([...readTexts(claims, jwt.groupsClaim)]),
    issuer: jwt.issuer,
    ...(token && { token }),
  });
}

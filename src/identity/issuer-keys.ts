/** The keys of an issuer: fetched, kept, fetched again when they grow old or one is missing, and never more often than that. */
import { isIP } from 'node:net';
import {
  createLocalJWKSet,
  errors,
  type FlattenedJWSInput,
  type JWSHeaderParameters,
  type JWTVerifyGetKey,
} from 'jose';
import * as z from 'zod';
import { classifyAddress } from '../../datasources/http/local-addresses.ts';
import { IdentityUnavailable } from '../access/errors.ts';
import type { AddressOrigin } from './fetch-json.ts';

/** After that they are asked for again, while the ones that are known go on to serve. */
const FRESH_MS = 600_000;
/** After that they serve no more: a key that its issuer has withdrawn must end some time, also while nobody can be asked. */
const USABLE_MS = 86_400_000;
/** Between two fetches for keys that are missing: tokens with invented key ids must not become requests to the issuer. */
const COOLDOWN_MS = 30_000;
/** After a failure; doubled with each further one, up to the cooldown. */
const FIRST_PAUSE_MS = 1000;
const MAX_KEYS = 100;

/** RFC 7517 and RFC 7518, section 6: the public members of asymmetric keys. Whatever else stands there is passed over. */
const keySchema = z.object({
  kty: z.enum(['RSA', 'EC', 'OKP']),
  kid: z.string().optional(),
  use: z.string().optional(),
  alg: z.string().optional(),
  key_ops: z.array(z.string()).optional(),
  crv: z.string().optional(),
  n: z.string().optional(),
  e: z.string().optional(),
  x: z.string().optional(),
  y: z.string().optional(),
});
const keySetSchema = z.object({ keys: z.array(z.unknown()).max(MAX_KEYS) });
/** OpenID Connect Discovery 1.0, section 3. */
const discoverySchema = z.object({ issuer: z.string(), jwks_uri: z.string() });

type KeyResolver = ReturnType<typeof createLocalJWKSet>;

interface KeySet {
  readonly resolve: KeyResolver;
  /** One text for each key, to see whether one has gone. */
  readonly prints: ReadonlySet<string>;
  readonly fetchedAtMs: number;
}

export interface IssuerKeysOptions {
  readonly issuer: string;
  /** Where the keys are; null: the issuer's discovery document says it. */
  readonly jwksUri: string | null;
  readonly fetchJson: (url: string, origin: AddressOrigin) => Promise<unknown>;
  /** As `Date.now()`. */
  readonly now: () => number;
  /** Told when a key has gone: what it signed is not to be believed any more. */
  readonly onKeyGone: () => void;
  readonly log: { warn(detail: object, message: string): void };
}

export class IssuerKeys {
  readonly #options: IssuerKeysOptions;
  #keys: KeySet | null = null;
  #running: Promise<KeySet> | null = null;
  #failures = 0;
  /** When the last fetch began, and from when on the next may. */
  #askedAtMs = Number.NEGATIVE_INFINITY;
  #notBeforeMs = Number.NEGATIVE_INFINITY;

  constructor(options: IssuerKeysOptions) {
    this.#options = options;
  }

  /** Begins to fetch the keys, so that the first token need not wait for them. */
  start(): void {
    this.#refresh().catch(() => undefined);
  }

  /**
   * Begins to fetch them again where they are old. Whoever uses what was verified by them calls it, so that a key that its
   * issuer withdraws ends also where no new token comes.
   */
  refreshIfOld(nowMs: number): void {
    if (this.#keys !== null && nowMs - this.#keys.fetchedAtMs >= FRESH_MS) this.start();
  }

  /** The key of a token, for jose. Rejects with jose's JWKSNoMatchingKey, or with IdentityUnavailable where none can be had. */
  readonly getKey: JWTVerifyGetKey = async (header, token) => {
    const keys = await this.#current();
    try {
      return await keys.resolve(header, token);
    } catch (error) {
      if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
      return this.#findNewKey(header, token, error);
    }
  };

  /** The key may be newer than what is known; then it is there after a fetch, or it is not known whether it exists. */
  async #findNewKey(header: JWSHeaderParameters, token: FlattenedJWSInput, unknown: Error) {
    const nowMs = this.#options.now();
    const mayAsk = this.#running !== null || nowMs - this.#askedAtMs >= COOLDOWN_MS;
    if (!mayAsk && this.#failures === 0) throw unknown;
    const keys = await this.#refresh();
    return keys.resolve(header, token);
  }

  async #current(): Promise<KeySet> {
    const keys = this.#keys;
    const ageMs = keys === null ? Number.POSITIVE_INFINITY : this.#options.now() - keys.fetchedAtMs;
    if (keys === null || ageMs >= USABLE_MS) return this.#refresh();
    if (ageMs >= FRESH_MS) this.#refresh().catch(() => undefined);
    return keys;
  }

  /** Fetches, or joins who does. Rejects with IdentityUnavailable, at once while there is a pause. */
  #refresh(): Promise<KeySet> {
    if (this.#running !== null) return this.#running;
    const nowMs = this.#options.now();
    if (nowMs < this.#notBeforeMs) return Promise.reject(new IdentityUnavailable(this.#notBeforeMs - nowMs));
    this.#askedAtMs = nowMs;
    this.#running = this.#fetch().finally(() => {
      this.#running = null;
    });
    return this.#running;
  }

  async #fetch(): Promise<KeySet> {
    const { now, log, issuer, onKeyGone } = this.#options;
    try {
      const keys = await this.#fetchKeys();
      const before = this.#keys;
      this.#keys = keys;
      this.#failures = 0;
      if (before !== null && !before.prints.isSubsetOf(keys.prints)) onKeyGone();
      return keys;
    } catch (error) {
      this.#failures += 1;
      const pauseMs = Math.min(COOLDOWN_MS, FIRST_PAUSE_MS * 2 ** (this.#failures - 1));
      this.#notBeforeMs = now() + pauseMs;
      const detail = error instanceof Error ? error.message : String(error);
      log.warn({ issuer, detail }, 'the keys of the issuer of tokens could not be fetched');
      throw new IdentityUnavailable(pauseMs);
    }
  }

  async #fetchKeys(): Promise<KeySet> {
    const { fetchJson, jwksUri, now } = this.#options;
    const at = jwksUri === null ? await this.#discover() : ({ url: jwksUri, origin: 'CONFIGURED' } as const);
    const { keys: given } = keySetSchema.parse(await fetchJson(at.url, at.origin));
    const keys = given.flatMap((key) => {
      const read = keySchema.safeParse(key);
      return read.success ? [withoutUndefined(read.data)] : [];
    });
    if (keys.length === 0) throw new Error('there is no public key in the set');
    const prints = new Set(keys.map((key) => JSON.stringify(key)));
    return { resolve: createLocalJWKSet({ keys }), prints, fetchedAtMs: now() };
  }

  /**
   * OpenID Connect Discovery 1.0, section 4: the document must name the very issuer that it was asked for. What it says of the
   * keys is the word of whoever answers there: another host must be one of the internet, asked by https.
   */
  async #discover(): Promise<{ readonly url: string; readonly origin: AddressOrigin }> {
    const { fetchJson, issuer } = this.#options;
    const document = discoverySchema.parse(
      await fetchJson(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`, 'CONFIGURED'),
    );
    if (document.issuer !== issuer) throw new Error('the discovery document is that of another issuer');
    const url = URL.parse(document.jwks_uri);
    if (url?.origin === new URL(issuer).origin) return { url: url.href, origin: 'CONFIGURED' };
    if (url?.protocol === 'https:' && !isInside(url.hostname)) return { url: url.href, origin: 'TOLD' };
    throw new Error(
      "the discovery document must name keys at the issuer's own origin, or at a public https address; set auth.jwt.jwksUri if another one is meant",
    );
  }
}

/** Whether a host says by itself that it is of this host or network; where other names lead is seen when they are resolved. */
function isInside(hostname: string): boolean {
  const host = hostname.replace(/^\[|\]$/g, '').replace(/\.$/, '');
  if (isIP(host) !== 0) return classifyAddress(host) !== 'PUBLIC';
  return host === 'localhost' || host.endsWith('.localhost');
}

function withoutUndefined(key: z.output<typeof keySchema>) {
  const { kty, ...members } = key;
  return { kty, ...Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined)) };
}

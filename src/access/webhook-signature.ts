/**
 * Whether a registry has said something itself, and says it for the first time (contract, 4): the signature is
 * `t=<unix seconds>,v1=<hex HMAC-SHA256 of "t.body">`, good for 300 seconds, and once.
 */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';

const TOLERANCE_MS = 300_000;
const SIGNATURE = /^t=(\d{1,12}),v1=([0-9a-f]{64})$/i;
/** Of one registry, each some 100 bytes: 80 a second while the signatures of ten minutes may still be good. */
const MAX_REMEMBERED = 50_000;
/** Between two looks at which of them can be forgotten. */
const PURGE_MS = 60_000;

/**
 * UNKNOWN: nobody of that name signs here. FORGED: it is not signed, or not so. STALE: signed at another time. REPEATED: it
 * was here before. CROWDED: more came than can be remembered, so that a repetition could not be told.
 */
export type SignatureVerdict = 'VERIFIED' | 'UNKNOWN' | 'FORGED' | 'STALE' | 'REPEATED' | 'CROWDED';

export interface WebhookVerifierOptions {
  /** By the names of the registries. */
  readonly secrets: ReadonlyMap<string, string>;
  /** As `Date.now()`. */
  readonly now?: () => number;
  /** Signatures remembered of one registry. */
  readonly maxRemembered?: number;
  /** What was used before, by another verifier; it is added to. */
  readonly used?: UsedSignatures;
}

/** The signatures of one registry that were used, with the time until which they would be good. */
interface Used {
  readonly untilMs: Map<string, number>;
  purgedAtMs: number;
}

/** By the names of the registries. */
export type UsedSignatures = Map<string, Used>;

export class WebhookVerifier {
  readonly #secrets: ReadonlyMap<string, string>;
  readonly #now: () => number;
  readonly #maxRemembered: number;
  readonly #used: UsedSignatures;
  /** Stands in where there is no secret, so that the time taken does not tell who has one. */
  readonly #nobodysSecret = randomBytes(32).toString('hex');

  constructor({ secrets, now = Date.now, maxRemembered = MAX_REMEMBERED, used = new Map() }: WebhookVerifierOptions) {
    this.#secrets = secrets;
    this.#now = now;
    this.#maxRemembered = maxRemembered;
    this.#used = used;
  }

  /**
   * `header` as received; `body` byte by byte as received. Of what is VERIFIED the signature is used up, unless `giveBack` says
   * that nothing came of it.
   */
  verify(registryName: string, header: string | undefined, body: Uint8Array): SignatureVerdict {
    const secret = this.#secrets.get(registryName);
    const [, time = '', given = ''] = SIGNATURE.exec(header ?? '') ?? [];
    const expected = this.#sign(registryName, time, body);
    const isSigned = given !== '' && timingSafeEqual(expected, Buffer.from(given, 'hex'));
    if (secret === undefined) return 'UNKNOWN';
    if (!isSigned) return 'FORGED';
    const signedAtMs = Number(time) * 1000;
    if (Math.abs(this.#now() - signedAtMs) > TOLERANCE_MS) return 'STALE';
    return this.#use(registryName, expected.toString('base64'), signedAtMs + TOLERANCE_MS);
  }

  /** What was VERIFIED could not be served: the registry may send the very same again. */
  giveBack(registryName: string, header: string | undefined, body: Uint8Array): void {
    const [, time = ''] = SIGNATURE.exec(header ?? '') ?? [];
    this.#used.get(registryName)?.untilMs.delete(this.#sign(registryName, time, body).toString('base64'));
  }

  #sign(registryName: string, time: string, body: Uint8Array): Buffer {
    const secret = this.#secrets.get(registryName) ?? this.#nobodysSecret;
    return createHmac('sha256', secret).update(`${time}.`).update(body).digest();
  }

  #use(registryName: string, signature: string, untilMs: number): SignatureVerdict {
    const nowMs = this.#now();
    const used = this.#used.get(registryName) ?? { untilMs: new Map<string, number>(), purgedAtMs: nowMs };
    this.#used.set(registryName, used);
    if (used.untilMs.has(signature)) return 'REPEATED';
    if (nowMs - used.purgedAtMs >= PURGE_MS) {
      used.purgedAtMs = nowMs;
      for (const [old, goodUntilMs] of used.untilMs) if (goodUntilMs < nowMs) used.untilMs.delete(old);
    }
    if (used.untilMs.size >= this.#maxRemembered) return 'CROWDED';
    used.untilMs.set(signature, untilMs);
    return 'VERIFIED';
  }
}

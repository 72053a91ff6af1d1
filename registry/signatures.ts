/**
 * Requests signed with an SSH key (RFC 9421): who signed, whether it was meant for this request, and only once.
 */
import { constants, type KeyObject, verify } from 'node:crypto';
import { isSignatureError, type UntrustedSignatureCandidate, type Verifier, verifySignature } from 'http-message-sig';
import { matchesDigest } from './digests.ts';
import { readSshPublicKey } from './ssh-public-key.ts';

/** The contract's life of a signature. */
const LIFE_S = 300;
/** How far a signer's clock may be ahead of ours. */
const CLOCK_SKEW_S = 30;
/** Nonces remembered at most: beyond it requests are refused rather than forgotten ones taken twice. */
const NONCES = 200_000;

/** The request as the signer saw it. */
export interface SignedRequest {
  readonly method: string;
  /** The whole address: scheme, host, path and query. */
  readonly targetUri: string;
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  /** Empty where there is none. */
  readonly body: Uint8Array;
}

type Algorithm = 'ed25519' | 'rsa-pss-sha512' | 'rsa-v1_5-sha256' | 'ecdsa-p256-sha256' | 'ecdsa-p384-sha384';

/** Verifies signatures by a fixed set of public keys. Remembers nonces: one per registry. */
export class SignatureVerifier {
  readonly #keys: ReadonlyMap<string, KeyObject>;
  readonly #nowMs: () => number;
  /** When each nonce may be forgotten, seconds since the epoch; oldest first. */
  readonly #nonces = new Map<string, number>();

  /**
   * `authorizedKeys` are lines as in an authorized_keys file: type, key, comment; empty lines and # comments are skipped.
   * Throws an Error naming the line that is no public key, or whose kind of key cannot sign requests.
   */
  constructor(authorizedKeys: readonly string[], nowMs: () => number = Date.now) {
    this.#keys = new Map(authorizedKeys.filter((line) => !/^\s*(?:#|$)/.test(line)).map(readPublicKey));
    this.#nowMs = nowMs;
  }

  /** The key's fingerprint ("SHA256:…") when the request carries one good signature; null otherwise. */
  async verify(request: SignedRequest): Promise<string | null> {
    const { body, headers } = request;
    const digest = headers['content-digest'];
    if (body.byteLength > 0 && !(typeof digest === 'string' && matchesDigest(digest, body))) return null;
    const nowS = Math.floor(this.#nowMs() / 1_000);
    try {
      const { parameters } = await verifySignature(describeRequest(request), {
        policy: {
          algorithms: ['ed25519', 'rsa-pss-sha512', 'rsa-v1_5-sha256', 'ecdsa-p256-sha256', 'ecdsa-p384-sha384'],
          requiredComponents: ['@method', '@target-uri', ...(body.byteLength > 0 ? ['content-digest'] : [])],
          requiredParameters: ['created', 'nonce', 'keyid'],
          clockSkew: CLOCK_SKEW_S,
          now: nowS,
        },
        resolveVerifier: (candidate) => this.#resolveVerifier(candidate),
      });
      const { created = 0, nonce = '', keyid = '' } = parameters;
      // Checked here: the library adds the clock skew to the age as well, and the contract's 300 s are exact.
      if (nowS - created > LIFE_S || nonce.length < 8) return null;
      return this.#takeNonce(`${keyid} ${nonce}`, created + LIFE_S, nowS) ? keyid : null;
    } catch (error) {
      if (isSignatureError(error)) return null;
      throw error;
    }
  }

  #resolveVerifier(candidate: UntrustedSignatureCandidate): Verifier {
    const key = this.#keys.get(candidate.parameters.keyid ?? '');
    if (key === undefined) throw new Error('the key is not authorised');
    const algorithms = listAlgorithms(key);
    const algorithm = algorithms.find((known) => known === candidate.algorithm) ?? algorithms[0];
    if (algorithm === undefined) throw new Error('this kind of key signs no requests');
    // A signer that does not name its algorithm leaves two for RSA: one of them fits, or none.
    const tried = candidate.algorithm === undefined ? algorithms : [algorithm];
    return {
      algorithm,
      verify: (base, signature) => tried.some((one) => verifyWith(one, key, base, signature)),
    };
  }

  /** Says whether the nonce was never seen in its life. */
  #takeNonce(nonce: string, forgetAtS: number, nowS: number): boolean {
    for (const [known, atS] of this.#nonces) {
      // Signatures reach us nearly in the order of `created`: the first that must be kept ends the sweep.
      if (atS >= nowS) break;
      this.#nonces.delete(known);
    }
    if (this.#nonces.has(nonce) || this.#nonces.size >= NONCES) return false;
    this.#nonces.set(nonce, forgetAtS);
    return true;
  }
}

function describeRequest({ method, targetUri, headers }: SignedRequest) {
  const fields = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [value].flat().map((one) => ({ name, value: one })),
  );
  return { kind: 'request' as const, method, targetUri, fields };
}

function readPublicKey(line: string): readonly [string, KeyObject] {
  const shown = line.trim().split(/\s+/)[0] ?? '';
  try {
    const { key, fingerprint } = readSshPublicKey(line);
    if (listAlgorithms(key).length === 0) throw new Error('unsupported');
    return [fingerprint, key];
  } catch (cause) {
    throw new Error(
      `an authorised key must be an OpenSSH public key (ssh-ed25519, ssh-rsa of 2048 bits or more, ecdsa-sha2-nistp256 or -nistp384), but a line that begins with "${shown}" was given`,
      { cause },
    );
  }
}

function listAlgorithms(key: KeyObject): readonly Algorithm[] {
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return ['ed25519'];
    case 'rsa':
      // Shorter RSA keys can be broken.
      return (key.asymmetricKeyDetails?.modulusLength ?? 0) >= 2_048 ? ['rsa-pss-sha512', 'rsa-v1_5-sha256'] : [];
    case 'ec':
      return listCurveAlgorithms(key.asymmetricKeyDetails?.namedCurve);
    default:
      return [];
  }
}

function listCurveAlgorithms(curve: string | undefined): readonly Algorithm[] {
  if (curve === 'prime256v1') return ['ecdsa-p256-sha256'];
  return curve === 'secp384r1' ? ['ecdsa-p384-sha384'] : [];
}

/** The parameters are RFC 9421, section 3.3. */
function verifyWith(algorithm: Algorithm, key: KeyObject, base: Uint8Array, signature: Uint8Array): boolean {
  switch (algorithm) {
    case 'ed25519':
      return verify(null, base, key, signature);
    case 'rsa-pss-sha512':
      return verify('sha512', base, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }, signature);
    case 'rsa-v1_5-sha256':
      return verify('sha256', base, { key, padding: constants.RSA_PKCS1_PADDING }, signature);
    case 'ecdsa-p256-sha256':
      return verify('sha256', base, { key, dsaEncoding: 'ieee-p1363' }, signature);
    case 'ecdsa-p384-sha384':
      return verify('sha384', base, { key, dsaEncoding: 'ieee-p1363' }, signature);
  }
}

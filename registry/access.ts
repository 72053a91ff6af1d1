/**
 * Who may read and who may publish.
 */
import { hash, timingSafeEqual } from 'node:crypto';
import { HttpError } from './http-error.ts';
import { SignatureVerifier, type SignedRequest } from './signatures.ts';

interface BasicUser {
  readonly username: string;
  readonly password: string;
}

/**
 * Credentials that are accepted. With any of `readTokens`, `basicUsers` or `authorizedKeys` nobody reads without
 * credentials, unless `publicRead` says otherwise. Tokens for publishing, users and keys may do both.
 */
export interface AccessOptions {
  readonly readTokens?: readonly string[];
  readonly publishTokens?: readonly string[];
  readonly basicUsers?: readonly BasicUser[];
  /** Lines as in an OpenSSH authorized_keys file. */
  readonly authorizedKeys?: readonly string[];
  readonly publicRead?: boolean;
}

type AccessRight = 'none' | 'read' | 'publish';

/** What RFC 9421, section 5.1, tells a client to sign. */
const ACCEPT_SIGNATURE = 'sig1=("@method" "@target-uri" "content-digest");created;nonce;keyid';

/** Decides over requests. Secrets are kept as digests and compared in constant time; none is ever put in a message. */
export class AccessControl {
  readonly #readTokens: readonly Buffer[];
  readonly #publishTokens: readonly Buffer[];
  readonly #users: readonly Buffer[];
  readonly #signatures: SignatureVerifier | null;
  readonly #challenges: readonly string[];
  /** Everybody may read. */
  readonly publicRead: boolean;

  /** Throws an Error when an authorised key is none. */
  constructor(options: AccessOptions) {
    const { readTokens = [], publishTokens = [], basicUsers = [], authorizedKeys = [] } = options;
    this.#readTokens = readTokens.map(digestSecret);
    this.#publishTokens = publishTokens.map(digestSecret);
    this.#users = basicUsers.map(({ username, password }) => digestSecret(`${username}:${password}`));
    this.#signatures = authorizedKeys.length === 0 ? null : new SignatureVerifier(authorizedKeys);
    const restricted = readTokens.length + basicUsers.length + authorizedKeys.length > 0;
    this.publicRead = options.publicRead ?? !restricted;
    this.#challenges = [
      ...(readTokens.length + publishTokens.length > 0 ? ['Bearer realm="templates"'] : []),
      ...(basicUsers.length > 0 ? ['Basic realm="templates", charset="UTF-8"'] : []),
      ...(authorizedKeys.length > 0 ? ['Signature realm="templates"'] : []),
    ];
  }

  /** Whether there are credentials with which one can publish at all. */
  get allowsPublishing(): boolean {
    return this.#publishTokens.length > 0 || this.#users.length > 0 || this.#signatures !== null;
  }

  /** Throws an HttpError (unauthenticated) when a request carries no credentials of any kind. */
  demandCredentials(headers: SignedRequest['headers']): void {
    if (!presentsCredentials(headers)) throw this.#refuse(false);
  }

  /**
   * Passes when the request has the right it needs. Rejects with an HttpError: unauthenticated without credentials or with
   * wrong ones, forbidden with good ones that do not suffice.
   */
  async demand(needed: 'read' | 'publish', request: SignedRequest): Promise<void> {
    const presented = presentsCredentials(request.headers);
    if (needed === 'read' && this.publicRead && (!presented || this.#challenges.length === 0)) return;
    const right = presented ? await this.#identify(request) : 'none';
    if (right === 'none') throw this.#refuse(presented);
    if (needed === 'publish' && right !== 'publish') {
      throw new HttpError('forbidden', 'These credentials may read, but not publish. Use others.');
    }
  }

  #refuse(presented: boolean): HttpError {
    const message = presented ? 'The credentials are not accepted.' : 'This needs credentials, and none were given.';
    const challenges = this.#challenges.length === 0 ? 'Bearer realm="templates"' : this.#challenges.join(', ');
    return new HttpError('unauthenticated', message, {
      headers: {
        'www-authenticate': challenges,
        ...(this.#signatures === null ? {} : { 'accept-signature': ACCEPT_SIGNATURE }),
      },
    });
  }

  async #identify(request: SignedRequest): Promise<AccessRight> {
    const authorization = request.headers.authorization;
    if (typeof authorization !== 'string') {
      return (await this.#signatures?.verify(request)) ? 'publish' : 'none';
    }
    const [, scheme = '', value = ''] = /^(\S+) +(\S+)$/.exec(authorization) ?? [];
    switch (scheme.toLowerCase()) {
      case 'bearer':
        return this.#identifyToken(value);
      case 'basic':
        return holds(this.#users, Buffer.from(value, 'base64').toString('utf8')) ? 'publish' : 'none';
      default:
        return 'none';
    }
  }

  #identifyToken(token: string): AccessRight {
    if (holds(this.#publishTokens, token)) return 'publish';
    return holds(this.#readTokens, token) ? 'read' : 'none';
  }
}

function presentsCredentials(headers: SignedRequest['headers']): boolean {
  return headers.authorization !== undefined || headers['signature-input'] !== undefined;
}

/** Digests are of one length, so that comparing takes the same time whatever was given. */
function digestSecret(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}

/** Compares with every known secret, whichever fits, so that the time tells nothing. */
function holds(known: readonly Buffer[], given: string): boolean {
  const digest = digestSecret(given);
  return known.filter((secret) => timingSafeEqual(secret, digest)).length > 0;
}

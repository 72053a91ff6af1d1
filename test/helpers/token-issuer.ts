/** An issuer of tokens on loopback: discovery, keys that rotate, and everything that one can do wrong. */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { exportJWK, generateKeyPair, type JWK, SignJWT } from 'jose';

type KeyPair = Awaited<ReturnType<typeof generateKeyPair>>;

export interface TokenIssuer extends AsyncDisposable {
  /** What its tokens have in "iss". */
  readonly issuer: string;
  /** The paths that were asked for. */
  readonly requests: string[];
  /** Answers in its place, where set. */
  intercept: ((request: IncomingMessage, response: ServerResponse) => boolean) | null;
  /** Makes a key and publishes it. */
  addKey(kid: string, algorithm?: string): Promise<KeyPair>;
  removeKey(kid: string): void;
  /** Signs with the key of this id. The audience is "marketplace", the time an hour. */
  sign(options?: SignOptions): Promise<string>;
}

interface SignOptions {
  readonly kid?: string;
  readonly claims?: Record<string, unknown>;
  readonly header?: Record<string, unknown>;
}

export async function startTokenIssuer(): Promise<TokenIssuer> {
  const keys = new Map<string, { pair: KeyPair; algorithm: string; jwk: JWK }>();
  const requests: string[] = [];
  const server = createServer((request, response) => {
    requests.push(request.url ?? '');
    if (issuer.intercept?.(request, response)) return;
    const answers: Record<string, unknown> = {
      '/.well-known/openid-configuration': { issuer: issuer.issuer, jwks_uri: `${issuer.issuer}/keys` },
      '/keys': { keys: [...keys.values()].map(({ jwk }) => jwk) },
    };
    const answer = answers[request.url ?? ''];
    response.writeHead(answer === undefined ? 404 : 200, { 'content-type': 'application/json' });
    response.end(JSON.stringify(answer ?? {}));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new TypeError('the issuer must have a port');
  const issuer: TokenIssuer = {
    issuer: `http://127.0.0.1:${address.port}`,
    requests,
    intercept: null,
    async addKey(kid, algorithm = 'ES256') {
      const pair = await generateKeyPair(algorithm, { extractable: true });
      keys.set(kid, {
        pair,
        algorithm,
        jwk: { ...(await exportJWK(pair.publicKey)), kid, use: 'sig', alg: algorithm },
      });
      return pair;
    },
    removeKey: (kid) => void keys.delete(kid),
    async sign({ kid = 'first', claims = {}, header = {} } = {}) {
      const key = keys.get(kid);
      if (key === undefined) throw new Error(`no key ${kid}`);
      const nowSeconds = Math.floor(Date.now() / 1000);
      const payload = {
        ...{ iss: issuer.issuer, aud: 'marketplace', sub: 'ada', iat: nowSeconds, exp: nowSeconds + 3600 },
        ...claims,
      };
      return await new SignJWT(payload)
        .setProtectedHeader({ alg: key.algorithm, kid, typ: 'at+jwt', ...header })
        .sign(key.pair.privateKey);
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  await issuer.addKey('first');
  return issuer;
}

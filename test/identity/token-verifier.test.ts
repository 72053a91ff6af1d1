import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { IdentityUnavailable, Unauthenticated } from '../../src/access/errors.ts';
import { parseConfigObject } from '../../src/config/load.ts';
import { createJsonFetcher } from '../../src/identity/fetch-json.ts';
import { type OpenTokenVerifier, openTokenVerifier } from '../../src/identity/token-verifier.ts';
import { startTokenIssuer, type TokenIssuer } from '../helpers/token-issuer.ts';

let issuer: TokenIssuer;
let opened: OpenTokenVerifier[];
let nowMs: number;
let warnings: unknown[];

beforeEach(async () => {
  issuer = await startTokenIssuer();
  opened = [];
  nowMs = Date.now();
  warnings = [];
});

afterEach(async () => {
  await Promise.all(opened.map((verifier) => verifier.close()));
  await issuer[Symbol.asyncDispose]();
});

function open(jwt: Record<string, unknown> = {}, keepsTokens = false) {
  const config = parseConfigObject({
    server: { secret: 'for tests alone: 0123456789abcdef' },
    registries: [{ name: 'official', type: 'official', url: 'https://registry.example' }],
    auth: { jwt: { issuer: issuer.issuer, audience: 'marketplace', ...jwt } },
  });
  if (config.auth.jwt === null) throw new Error('the configuration must have an issuer');
  const log = { warn: (detail: object) => void warnings.push(detail) };
  const verifier = openTokenVerifier({ jwt: config.auth.jwt, keepsTokens, log, now: () => nowMs });
  opened.push(verifier);
  return {
    verify: (token: string) => verifier.verify(token, digestOf(token)),
    find: (token: string) => verifier.find(digestOf(token)),
  };
}

const digestOf = (token: string) => createHash('sha256').update(token).digest('hex');
const portOf = (one: TokenIssuer) => new URL(one.issuer).port;
const keyFetches = () => issuer.requests.filter((path) => path === '/keys').length;

describe('a token of the issuer', () => {
  it('says who calls, with roles and groups from its claims, by the keys that discovery names', async () => {
    const { verify } = open();
    const token = await issuer.sign({ claims: { roles: ['researcher', 'publisher'], groups: 'physics biology' } });
    expect(await verify(token)).toEqual({
      authenticated: true,
      subject: 'ada',
      roles: ['researcher', 'publisher'],
      groups: ['physics', 'biology'],
      issuer: issuer.issuer,
    });
    expect(issuer.requests).toEqual(['/.well-known/openid-configuration', '/keys']);
  });

  it('is read where the configuration says, within other claims too, and its roles become those of the mapping alone', async () => {
    const { verify } = open({
      jwksUri: `${issuer.issuer}/keys`,
      rolesClaim: 'realm_access.roles',
      groupsClaim: 'https://example.org/groups',
      roleMapping: { staff: ['researcher', 'publisher'], boss: 'admin' },
    });
    const token = await issuer.sign({
      claims: {
        realm_access: { roles: ['staff', 'admin', 'constructor'] },
        'https://example.org/groups': ['physics', 7, ''],
      },
    });
    const caller = await verify(token);
    expect(caller.roles).toEqual(['researcher', 'publisher']);
    expect(caller.groups).toEqual(['physics']);
    expect(issuer.requests).toEqual(['/keys']);
  });

  it.each(['RS256', 'PS256', 'ES256', 'EdDSA'])('may be signed by %s', async (algorithm) => {
    await issuer.addKey('other', algorithm);
    const { verify } = open();
    expect((await verify(await issuer.sign({ kid: 'other' }))).subject).toBe('ada');
  });

  it.each(['JWT', 'jwt', 'at+jwt', 'application/at+jwt', undefined])('may be of the type %s', async (typ) => {
    const { verify } = open();
    expect((await verify(await issuer.sign({ header: { typ } }))).subject).toBe('ada');
  });

  it('is verified once, and known until it expires', async () => {
    const { verify, find } = open();
    const token = await issuer.sign({ claims: { exp: Math.floor(nowMs / 1000) + 60 } });
    expect(find(token)).toBeUndefined();
    const caller = await verify(token);
    nowMs += 59_000;
    expect(find(token)).toBe(caller);
    nowMs += 2000;
    expect(find(token)).toBeUndefined();
    nowMs += 60_000;
    await expect(verify(token)).rejects.toMatchObject({ reason: 'EXPIRED' });
  });

  it('may be a little ahead of or behind the clock, as far as the configuration says', async () => {
    const { verify } = open({ clockTolerance: '10s' });
    const seconds = Math.floor(nowMs / 1000);
    await verify(await issuer.sign({ claims: { nbf: seconds + 8 } }));
    await verify(await issuer.sign({ claims: { exp: seconds - 8 } }));
    await expect(verify(await issuer.sign({ claims: { nbf: seconds + 15 } }))).rejects.toBeInstanceOf(Unauthenticated);
    await expect(verify(await issuer.sign({ claims: { exp: seconds - 15 } }))).rejects.toBeInstanceOf(Unauthenticated);
  });

  it('is kept for registries only where one wants it, and shows in no text', async () => {
    const token = await issuer.sign();
    expect((await open().verify(token)).token).toBeUndefined();
    const caller = await open({}, true).verify(token);
    expect(caller.token?.reveal()).toBe(token);
    expect(inspect(caller, { depth: 9, showHidden: true }) + JSON.stringify(caller)).not.toContain(token.slice(-40));
  });
});

describe('the keys of the issuer', () => {
  it('are fetched once for any number of tokens at once', async () => {
    const { verify } = open();
    const tokens = await Promise.all(Array.from({ length: 20 }, (_, index) => issuer.sign({ claims: { jti: index } })));
    await Promise.all(tokens.map(verify));
    expect(keyFetches()).toBe(1);
  });

  it('are fetched again for a key that is new, and not more often than every 30 seconds for keys that nobody has', async () => {
    const { verify } = open();
    await verify(await issuer.sign());
    nowMs += 31_000;
    await issuer.addKey('second');
    expect((await verify(await issuer.sign({ kid: 'second' }))).subject).toBe('ada');
    expect(keyFetches()).toBe(2);
    for (let index = 0; index < 50; index += 1) {
      const forged = await issuer.sign({ header: { kid: `invented-${index}` } });
      await expect(verify(forged)).rejects.toBeInstanceOf(Unauthenticated);
    }
    expect(keyFetches()).toBe(2);
  });

  it('serve on while the issuer is down, for a day', async () => {
    const { verify } = open();
    await verify(await issuer.sign());
    issuer.intercept = (_, response) => {
      response.writeHead(500).end();
      return true;
    };
    nowMs += 3_600_000;
    const exp = Math.floor(nowMs / 1000) + 200_000;
    expect((await verify(await issuer.sign({ claims: { exp } }))).subject).toBe('ada');
    nowMs += 86_400_000;
    await expect(verify(await issuer.sign({ claims: { exp, jti: 1 } }))).rejects.toBeInstanceOf(IdentityUnavailable);
  });

  it('that the issuer withdraws end what they signed, what was verified before included', async () => {
    const { verify, find } = open();
    const token = await issuer.sign();
    await verify(token);
    issuer.removeKey('first');
    await issuer.addKey('second');
    nowMs += 31_000;
    await verify(await issuer.sign({ kid: 'second' }));
    expect(find(token)).toBeUndefined();
    await expect(verify(token)).rejects.toBeInstanceOf(Unauthenticated);
  });

  it('that the issuer withdraws end what they signed also where no other token comes', async () => {
    const { verify, find } = open();
    const token = await issuer.sign();
    await verify(token);
    issuer.removeKey('first');
    await issuer.addKey('second');
    nowMs += 601_000;
    find(token);
    await expect.poll(() => find(token)).toBeUndefined();
  });

  it.each([
    'https://127.0.0.1/keys',
    'https://169.254.169.254/latest/meta-data',
    'https://10.1.2.3/keys',
    'https://[::1]/keys',
    'https://[::ffff:192.168.0.1]/keys',
    'https://2130706433/keys',
    'https://localhost/keys',
    'https://localhost./keys',
    'https://keys.localhost/keys',
    'http://keys.example/keys',
    'file:///etc/passwd',
    'keys',
  ])('are asked for nowhere inside where discovery says so: %s', async (uri) => {
    await using other = await startTokenIssuer();
    issuer.intercept = (request, response) => {
      if (request.url === '/keys') return false;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ issuer: issuer.issuer, jwks_uri: uri.replace('/keys', `:${portOf(other)}/keys`) }));
      return true;
    };
    await expect(open().verify(await issuer.sign())).rejects.toBeInstanceOf(IdentityUnavailable);
    expect(other.requests).toEqual([]);
    expect(keyFetches()).toBe(0);
    expect(JSON.stringify(warnings)).toContain('public https address');
  });

  it('are asked for at no name that leads inside, however it did when it was looked at', async () => {
    const asked: string[] = [];
    const fetcher = createJsonFetcher((hostname, _, callback) => {
      asked.push(hostname);
      callback(null, [{ address: '127.0.0.1', family: 4 }]);
    });
    const url = `http://keys.example:${portOf(issuer)}/keys`;
    await expect(fetcher.fetch(url, 'TOLD')).rejects.toThrow('must lead to a public address');
    expect(issuer.requests).toEqual([]);
    expect(await fetcher.fetch(url, 'CONFIGURED')).toMatchObject({ keys: [{ kid: 'first' }] });
    expect(asked).toEqual(['keys.example', 'keys.example']);
    await fetcher.close();
  });

  it('that cannot be had make no one anybody: the token cannot be judged, and the issuer is asked after a pause', async () => {
    issuer.intercept = (_, response) => {
      response.writeHead(503).end();
      return true;
    };
    const { verify } = open();
    const token = await issuer.sign();
    await expect(verify(token)).rejects.toBeInstanceOf(IdentityUnavailable);
    const asked = issuer.requests.length;
    for (let index = 0; index < 20; index += 1) await expect(verify(token)).rejects.toBeInstanceOf(IdentityUnavailable);
    expect(issuer.requests.length).toBe(asked);
    issuer.intercept = null;
    nowMs += 1100;
    expect((await verify(token)).subject).toBe('ada');
    expect(JSON.stringify(warnings)).not.toContain(token);
  });

  it.each([
    {
      what: 'a redirect',
      answer: (response: import('node:http').ServerResponse) =>
        response.writeHead(302, { location: `${issuer.issuer}/elsewhere` }).end(),
    },
    {
      what: 'more than half a megabyte',
      answer: (response: import('node:http').ServerResponse) =>
        response.end(`{"keys":[],"x":"${'x'.repeat(600_000)}"}`),
    },
    {
      what: 'no JSON',
      answer: (response: import('node:http').ServerResponse) => response.end('<html>'),
    },
    {
      what: 'a secret for signing instead of a key',
      answer: (response: import('node:http').ServerResponse) =>
        response.end(JSON.stringify({ keys: [{ kty: 'oct', k: 'c2VjcmV0', kid: 'first', alg: 'HS256' }] })),
    },
  ])('are none where the answer is $what', async ({ answer }) => {
    issuer.intercept = (request, response) => {
      if (request.url !== '/keys') return false;
      answer(response);
      return true;
    };
    await expect(open().verify(await issuer.sign())).rejects.toBeInstanceOf(IdentityUnavailable);
    expect(issuer.requests).not.toContain('/elsewhere');
  });

  it.each([
    { issuer: 'https://evil.example', jwks_uri: 'https://evil.example/keys' },
    { issuer: null, jwks_uri: 'http://evil.example/keys' },
    { issuer: null, jwks_uri: 'file:///etc/passwd' },
    { issuer: null, jwks_uri: 'http://127.0.0.1:1/keys' },
  ])('are not looked for where a discovery document must not send anybody: %j', async (document) => {
    issuer.intercept = (request, response) => {
      if (request.url === '/keys') return false;
      response.end(JSON.stringify({ ...document, issuer: document.issuer ?? issuer.issuer }));
      return true;
    };
    await expect(open().verify(await issuer.sign())).rejects.toBeInstanceOf(IdentityUnavailable);
    expect(issuer.requests).toEqual(['/.well-known/openid-configuration']);
  });
});

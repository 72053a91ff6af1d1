/** Tokens that must make nobody anybody: refused at once, without a call to a registry, and none to whoever they name. */
import { createHmac, generateKeyPairSync } from 'node:crypto';
import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { CLOCK_BOUND, PATIENT } from '../helpers/clock-bound.ts';
import { startTokenIssuer, type TokenIssuer } from '../helpers/token-issuer.ts';
import { type ServedRegistries, serveRegistries, wireTemplates } from '../server/serve-registries.ts';

/** Generous for a busy machine; one takes about a millisecond. */
const AT_ONCE_MS = 500;
const QUERY = '{ viewer { subject roles } search(query: "template", first: 1) { nodes { name } } }';

let issuer: TokenIssuer;
let served: ServedRegistries;
let good: string;

beforeAll(async () => {
  issuer = await startTokenIssuer();
  await issuer.addKey('rsa', 'RS256');
  served = await serveRegistries({
    catalogs: { official: wireTemplates('template', 3) },
    settings: { official: { health: { interval: '1h' } } },
    auth: { jwt: { issuer: issuer.issuer, audience: 'marketplace' } },
  });
  good = await issuer.sign({ claims: { roles: ['researcher'] } });
});

afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await issuer[Symbol.asyncDispose]();
});

const encode = (value: unknown) =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');
const claims = (more: Record<string, unknown> = {}) => {
  const seconds = Math.floor(Date.now() / 1000);
  return { iss: issuer.issuer, aud: 'marketplace', sub: 'mallory', roles: ['admin'], exp: seconds + 3600, ...more };
};
/** With a signature that nobody made. */
const forge = (header: Record<string, unknown>, body: unknown = claims(), signature = 'AAAA') =>
  `${encode(header)}.${encode(body)}.${signature}`;
const signBySecret = (secret: string | Buffer, header: Record<string, unknown> = {}) => {
  const input = `${encode({ alg: 'HS256', typ: 'JWT', kid: 'rsa', ...header })}.${encode(claims())}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
};
const publicKeyOf = async (kid: string) => {
  const { keys } = JSON.parse(await (await fetch(`${issuer.issuer}/keys`)).text());
  return keys.find((key: { kid: string }) => key.kid === kid);
};
const signByOwnKey = async (header: Record<string, unknown>) => {
  const own = await generateKeyPair('ES256', { extractable: true });
  const jwk = await exportJWK(own.publicKey);
  return await new SignJWT(claims())
    .setProtectedHeader({ alg: 'ES256', kid: 'first', ...header, ...(header.jwk === 'own' && { jwk }) })
    .sign(own.privateKey);
};
const replacePart = (at: number, part: string) => good.split('.').with(at, part).join('.');

const ATTACKS: readonly { what: string; make: () => string | Promise<string> }[] = [
  ...['none', 'None', 'NONE', 'nOnE', ''].flatMap((alg) => [
    { what: `algorithm "${alg}" without a signature`, make: () => forge({ alg, typ: 'JWT' }, claims(), '') },
    { what: `algorithm "${alg}" with a signature`, make: () => forge({ alg, typ: 'JWT' }) },
    {
      what: `algorithm "${alg}" and a signature of another token`,
      make: () => forge({ alg }, claims(), good.split('.')[2]),
    },
  ]),
  { what: 'no algorithm', make: () => forge({ typ: 'JWT' }) },
  { what: 'an algorithm that is no text', make: () => forge({ alg: ['ES256'] }) },
  {
    what: 'the public RSA key as the secret of HS256, as PEM',
    make: async () => signBySecret(await exportSPKI((await rsaPair).publicKey)),
  },
  {
    what: 'the public RSA key as the secret of HS256, as JWK',
    make: async () => signBySecret(JSON.stringify(await publicKeyOf('rsa'))),
  },
  {
    what: 'the modulus of the public key as the secret of HS256',
    make: async () => signBySecret(Buffer.from((await publicKeyOf('rsa')).n, 'base64url')),
  },
  { what: 'an empty secret', make: () => signBySecret('') },
  { what: 'HS512 by name', make: () => signBySecret('x', { alg: 'HS512' }) },
  { what: 'an algorithm that is not the one of the key', make: () => issuer.sign({ header: { kid: 'rsa' } }) },
  { what: 'an algorithm that the configuration does not name', make: () => forge({ alg: 'ES512', kid: 'first' }) },
  { what: 'a time that has passed', make: () => issuer.sign({ claims: { exp: 1_700_000_000 } }) },
  {
    what: 'a time that has not come',
    make: () => issuer.sign({ claims: { nbf: Math.floor(Date.now() / 1000) + 3600 } }),
  },
  { what: 'no end', make: () => issuer.sign({ claims: { exp: undefined } }) },
  { what: 'an end that is text', make: () => forge({ alg: 'ES256', kid: 'first' }, claims({ exp: '99999999999' })) },
  { what: 'an end beyond all numbers', make: () => forge({ alg: 'ES256', kid: 'first' }, '{"exp":1e999}') },
  { what: 'another audience', make: () => issuer.sign({ claims: { aud: 'another-service' } }) },
  { what: 'a list of other audiences', make: () => issuer.sign({ claims: { aud: ['another', 'marketplace.evil'] } }) },
  { what: 'no audience', make: () => issuer.sign({ claims: { aud: undefined } }) },
  { what: 'another issuer', make: () => issuer.sign({ claims: { iss: 'https://evil.example' } }) },
  { what: 'an issuer with a slash more', make: () => issuer.sign({ claims: { iss: `${issuer.issuer}/` } }) },
  { what: 'no issuer', make: () => issuer.sign({ claims: { iss: undefined } }) },
  { what: 'nobody as its subject', make: () => issuer.sign({ claims: { sub: '' } }) },
  { what: 'a subject that breaks lines', make: () => issuer.sign({ claims: { sub: 'ada\r\nX-Admin: true' } }) },
  { what: 'a key id that nobody has', make: () => issuer.sign({ header: { kid: 'unknown' } }) },
  { what: 'a key id that is a path', make: () => issuer.sign({ header: { kid: '../../../../dev/null' } }) },
  { what: 'a key id that is a query', make: () => issuer.sign({ header: { kid: "x' UNION SELECT 'secret" } }) },
  { what: 'a key id that is no text', make: () => forge({ alg: 'ES256', kid: { toString: 'first' } }) },
  { what: 'a key of its own with the id of a real one', make: () => signByOwnKey({}) },
  { what: 'its own key in its header', make: () => signByOwnKey({ jwk: 'own' }) },
  { what: 'its own key in its header, without an id', make: () => signByOwnKey({ jwk: 'own', kid: undefined }) },
  { what: 'the address of its keys', make: () => signByOwnKey({ jku: 'https://evil.example/keys' }) },
  { what: 'the address of its certificate', make: () => signByOwnKey({ x5u: 'https://evil.example/cert' }) },
  { what: 'its own certificate', make: () => forge({ alg: 'ES256', kid: 'first', x5c: ['AAAA'] }) },
  {
    what: 'a good signature beside an address of keys',
    make: () => issuer.sign({ header: { jku: 'https://evil.example' } }),
  },
  { what: 'something critical that nobody knows', make: () => forge({ alg: 'ES256', kid: 'first', crit: ['exp'] }) },
  { what: 'a payload that is not encoded', make: () => forge({ alg: 'ES256', b64: false, crit: ['b64'] }) },
  { what: 'a type for something else', make: () => issuer.sign({ header: { typ: 'logout+jwt' } }) },
  { what: 'another payload', make: () => replacePart(1, encode(claims())) },
  { what: 'another header', make: () => replacePart(0, encode({ alg: 'ES256', kid: 'first', more: 1 })) },
  { what: 'a signature of nothing but zeros', make: () => replacePart(2, Buffer.alloc(64).toString('base64url')) },
  { what: 'a signature that is cut', make: () => good.slice(0, -10) },
  { what: 'a signature that goes on', make: () => `${good}AAAA` },
  { what: 'two parts', make: () => good.split('.').slice(0, 2).join('.') },
  { what: 'four parts', make: () => `${good}.AAAA` },
  { what: 'five parts, as encrypted ones have', make: () => `${good}.AAAA.AAAA` },
  { what: 'a header that is no JSON', make: () => replacePart(0, encode('{"alg":')) },
  { what: 'a header that is a list', make: () => replacePart(0, encode('[]')) },
  { what: 'a payload that is null', make: () => replacePart(1, encode('null')) },
  { what: 'a payload of brackets', make: () => replacePart(1, encode('['.repeat(2000))) },
  { what: 'the members of a prototype', make: () => forge({ alg: 'ES256' }, '{"__proto__":{"iss":"x"}}') },
  { what: 'eight thousand characters', make: () => issuer.sign({ claims: { padding: 'x'.repeat(7000) } }) },
  { what: 'a key of 512 bits', make: () => weakToken() },
];

const rsaPair = generateKeyPair('RS256', { extractable: true });

function weakToken(): string {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'secp256k1' });
  const input = `${encode({ alg: 'ES256K', kid: 'first' })}.${encode(claims())}`;
  return `${input}.${privateKey.export({ type: 'sec1', format: 'der' }).toString('base64url').slice(0, 86)}`;
}

describe('a token with', () => {
  beforeAll(async () => {
    await vi.waitFor(async () => expect((await fetch(`${served.origin}/readyz`)).status).toBe(200), PATIENT);
    // The keys are known by then, and what is asked for from here on is asked for by an attack.
    expect((await served.ask('{ viewer { subject } }', {}, { authorization: `Bearer ${good}` })).data).toEqual({
      viewer: { subject: 'ada' },
    });
  });

  it.each(ATTACKS)('$what is refused at once, and nobody is asked', CLOCK_BOUND, async ({ make }) => {
    const token = await make();
    served.forgetArrivals();
    const asked = issuer.requests.length;
    const startedMs = performance.now();
    const answer = await served.ask(QUERY, {}, { authorization: `Bearer ${token}` });
    expect(performance.now() - startedMs).toBeLessThan(AT_ONCE_MS);
    expect(answer.status).toBe(401);
    expect(answer.data).toBeNull();
    expect(answer.errors.map(({ extensions }) => extensions.code)).toEqual(['UNAUTHENTICATED']);
    expect(answer.text).not.toContain(token.slice(0, 40));
    expect(served.countArrivals()).toBe(0);
    // A key id that is new may be asked for once in thirty seconds, and the keys were fetched just now.
    expect(issuer.requests.length).toBe(asked);
  });

  it('a good signature is still somebody after all of them', async () => {
    const answer = await served.ask(QUERY, {}, { authorization: `Bearer ${good}` });
    expect(answer.data).toMatchObject({ viewer: { subject: 'ada', roles: ['researcher'] } });
  });
});

describe('the answer to who is not known', () => {
  const challenge = async (headers: Record<string, string>) => {
    const response = await fetch(`${served.origin}/graphql?query={viewer{subject}}`, { headers });
    return [response.status, response.headers.get('www-authenticate')];
  };

  it('says how to prove it, and why a proof is none', async () => {
    expect(await challenge({ authorization: 'Bearer unknown' })).toEqual([
      401,
      'Bearer realm="marketplace", error="invalid_token"',
    ]);
    const expired = await issuer.sign({ claims: { exp: 1_700_000_000 } });
    expect(await challenge({ authorization: `Bearer ${expired}` })).toEqual([
      401,
      'Bearer realm="marketplace", error="invalid_token", error_description="The token has expired"',
    ]);
  });

  it('is 503 and a time to wait where the issuer is silent, and others are served meanwhile', async () => {
    await using silent = await startTokenIssuer();
    silent.intercept = (_, response) => {
      response.destroy();
      return true;
    };
    await using gateway = await serveRegistries({
      catalogs: { official: wireTemplates('template', 3) },
      auth: { jwt: { issuer: silent.issuer, audience: 'marketplace' } },
    });
    const token = await silent.sign();
    const response = await fetch(`${gateway.origin}/graphql?query={viewer{subject}}`, {
      headers: { authorization: `Bearer ${token}` },
    });
    expect(response.status).toBe(503);
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ errors: [{ extensions: { code: 'SERVICE_UNAVAILABLE' } }] });
    expect((await gateway.ask('{ viewer { authenticated } }')).data).toEqual({ viewer: { authenticated: false } });
    expect(JSON.stringify(gateway.logLines)).not.toContain(token);
  });
});

describe('where anonymous callers are denied', () => {
  it('everything but liveness asks who calls', async () => {
    await using denying = await serveRegistries({
      catalogs: { official: wireTemplates('template', 3) },
      auth: { anonymous: 'deny', jwt: { issuer: issuer.issuer, audience: 'marketplace' } },
    });
    denying.forgetArrivals();
    const paths = [
      '/',
      '/graphql?query={__typename}',
      '/content/official/template-00/1.0.0',
      '/explorer/start.js',
      '/no',
    ];
    for (const path of paths) {
      const response = await fetch(denying.origin + path);
      expect([path, response.status]).toEqual([path, 401]);
      expect(response.headers.get('www-authenticate')).toBe('Bearer realm="marketplace"');
    }
    expect((await fetch(`${denying.origin}/healthz`)).status).toBe(200);
    expect((await denying.ask(QUERY, {}, { authorization: `Bearer ${good}` })).errors).toEqual([]);
  });
});

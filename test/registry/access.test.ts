import { constants, generateKeyPairSync, type KeyObject, randomUUID, sign } from 'node:crypto';
import sshpk from 'sshpk';
import { describe, expect, test } from 'vitest';
import { createRegistry, type RegistryOptions } from '../../registry/registry.ts';
import { publish } from './ask.ts';

const DOCUMENT = 'name: signed\nversion: "1.0.0"\n';

async function statusOf(options: RegistryOptions, path: string, headers: Record<string, string> = {}) {
  await using registry = createRegistry(options);
  const response = await fetch(`${await registry.listen()}${path}`, { headers });
  return response.status;
}

const basic = (text: string) => ({ authorization: `Basic ${Buffer.from(text).toString('base64')}` });

describe('tokens and passwords', () => {
  const options = {
    templates: [{ name: 'x', version: '1.0.0' }],
    readTokens: ['reader'],
    publishTokens: ['writer'],
    basicUsers: [{ username: 'ada', password: 'löve:lace' }],
  };

  test.each([
    ['nothing', {}, 401],
    ['a wrong token', { authorization: 'Bearer writer2' }, 401],
    ['a token of another scheme', { authorization: 'Token reader' }, 401],
    ['the token for reading', { authorization: 'bearer reader' }, 200],
    ['the token for publishing', { authorization: 'Bearer writer' }, 200],
    ['a user with the password', basic('ada:löve:lace'), 200],
    ['a user with another password', basic('ada:love:lace'), 401],
    ['a signature that is none', { 'signature-input': 'x', signature: 'y' }, 401],
  ])('with %s a restricted registry answers %s → %i', async (_what, headers, status) => {
    for (const path of ['search', 'templates/x', 'templates/x/content', 'categories', 'health']) {
      expect(await statusOf(options, `/api/v1/${path}`, headers)).toBe(status);
    }
  });

  test('a refusal names what is accepted, and repeats nothing of what was given', async () => {
    await using registry = createRegistry({ ...options, authorizedKeys: [makeKey('ed25519').line] });
    const response = await fetch(`${await registry.listen()}/api/v1/search`, {
      headers: { authorization: 'Bearer hush' },
    });
    expect(response.headers.get('www-authenticate')).toBe(
      'Bearer realm="templates", Basic realm="templates", charset="UTF-8", Signature realm="templates"',
    );
    expect(response.headers.get('accept-signature')).toContain('"@target-uri"');
    const text = await response.text();
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'unauthenticated' } });
    expect(text).not.toContain('hush');
  });

  test('who may only read is forbidden to publish; tokens for publishing and users may', async () => {
    await using registry = createRegistry(options);
    const url = await registry.listen();
    const attempt = async (headers: Record<string, string>) => (await publish(url, DOCUMENT, headers)).status;
    expect(await attempt({})).toBe(401);
    expect(await attempt({ authorization: 'Bearer reader' })).toBe(403);
    expect(await attempt({ authorization: 'Bearer writer' })).toBe(201);
    expect(await attempt(basic('ada:löve:lace'))).toBe(409);
  });

  test('with a token for publishing alone everybody may read', async () => {
    expect(await statusOf({ publishTokens: ['writer'] }, '/api/v1/search')).toBe(200);
    expect(await statusOf({ publishTokens: ['writer'] }, '/api/v1/search', { authorization: 'Bearer wrong' })).toBe(
      401,
    );
  });
});

type Algorithm = 'ed25519' | 'rsa-pss-sha512' | 'rsa-v1_5-sha256' | 'ecdsa-p256-sha256';

interface TestKey {
  readonly privateKey: KeyObject;
  readonly fingerprint: string;
  readonly line: string;
}

function makeKey(kind: 'ed25519' | 'rsa' | 'ecdsa', bits = 2_048): TestKey {
  const generate = () => {
    switch (kind) {
      case 'ed25519':
        return generateKeyPairSync('ed25519');
      case 'rsa':
        return generateKeyPairSync('rsa', { modulusLength: bits });
      case 'ecdsa':
        return generateKeyPairSync('ec', { namedCurve: 'P-256' });
    }
  };
  const { publicKey, privateKey } = generate();
  const key = sshpk.parseKey(publicKey.export({ type: 'spki', format: 'pem' }), 'pem');
  key.comment = 'someone@example';
  return { privateKey, fingerprint: key.fingerprint('sha256').toString(), line: key.toString('ssh') };
}

function signBase(algorithm: Algorithm, key: KeyObject, base: string): string {
  const data = Buffer.from(base);
  switch (algorithm) {
    case 'ed25519':
      return sign(null, data, key).toString('base64');
    case 'rsa-pss-sha512':
      return sign('sha512', data, { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 }).toString('base64');
    case 'rsa-v1_5-sha256':
      return sign('sha256', data, key).toString('base64');
    case 'ecdsa-p256-sha256':
      return sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' }).toString('base64');
  }
}

interface SigningOptions {
  readonly method?: string;
  readonly algorithm?: Algorithm;
  readonly statesAlgorithm?: boolean;
  readonly ageS?: number;
  readonly nonce?: string;
  readonly keyid?: string;
  readonly contentDigest?: string;
  readonly components?: readonly string[];
}

/** Written from the RFC by hand, so that the registry is not checked against the library that it uses. */
function signRequest(key: TestKey, targetUri: string, options: SigningOptions = {}): Record<string, string> {
  const { method = 'GET', algorithm = 'ed25519', contentDigest } = options;
  const values: Record<string, string> = {
    '@method': method,
    '@target-uri': targetUri,
    ...(contentDigest === undefined ? {} : { 'content-digest': contentDigest }),
  };
  const components = options.components ?? Object.keys(values);
  const parameters = [
    `(${components.map((component) => `"${component}"`).join(' ')})`,
    `created=${Math.floor(Date.now() / 1_000) - (options.ageS ?? 0)}`,
    `nonce="${options.nonce ?? randomUUID()}"`,
    `keyid="${options.keyid ?? key.fingerprint}"`,
    ...(options.statesAlgorithm === false ? [] : [`alg="${algorithm}"`]),
  ].join(';');
  const lines = components.map((component) => `"${component}": ${values[component] ?? ''}`);
  const base = [...lines, `"@signature-params": ${parameters}`].join('\n');
  return {
    'signature-input': `sig1=${parameters}`,
    signature: `sig1=:${signBase(algorithm, key.privateKey, base)}:`,
    ...(contentDigest === undefined ? {} : { 'content-digest': contentDigest }),
  };
}

async function digestOf(text: string): Promise<string> {
  const digest = await crypto.subtle.digest('SHA-256', Buffer.from(text));
  return `sha-256=:${Buffer.from(digest).toString('base64')}:`;
}

describe('signed requests', () => {
  const ed25519 = makeKey('ed25519');
  const rsa = makeKey('rsa');
  const ecdsa = makeKey('ecdsa');
  const stranger = makeKey('ed25519');
  const options = { authorizedKeys: ['# who may', '', ed25519.line, rsa.line, ecdsa.line] };

  async function ask(
    makeHeaders: (target: string) => readonly Record<string, string>[],
    path = '/api/v1/search?q=a%20b',
  ) {
    await using registry = createRegistry(options);
    const target = `${await registry.listen()}${path}`;
    const statuses: number[] = [];
    for (const headers of makeHeaders(target)) statuses.push((await fetch(target, { headers })).status);
    return statuses;
  }

  test.each([
    ['an Ed25519 key', ed25519, 'ed25519', true],
    ['an Ed25519 key that states no algorithm', ed25519, 'ed25519', false],
    ['an RSA key by PSS', rsa, 'rsa-pss-sha512', true],
    ['an RSA key by PKCS #1', rsa, 'rsa-v1_5-sha256', true],
    ['an RSA key by PSS that states no algorithm', rsa, 'rsa-pss-sha512', false],
    ['an RSA key by PKCS #1 that states no algorithm', rsa, 'rsa-v1_5-sha256', false],
    ['an ECDSA key', ecdsa, 'ecdsa-p256-sha256', true],
  ] as const)('%s signs a request that is accepted', async (_what, key, algorithm, statesAlgorithm) => {
    expect(await ask((target) => [signRequest(key, target, { algorithm, statesAlgorithm })])).toEqual([200]);
  });

  test('a nonce is good once, for each key', async () => {
    const nonce = randomUUID();
    expect(
      await ask((target) => {
        const headers = signRequest(ed25519, target, { nonce });
        const other = signRequest(rsa, target, { nonce, algorithm: 'rsa-pss-sha512' });
        return [headers, headers, signRequest(ed25519, target, { nonce, ageS: 5 }), other];
      }),
    ).toEqual([200, 401, 401, 200]);
  });

  test('a signature is good for 300 seconds, and none from the future is taken', async () => {
    expect(await ask((target) => [-90, 290, 302].map((ageS) => signRequest(ed25519, target, { ageS })))).toEqual([
      401, 200, 401,
    ]);
  });

  test.each([
    ['another address', (target: string) => signRequest(ed25519, target.replace('a%20b', 'a+b'))],
    ['another host', (target: string) => signRequest(ed25519, target.replace('127.0.0.1', '127.0.0.2'))],
    ['another method', (target: string) => signRequest(ed25519, target, { method: 'HEAD' })],
    ['the address left out', (target: string) => signRequest(ed25519, target, { components: ['@method'] })],
    ['the method left out', (target: string) => signRequest(ed25519, target, { components: ['@target-uri'] })],
    ['a key that is not authorised', (target: string) => signRequest(stranger, target)],
    [
      "an authorised key's name and another key",
      (target: string) => signRequest(stranger, target, { keyid: ed25519.fingerprint }),
    ],
    ['a nonce that can be guessed', (target: string) => signRequest(ed25519, target, { nonce: '1' })],
    [
      'an algorithm of another kind of key',
      (target: string) => signRequest(rsa, target, { algorithm: 'rsa-v1_5-sha256', keyid: ed25519.fingerprint }),
    ],
  ])('a signature over %s is refused', async (_what, makeHeaders) => {
    expect(await ask((target) => [makeHeaders(target)])).toEqual([401]);
  });

  test('a signature that lost one bit is refused, and does not use up the nonce', async () => {
    expect(
      await ask((target) => {
        const headers = signRequest(ed25519, target);
        const signature = (headers.signature ?? '').replace(
          /:(.)/,
          (_all, first: string) => `:${first === 'A' ? 'B' : 'A'}`,
        );
        return [{ ...headers, signature }, headers];
      }),
    ).toEqual([401, 200]);
  });

  test('a document is published by a signature that covers its digest, and by no other', async () => {
    await using registry = createRegistry(options);
    const url = await registry.listen();
    const target = `${url}/api/v1/templates`;
    const contentDigest = await digestOf(DOCUMENT);
    const attempt = async (headers: Record<string, string>, document = DOCUMENT) =>
      (await publish(url, document, headers)).status;
    const signed = { method: 'POST', contentDigest };
    expect(await attempt(signRequest(ed25519, target, { method: 'POST' }))).toBe(401);
    expect(await attempt(signRequest(ed25519, target, { ...signed, components: ['@method', '@target-uri'] }))).toBe(
      401,
    );
    expect(await attempt(signRequest(ed25519, target, signed), `${DOCUMENT}title: tampered\n`)).toBe(401);
    expect(registry.size).toBe(0);
    expect(await attempt(signRequest(ed25519, target, signed))).toBe(201);
  });

  test('behind a public address signatures are made for that address', async () => {
    await using registry = createRegistry({ ...options, publicUrl: 'https://templates.example/' });
    const url = await registry.listen();
    const attempt = async (base: string) =>
      (await fetch(`${url}/api/v1/search`, { headers: signRequest(ed25519, `${base}/api/v1/search`) })).status;
    expect([await attempt('https://templates.example'), await attempt(url)]).toEqual([200, 401]);
  });

  test('a key that cannot be used stops the registry from being made', () => {
    for (const line of ['ssh-ed25519 AAAA', makeKey('rsa', 1_024).line]) {
      expect(() => createRegistry({ authorizedKeys: [line] })).toThrow(
        'an authorised key must be an OpenSSH public key',
      );
    }
  });
});

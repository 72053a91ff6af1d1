import sshpk from 'sshpk';
import { describe, expect, it } from 'vitest';
import { openRegistries } from '../../datasources/registries.ts';
import { createRegistry } from '../../registry/registry.ts';
import type { Credentials } from '../../src/config/config.ts';
import { NO_CRITERIA } from '../../src/domain/search.ts';
import { configureRegistry } from '../helpers/faulty-registry-config.ts';
import { failureOf, openFaultySource } from '../helpers/faulty-registry-source.ts';

const BROWSE = { query: 'ü & ?', criteria: NO_CRITERIA, field: 'NAME', direction: 'ASC', offset: 0, limit: 5 } as const;

describe('the credentials of a registry', () => {
  it('are a bearer token', async () => {
    await using faulty = await openFaultySource({}, { credentials: { type: 'token', token: 't-1' } });
    await faulty.search();
    expect(faulty.registry.arrivals.map((arrival) => arrival.headers.authorization)).toEqual([
      'Bearer t-1',
      'Bearer t-1',
    ]);
  });

  it('are a user and a password', async () => {
    const credentials = { type: 'basic', username: 'jürgen', password: 'p:w' } as const;
    await using faulty = await openFaultySource({}, { credentials });
    await faulty.search();
    const [, encoded = ''] = faulty.registry.arrivalsAt()[0]?.headers.authorization?.split(' ') ?? [];
    expect(Buffer.from(encoded, 'base64').toString('utf8')).toBe('jürgen:p:w');
  });

  it('are nowhere in what a failure says', async () => {
    const credentials = { type: 'token', token: 'very-secret' } as const;
    await using faulty = await openFaultySource({ mode: { status: 401 } }, { credentials });
    const failure = await failureOf(faulty.search());
    expect(`${failure.message} ${failure.logDetail} ${JSON.stringify(failure)}`).not.toContain('very-secret');
  });
});

const KEYS = {
  ed25519: sshpk.generatePrivateKey('ed25519'),
  'ecdsa nistp256': sshpk.generatePrivateKey('ecdsa', { curve: 'nistp256' }),
  'ecdsa nistp384': sshpk.generatePrivateKey('ecdsa', { curve: 'nistp384' }),
} as const;

/** A registry that answers only to requests signed with one of these keys. */
async function openGuarded(authorized: readonly sshpk.PrivateKey[], credentials: Credentials) {
  const registry = createRegistry({
    templates: [{ name: 'a', version: '1' }],
    authorizedKeys: authorized.map((key) => key.toPublic().toString('ssh')),
  });
  const url = await registry.listen();
  const opened = openRegistries([configureRegistry(url, { credentials, cache: { search: 0 } })]);
  await opened.whenTriedOnce();
  return {
    search: async () => {
      const answer = await opened.sources[0]?.searchRows(BROWSE, { deadlineMs: performance.now() + 5_000 });
      return answer?.value.totalCount;
    },
    async [Symbol.asyncDispose]() {
      await opened.close();
      await registry.close();
    },
  };
}

describe('a request signed with an SSH key', () => {
  it.each(Object.entries(KEYS))('is believed by a registry that knows the key: %s', async (_, key) => {
    const credentials = { type: 'ssh_key', key: key.toString('openssh'), passphrase: null } as const;
    await using guarded = await openGuarded([key], credentials);
    expect(await guarded.search()).toBe(0);
    // A second one carries another nonce: each is taken once.
    expect(await guarded.search()).toBe(0);
  });

  it('is believed with an RSA key too', async () => {
    const { generateKeyPairSync } = await import('node:crypto');
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString();
    const key = sshpk.parsePrivateKey(pem, 'pem');
    const credentials = { type: 'ssh_key', key: key.toString('openssh'), passphrase: null } as const;
    await using guarded = await openGuarded([key], credentials);
    expect(await guarded.search()).toBe(0);
  });

  it('is made with a key that a passphrase opens', async () => {
    const key = KEYS.ed25519;
    const text = key.toBuffer('openssh', { passphrase: 'open sesame', cipher: 'aes256-ctr' }).toString();
    await using guarded = await openGuarded([key], { type: 'ssh_key', key: text, passphrase: 'open sesame' });
    expect(await guarded.search()).toBe(0);
  });

  it('is refused by a registry that knows another key', async () => {
    const credentials = { type: 'ssh_key', key: KEYS.ed25519.toString('openssh'), passphrase: null } as const;
    await using guarded = await openGuarded([KEYS['ecdsa nistp256']], credentials);
    expect((await failureOf(guarded.search())).type).toBe('AUTHENTICATION');
  });

  it('needs a key that can be read, and says so when the registries are opened', () => {
    const open = (key: string) => () =>
      openRegistries([
        configureRegistry('http://127.0.0.1:9', { credentials: { type: 'ssh_key', key, passphrase: null } }),
      ]);
    expect(open('not a key')).toThrow(/The SSH key of the registry "faulty" must be a private key/);
    const encrypted = KEYS.ed25519.toBuffer('openssh', { passphrase: 'x', cipher: 'aes256-ctr' }).toString();
    expect(open(encrypted)).toThrow(/that its passphrase opens/);
  });
});

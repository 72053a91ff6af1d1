import { generateKeyPairSync } from 'node:crypto';
import { join } from 'node:path';
import sshpk from 'sshpk';
import { describe, expect, it } from 'vitest';
import { createTestAuthority } from '../helpers/faulty-registry-certificates.ts';
import { ConfigFolder, sentencesOf } from './folder.ts';

const REGISTRY = `server: { secret: 0123456789abcdef }
registries:
  - name: a
    type: official
    url: https://a.example
`;

const authority = createTestAuthority();
const leaf = authority.issue({ commonName: 'client' });
const other = authority.issue({ commonName: 'other' });

function pem(type: 'ed25519' | 'rsa' | 'x25519'): string {
  const options = { format: 'pem', type: 'pkcs8' } as const;
  switch (type) {
    case 'ed25519':
      return generateKeyPairSync('ed25519').privateKey.export(options).toString();
    case 'rsa':
      return generateKeyPairSync('rsa', { modulusLength: 2048 })
        .privateKey.export({ format: 'pem', type: 'pkcs1' })
        .toString();
    case 'x25519':
      return generateKeyPairSync('x25519').privateKey.export(options).toString();
  }
}

function openSsh(passphrase?: string): string {
  const key = sshpk.generatePrivateKey('ed25519');
  return key.toString('openssh', passphrase === undefined ? {} : { passphrase, cipher: 'aes256-ctr' });
}

/** The beginning of an OpenSSH key, which names its cipher; the rest would be the encrypted key. */
function openSshWithCipher(cipher: string): string {
  const counted = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)]);
  const body = Buffer.concat([Buffer.from('openssh-key-v1\0'), counted(cipher), counted('bcrypt'), counted('')]);
  return `-----BEGIN OPENSSH PRIVATE KEY-----\n${body.toString('base64')}\n-----END OPENSSH PRIVATE KEY-----\n`;
}

describe('files of tls', () => {
  it('are read when the configuration is, from the folder of the file', () => {
    using folder = new ConfigFolder();
    folder.write('ca.pem', authority.ca);
    folder.write('cert.pem', leaf.cert);
    const key = folder.write('key.pem', leaf.key);
    const config = folder.load(
      `${REGISTRY}    tls: { ca: ca.pem, cert: ./cert.pem, key: ${key}, servername: b.example }`,
    );
    expect(config.registries[0]?.tls).toEqual({
      ca: authority.ca,
      cert: leaf.cert,
      key: leaf.key,
      servername: 'b.example',
    });
  });

  it.each([
    [
      '{ ca: absent.pem }',
      'ca must be the path of a readable file (there is no such file), but "absent.pem" was given.',
    ],
    ['{ ca: . }', 'ca must be the path of a readable file (it is a folder), but "." was given.'],
    ['{ ca: key.pem }', 'ca must be the path of a PEM file with at least one certificate.'],
    ['{ cert: cert.pem }', 'key must be the path of a PEM file, because cert is given, but nothing was given.'],
    ['{ key: key.pem }', 'cert must be the path of a PEM file, because key is given, but nothing was given.'],
    [
      '{ cert: cert.pem, key: cert.pem }',
      'key must be the path of a PEM file with a private key that has no passphrase.',
    ],
    ['{ cert: cert.pem, key: other.pem }', 'key must be the path of the private key that belongs to cert.'],
  ])('%s is a fault', (tls, expected) => {
    using folder = new ConfigFolder();
    folder.write('cert.pem', leaf.cert);
    folder.write('key.pem', leaf.key);
    folder.write('other.pem', other.key);
    const sentences = sentencesOf(() => folder.load(`${REGISTRY}    tls: ${tls}`));
    expect(sentences.map((line) => line.replace(/^gateway.yaml:6:\d+ registries\[0\]\.tls\./, ''))).toEqual([expected]);
  });
});

describe('the key of ssh_key', () => {
  const load = (content: string | null, passphrase?: string) => {
    using folder = new ConfigFolder();
    if (content !== null) folder.write('id', content);
    const more = passphrase === undefined ? '' : `, passphrase: ${passphrase}`;
    return folder.load(`${REGISTRY}    credentials: { type: ssh_key, key: id${more} }`).registries[0]?.credentials;
  };

  it.each([
    ['OpenSSH ed25519', openSsh(), undefined],
    ['OpenSSH with a passphrase', openSsh('hunter2'), 'hunter2'],
    ['RSA of the old style', pem('rsa'), undefined],
    ['PKCS#8 ed25519', pem('ed25519'), undefined],
  ])('is read when the configuration is: %s', (_, content, passphrase) => {
    expect(load(content, passphrase)).toEqual({ type: 'ssh_key', key: content, passphrase: passphrase ?? null });
  });

  it.each([
    [
      'absent',
      null,
      undefined,
      'the path of a readable file (there is no such file), but a text (not shown) was given.',
    ],
    ['no key', 'hello', undefined, 'the path of an OpenSSH or PEM private key (ed25519, rsa or ecdsa).'],
    ['a certificate', leaf.cert, undefined, 'the path of an OpenSSH or PEM private key (ed25519, rsa or ecdsa).'],
    [
      'a key that cannot sign',
      pem('x25519'),
      undefined,
      'the path of an OpenSSH or PEM private key (ed25519, rsa or ecdsa).',
    ],
    [
      'encrypted, without passphrase',
      openSsh('hunter2'),
      undefined,
      'a private key without passphrase, or have its passphrase beside it.',
    ],
    ['encrypted, with another passphrase', openSsh('hunter2'), 'hunter3', 'a private key that its passphrase opens.'],
    [
      'encrypted with aes-gcm',
      openSshWithCipher('aes256-gcm@openssh.com'),
      'hunter2',
      'a private key encrypted with aes256-ctr (aes256-gcm@openssh.com cannot be read; re-encrypt it: ssh-keygen -p -Z aes256-ctr -f <key>).',
    ],
    [
      'encrypted with chacha20',
      openSshWithCipher('chacha20-poly1305@openssh.com'),
      'hunter2',
      'a private key encrypted with aes256-ctr (chacha20-poly1305@openssh.com cannot be read; re-encrypt it: ssh-keygen -p -Z aes256-ctr -f <key>).',
    ],
  ])('is a fault: %s', (_, content, passphrase, expected) => {
    expect(sentencesOf(() => load(content, passphrase))).toEqual([
      `gateway.yaml:6:40 registries[0].credentials.key must be ${expected}`,
    ]);
  });
});

it('an absolute path stays what it is', () => {
  using folder = new ConfigFolder();
  const key = openSsh();
  const path = folder.write('id', key);
  const text = `${REGISTRY}    credentials: { type: ssh_key, key: ${join(path)} }`;
  expect(folder.load(text).registries[0]?.credentials).toMatchObject({ key });
});

/** The files that settings name: certificates, private keys, documents; read and tried when the configuration is. */
import { createPrivateKey, X509Certificate } from 'node:crypto';
import { closeSync, openSync, readSync } from 'node:fs';
import { resolve } from 'node:path';
import sshpk from 'sshpk';
import type { SourceDocument } from './document.ts';
import { entriesOf, memberOf, placeId } from './document.ts';
import type { ConfigFault, KeyPath } from './faults.ts';
import { readManifest } from './manifest.ts';

/** Bundles of certificates reach a few hundred kilobytes; no key and no password comes near. */
const MAX_FILE_BYTES = 1024 * 1024;

/** A thousand documents of the largest clients. */
const MAX_MANIFEST_BYTES = 16 * 1024 * 1024;

/** Contents by the path of the key that names the file, see `placeId`. */
export type FileContents = ReadonlyMap<string, string>;

/**
 * Reads every file that the configuration names and tries whether it is what its key wants. Paths start at the document's
 * folder. Reads nothing where nothing is named.
 */
export function readNamedFiles(document: SourceDocument): { contents: FileContents; faults: ConfigFault[] } {
  const contents = new Map<string, string>();
  const faults: (ConfigFault | null)[] = [];
  const read = (path: KeyPath, check: (content: string) => string | null, maxBytes = MAX_FILE_BYTES): void => {
    const value = document.valueAt(path);
    if (typeof value !== 'string' || value === '' || document.unresolved.has(placeId(path))) return;
    const file = resolve(document.folder, value);
    document.files.add(file);
    const content = readText(file, maxBytes);
    const expected = content.ok ? check(content.text) : `the path of a readable file (${content.reason})`;
    if (expected !== null) faults.push(document.complain(path, { expected, showGiven: content.ok === false }));
    if (content.ok) contents.set(placeId(path), content.text);
  };
  read(
    ['server', 'persistedDocuments', 'manifest'],
    (text) => {
      const documents = readManifest(text);
      return typeof documents === 'string' ? documents : null;
    },
    MAX_MANIFEST_BYTES,
  );
  entriesOf(memberOf(document.tree, 'registries')).forEach((_, index) => {
    const registry: KeyPath = ['registries', index];
    const tls: KeyPath = [...registry, 'tls'];
    read([...tls, 'ca'], checkCertificates);
    read([...tls, 'cert'], checkCertificates);
    read([...tls, 'key'], (text) => checkTlsKey(text, contents.get(placeId([...tls, 'cert'])) ?? null));
    if (document.valueAt([...registry, 'credentials', 'type']) !== 'ssh_key') return;
    const passphrase = document.valueAt([...registry, 'credentials', 'passphrase']);
    read([...registry, 'credentials', 'key'], (text) => checkSshKey(text, asText(passphrase)));
  });
  return { contents, faults: faults.filter((fault) => fault !== null) };
}

export type TextRead = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string };

/** The text of a file of at most `maxBytes`, also of a pipe; otherwise why there is none, in a few words. */
export function readText(path: string, maxBytes: number = MAX_FILE_BYTES): TextRead {
  let bytes: Uint8Array;
  try {
    bytes = readAtMost(path, maxBytes + 1);
  } catch (error) {
    return { ok: false, reason: reasonOf(error) };
  }
  if (bytes.length > maxBytes) return { ok: false, reason: `it is larger than ${maxBytes} bytes` };
  try {
    return { ok: true, text: new TextDecoder('utf-8', { fatal: true }).decode(bytes) };
  } catch (error) {
    if (error instanceof TypeError) return { ok: false, reason: 'it is no UTF-8 text' };
    throw error;
  }
}

function readAtMost(path: string, maxBytes: number): Uint8Array {
  const file = openSync(path, 'r');
  try {
    const chunks: Uint8Array[] = [];
    let total = 0;
    while (total < maxBytes) {
      const chunk = new Uint8Array(Math.min(65_536, maxBytes - total));
      const count = readSync(file, chunk);
      if (count === 0) break;
      chunks.push(chunk.subarray(0, count));
      total += count;
    }
    return Buffer.concat(chunks);
  } finally {
    closeSync(file);
  }
}

function reasonOf(error: unknown): string {
  const code = error instanceof Error && 'code' in error ? error.code : null;
  switch (code) {
    case 'ENOENT':
      return 'there is no such file';
    case 'EACCES':
      return 'it may not be read by this process';
    case 'EISDIR':
      return 'it is a folder';
    default:
      return typeof code === 'string' ? code : 'it cannot be read';
  }
}

function checkCertificates(text: string): string | null {
  const expected = 'the path of a PEM file with at least one certificate';
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.length > 0 && blocks.every((block) => parseOrNull(() => new X509Certificate(block)) !== null)
    ? null
    : expected;
}

function checkTlsKey(text: string, certificate: string | null): string | null {
  const key = parseOrNull(() => createPrivateKey(text));
  if (key === null) return 'the path of a PEM file with a private key that has no passphrase';
  const leaf = certificate === null ? null : parseOrNull(() => new X509Certificate(certificate));
  return leaf === null || leaf.checkPrivateKey(key) ? null : 'the path of the private key that belongs to cert';
}

/** The words of the parsers stay inside: they may quote what they read. */
function parseOrNull<T>(parse: () => T): T | null {
  try {
    return parse();
  } catch (error) {
    if (error instanceof Error) return null;
    throw error;
  }
}

const SSH_KEY_EXPECTED = 'the path of an OpenSSH or PEM private key (ed25519, rsa or ecdsa)';

function checkSshKey(text: string, passphrase: string | null): string | null {
  const options = passphrase === null ? {} : { passphrase };
  try {
    const key = sshpk.parsePrivateKey(text, 'auto', options);
    if (key.type === 'ed25519' || key.type === 'rsa' || key.type === 'ecdsa') return null;
    return SSH_KEY_EXPECTED;
  } catch (error) {
    return explainSshKey(text, passphrase, error);
  }
}

function explainSshKey(text: string, passphrase: string | null, error: unknown): string {
  const cipher = readOpenSshCipher(text);
  if (cipher !== null && /gcm|chacha20/.test(cipher)) {
    return `a private key encrypted with aes256-ctr (${cipher} cannot be read; re-encrypt it: ssh-keygen -p -Z aes256-ctr -f <key>)`;
  }
  const encrypted = (cipher !== null && cipher !== 'none') || /ENCRYPTED/.test(text);
  if (encrypted && passphrase === null) return 'a private key without passphrase, or have its passphrase beside it';
  if (encrypted && error instanceof Error) return 'a private key that its passphrase opens';
  return SSH_KEY_EXPECTED;
}

/** The cipher's name of an OpenSSH private key (PROTOCOL.key: after the magic, a counted text); null: no such key. */
function readOpenSshCipher(text: string): string | null {
  const body = /-----BEGIN OPENSSH PRIVATE KEY-----([^-]*)-----END/.exec(text)?.[1];
  if (body === undefined) return null;
  const bytes = Buffer.from(body, 'base64');
  const magic = 'openssh-key-v1\0';
  if (bytes.toString('latin1', 0, magic.length) !== magic || bytes.length < magic.length + 4) return null;
  const length = bytes.readUInt32BE(magic.length);
  return bytes.toString('latin1', magic.length + 4, magic.length + 4 + Math.min(length, 64));
}

function asText(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

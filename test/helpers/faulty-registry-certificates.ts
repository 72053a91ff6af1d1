import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';

/** A key pair with its certificate, both PEM. */
export interface TestCertificate {
  readonly cert: string;
  readonly key: string;
}

/** An authority made for one test run, and what it can issue. */
export interface TestAuthority {
  /** PEM of the authority's own certificate: what a client must trust. */
  readonly ca: string;
  issue(options: IssueOptions): TestCertificate;
}

interface IssueOptions {
  /** Common name; also what a client certificate is recognised by. */
  readonly commonName: string;
  readonly dnsNames?: readonly string[];
  readonly ipAddresses?: readonly string[];
  readonly validFrom?: Date;
  readonly validTo?: Date;
}

const DAY_MS = 86_400_000;

/**
 * Makes a certificate authority in memory: X.509 v3 in DER written by hand (RFC 5280), so that the tests need no program
 * beside Node.
 */
export function createTestAuthority(commonName = 'Faulty Registry Test Authority'): TestAuthority {
  const authority = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = encodeName(commonName);
  const ca = signCertificate({
    subject: issuer,
    issuer,
    publicKey: authority.publicKey,
    issuerKey: authority.privateKey,
    validFrom: new Date(Date.now() - DAY_MS),
    validTo: new Date(Date.now() + 30 * DAY_MS),
    extensions: [basicConstraints(true), keyUsage(0x06, 1), subjectKeyId(authority.publicKey)],
  });
  return {
    ca,
    issue(options) {
      const leaf = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const cert = signCertificate({
        subject: encodeName(options.commonName),
        issuer,
        publicKey: leaf.publicKey,
        issuerKey: authority.privateKey,
        validFrom: options.validFrom ?? new Date(Date.now() - DAY_MS),
        validTo: options.validTo ?? new Date(Date.now() + 7 * DAY_MS),
        extensions: [
          basicConstraints(false),
          subjectAltNames(options.dnsNames ?? [], options.ipAddresses ?? []),
          subjectKeyId(leaf.publicKey),
        ],
      });
      return { cert, key: leaf.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() };
    },
  };
}

interface CertificateParts {
  readonly subject: Buffer;
  readonly issuer: Buffer;
  readonly publicKey: KeyObject;
  readonly issuerKey: KeyObject;
  readonly validFrom: Date;
  readonly validTo: Date;
  readonly extensions: readonly Buffer[];
}

function signCertificate(parts: CertificateParts): string {
  const ecdsaWithSha256 = sequence(objectId('2a8648ce3d040302'));
  const serial = randomBytes(12);
  serial[0] = 0x11;
  const body = sequence(
    tagged(0xa0, tagged(0x02, Buffer.from([2]))),
    tagged(0x02, serial),
    ecdsaWithSha256,
    parts.issuer,
    sequence(encodeTime(parts.validFrom), encodeTime(parts.validTo)),
    parts.subject,
    Buffer.from(parts.publicKey.export({ type: 'spki', format: 'der' })),
    tagged(0xa3, sequence(...parts.extensions)),
  );
  const signature = sign('sha256', body, { key: parts.issuerKey, dsaEncoding: 'der' });
  const der = sequence(body, ecdsaWithSha256, bitString(signature, 0));
  const lines = der.toString('base64').match(/.{1,64}/g) ?? [];
  return `-----BEGIN CERTIFICATE-----\n${lines.join('\n')}\n-----END CERTIFICATE-----\n`;
}

function tagged(tag: number, content: Buffer): Buffer {
  const { length } = content;
  const size =
    length < 0x80
      ? Buffer.from([length])
      : length < 0x100
        ? Buffer.from([0x81, length])
        : Buffer.from([0x82, length >> 8, length & 0xff]);
  return Buffer.concat([Buffer.from([tag]), size, content]);
}

function sequence(...parts: readonly Buffer[]): Buffer {
  return tagged(0x30, Buffer.concat(parts));
}

function objectId(hex: string): Buffer {
  return tagged(0x06, Buffer.from(hex, 'hex'));
}

function bitString(content: Buffer, unusedBits: number): Buffer {
  return tagged(0x03, Buffer.concat([Buffer.from([unusedBits]), content]));
}

function encodeName(commonName: string): Buffer {
  return sequence(tagged(0x31, sequence(objectId('550403'), tagged(0x0c, Buffer.from(commonName, 'utf8')))));
}

/** UTCTime: enough until 2049. */
function encodeTime(time: Date): Buffer {
  const digits = time.toISOString().replace(/[-:T]/g, '').slice(2, 14);
  return tagged(0x17, Buffer.from(`${digits}Z`, 'ascii'));
}

function extension(id: string, critical: boolean, value: Buffer): Buffer {
  const flags = critical ? [tagged(0x01, Buffer.from([0xff]))] : [];
  return sequence(objectId(id), ...flags, tagged(0x04, value));
}

function basicConstraints(authority: boolean): Buffer {
  return extension('551d13', true, sequence(...(authority ? [tagged(0x01, Buffer.from([0xff]))] : [])));
}

function keyUsage(bits: number, unusedBits: number): Buffer {
  return extension('551d0f', true, bitString(Buffer.from([bits]), unusedBits));
}

function subjectKeyId(publicKey: KeyObject): Buffer {
  const digest = createHash('sha1')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest();
  return extension('551d0e', false, tagged(0x04, digest));
}

function subjectAltNames(dnsNames: readonly string[], ipAddresses: readonly string[]): Buffer {
  const names = dnsNames.map((name) => tagged(0x82, Buffer.from(name, 'ascii')));
  const addresses = ipAddresses.map((address) => tagged(0x87, Buffer.from(address.split('.').map(Number))));
  return extension('551d11', false, sequence(...names, ...addresses));
}

/**
 * Public keys as OpenSSH writes them (RFC 4253, 5656, 8709): one line of type, base64 and comment.
 */
import { createPublicKey, hash, type KeyObject } from 'node:crypto';

export interface SshPublicKey {
  readonly key: KeyObject;
  /** As `ssh-keygen -l` shows it: "SHA256:" and unpadded base64. */
  readonly fingerprint: string;
}

/** The curves by what SSH calls them: JWK's name, and the bytes of one coordinate. */
const CURVES: Readonly<Record<string, { readonly crv: string; readonly bytes: number }>> = {
  nistp256: { crv: 'P-256', bytes: 32 },
  nistp384: { crv: 'P-384', bytes: 48 },
};

/** Reads one line. Throws an Error when it is no public key of a kind that this program knows. */
export function readSshPublicKey(line: string): SshPublicKey {
  const [type = '', base64 = ''] = line.trim().split(/\s+/);
  const blob = Buffer.from(base64, 'base64');
  const fields = readFields(blob);
  if (fields[0]?.toString('latin1') !== type) throw new Error('the key is not of the type that its line says');
  const key = createPublicKey({ key: toJwk(type, fields), format: 'jwk' });
  return { key, fingerprint: `SHA256:${hash('sha256', blob, 'base64').replace(/=+$/, '')}` };
}

/** The fields of a blob: each a length of four bytes, then as many bytes. */
function readFields(blob: Buffer): readonly Buffer[] {
  const fields: Buffer[] = [];
  let offset = 0;
  while (offset < blob.byteLength) {
    const end = offset + 4 + (offset + 4 <= blob.byteLength ? blob.readUInt32BE(offset) : 0);
    if (end > blob.byteLength || offset + 4 > blob.byteLength) throw new Error('the key is cut off');
    fields.push(blob.subarray(offset + 4, end));
    offset = end;
  }
  return fields;
}

function toJwk(type: string, [, first, second]: readonly Buffer[]) {
  if (first === undefined) throw new Error('the key has no value');
  switch (type) {
    case 'ssh-ed25519':
      return { kty: 'OKP', crv: 'Ed25519', x: first.toString('base64url') };
    case 'ssh-rsa':
      return { kty: 'RSA', e: toUnsigned(first), n: toUnsigned(second) };
    default:
      return toCurveJwk(type, first.toString('latin1'), second);
  }
}

function toCurveJwk(type: string, curveName: string, point: Buffer | undefined) {
  const curve = CURVES[curveName];
  // 4 says that both coordinates follow, uncompressed.
  if (type !== `ecdsa-sha2-${curveName}` || curve === undefined || point?.[0] !== 4) {
    throw new Error('the key is of a kind that is not known here');
  }
  const x = point.subarray(1, 1 + curve.bytes).toString('base64url');
  return { kty: 'EC', crv: curve.crv, x, y: point.subarray(1 + curve.bytes).toString('base64url') };
}

/** SSH writes numbers signed: a leading zero byte keeps a large one from being negative. */
function toUnsigned(number: Buffer | undefined): string {
  if (number === undefined) throw new Error('the key is cut off');
  return (number[0] === 0 ? number.subarray(1) : number).toString('base64url');
}

import { constants, createPrivateKey, type KeyObject, randomBytes, sign } from 'node:crypto';
import { createSignatureSync, type SignerSync } from 'http-message-sig';
import sshpk from 'sshpk';

/** One label is enough: a request carries one signature of ours. */
const LABEL = 'sig1';

/**
 * Reads a private key (OpenSSH, or PEM) and gives what signs requests with it as RFC 9421 has it and the protocol asks
 * (contract 4): `"@method" "@target-uri"`, and `"content-digest"` of a request that has a body, with `created`, a fresh
 * `nonce`, `keyid` and `alg`. `keyid` is the fingerprint as `ssh-keygen -l` prints it, "SHA256:" and unpadded base64. Throws
 * an Error that names the registry and says what to do when the key cannot be read; nothing of the key is in it.
 */
export function createRequestSigner(registryName: string, keyText: string, passphrase: string | null) {
  const key = readPrivateKey(registryName, keyText, passphrase);
  const keyId = key.toPublic().fingerprint('sha256').toString();
  const signer = createSigner(registryName, createPrivateKey(key.toBuffer('pkcs8')));

  return (method: string, targetUri: string, contentDigest: string | null): Record<string, string> => {
    const covered = contentDigest === null ? [] : [{ name: 'content-digest', value: contentDigest }];
    const fields = createSignatureSync(
      { kind: 'request', method, targetUri, fields: covered },
      {
        label: LABEL,
        components: ['@method', '@target-uri', ...covered.map(({ name }) => name)],
        parameters: {
          created: Math.floor(Date.now() / 1000),
          nonce: randomBytes(18).toString('base64url'),
          keyid: keyId,
          alg: signer.algorithm,
        },
        signer,
      },
    );
    return { signature: fields.signature, 'signature-input': fields.signatureInput };
  };
}

function readPrivateKey(registryName: string, keyText: string, passphrase: string | null): sshpk.PrivateKey {
  try {
    return sshpk.parsePrivateKey(keyText, 'auto', passphrase === null ? {} : { passphrase });
  } catch (error) {
    throw new Error(
      `The SSH key of the registry "${registryName}" must be a private key of type ed25519, rsa or ecdsa that its ` +
        `passphrase opens; it could not be read (${error instanceof Error ? error.name : 'unknown'}). An encrypted key ` +
        'must use aes256-ctr: write it anew with ssh-keygen -p -Z aes256-ctr.',
      { cause: error },
    );
  }
}

/** The algorithm of RFC 9421, 3.3, that fits the key. */
function createSigner(registryName: string, key: KeyObject): SignerSync {
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return { algorithm: 'ed25519', sign: (data) => sign(null, data, key) };
    case 'rsa': {
      const padding = { key, padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 };
      return { algorithm: 'rsa-pss-sha512', sign: (data) => sign('sha512', data, padding) };
    }
    case 'ec':
      if (key.asymmetricKeyDetails?.namedCurve === 'prime256v1')
        return createEcdsaSigner('ecdsa-p256-sha256', 'sha256', key);
      if (key.asymmetricKeyDetails?.namedCurve === 'secp384r1')
        return createEcdsaSigner('ecdsa-p384-sha384', 'sha384', key);
  }
  throw new Error(
    `The SSH key of the registry "${registryName}" must be of type ed25519, rsa or ecdsa (nistp256, nistp384); ` +
      `it is ${key.asymmetricKeyType ?? 'of an unknown type'}. Make one with ssh-keygen -t ed25519.`,
  );
}

/** RFC 9421 wants r and s side by side, not DER. */
function createEcdsaSigner(algorithm: string, hash: string, key: KeyObject): SignerSync {
  return { algorithm, sign: (data) => sign(hash, data, { key, dsaEncoding: 'ieee-p1363' }) };
}

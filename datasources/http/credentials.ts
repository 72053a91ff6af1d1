import type { Credentials } from '../../src/config/config.ts';
import type { CallerToken } from '../../src/domain/caller-token.ts';
import { createRequestSigner } from './signatures.ts';

/**
 * Gives the headers that authorise one request to this URL; made for each request anew, since signatures are.
 * `contentDigest`: the field of that name, of a request that has a body.
 */
export type Authorize = (
  method: string,
  targetUri: string,
  contentDigest: string | null,
  /** Of the caller in whose name it is made; absent: nobody's. */
  token?: CallerToken,
) => Record<string, string>;

/**
 * Makes the headers of a registry's `credentials` (contract 2). Throws, with the registry's name and what to do, when an
 * SSH key cannot be read: at the start and not at the first search.
 */
export function createAuthorize(registryName: string, credentials: Credentials | null): Authorize {
  if (credentials === null) return () => ({});
  switch (credentials.type) {
    case 'token': {
      const headers = { authorization: `Bearer ${credentials.token}` };
      return () => headers;
    }
    case 'basic': {
      const pair = Buffer.from(`${credentials.username}:${credentials.password}`, 'utf8').toString('base64');
      const headers = { authorization: `Basic ${pair}` };
      return () => headers;
    }
    case 'passthrough':
      return (_method, _targetUri, _contentDigest, token) =>
        token === undefined ? {} : { authorization: `Bearer ${token.reveal()}` };
    case 'ssh_key':
      return createRequestSigner(registryName, credentials.key, credentials.passphrase);
  }
}

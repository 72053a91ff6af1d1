/** Everything in a configuration that nobody may read off the gateway. */
import type { Config, Credentials, RegistryConfig } from './config.ts';

/** The secrets themselves, and the forms in which they are sent. */
export function listSecrets(config: Pick<Config, 'server' | 'registries' | 'redisUrl' | 'storage'>): readonly string[] {
  return [
    ...config.server.secrets,
    ...(config.storage.kind === 'postgres' ? listOfAddress(config.storage.url) : []),
    ...(config.redisUrl === null ? [] : listOfAddress(config.redisUrl)),
    ...config.registries.flatMap(listOfRegistry),
  ];
}

function listOfRegistry({ credentials, webhook, proxy, tls }: RegistryConfig): string[] {
  return [
    ...(credentials === null ? [] : listOfCredentials(credentials)),
    ...(webhook === null ? [] : [webhook.secret]),
    ...(proxy === null ? [] : listOfAddress(proxy)),
    ...(tls?.key ? [tls.key] : []),
  ];
}

function listOfCredentials(credentials: Credentials): string[] {
  switch (credentials.type) {
    case 'token':
      return [credentials.token];
    case 'basic': {
      const { username, password } = credentials;
      return [password, Buffer.from(`${username}:${password}`).toString('base64')];
    }
    case 'passthrough':
      return [];
    case 'ssh_key':
      return credentials.passphrase === null ? [credentials.key] : [credentials.key, credentials.passphrase];
  }
}

/** The password of an address. */
function listOfAddress(address: string): string[] {
  const password = URL.parse(address)?.password ?? '';
  if (password === '') return [];
  try {
    return [password, decodeURIComponent(password)];
  } catch {
    // A percent sign that stands for itself.
    return [password];
  }
}

/** Who opens a WebSocket: a page cannot give it headers, and says it in its first message instead. */
import type { Credentials } from '../access/authenticate.ts';
import { Unauthenticated } from '../access/errors.ts';

/**
 * `sent`: with the request; the other: `connectionParams` of the first message. Both may say the same. Throws Unauthenticated
 * where they differ: whose rights would count?
 */
export function joinCredentials(sent: Credentials, { authorization, apiKey }: Record<string, unknown>): Credentials {
  return {
    authorization: joinOne(sent.authorization, authorization, 'authorization'),
    apiKey: joinOne(sent.apiKey, apiKey, 'apiKey'),
  };
}

function joinOne(sent: string | undefined, given: unknown, name: string): string | undefined {
  if (given === undefined || given === null || given === sent) return sent;
  if (typeof given === 'string' && sent === undefined) return given;
  throw new Unauthenticated(
    `"${name}" of the connection must be text, and what the header says where there is one.`,
    'INVALID',
  );
}

/** Pages of other sites. */
import type { IncomingMessage } from 'node:http';

/**
 * Whether a request was sent by a page of another site. Browsers let any page open a WebSocket anywhere, with no question
 * asked first, and say in `Origin` whose it is (RFC 6455, section 10.2). Programs that are no browsers say nothing.
 */
export function isForeign({ headers }: Pick<IncomingMessage, 'headers'>): boolean {
  const { origin, host } = headers;
  if (origin === undefined) return false;
  // "null" is the origin of a page that belongs to nobody, a sandboxed frame say.
  const given = URL.canParse(origin) ? new URL(origin) : null;
  if (given === null || host === undefined) return true;
  // A port that is the scheme's own is left out by the one, and may be named by the other.
  const own = `${given.protocol}//${host}`;
  return !URL.canParse(own) || new URL(own).host !== given.host;
}

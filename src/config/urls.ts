/** What an address in the configuration may look like. Private and link-local hosts are fine: the operator named them. */
import { isIP, isIPv6 } from 'node:net';

export const HOST_PORT = 'host:port, or [address]:port for IPv6, such as 127.0.0.1:9464';

/** What a registry's URL must be instead; null: it may be used. Whether plain http is allowed is asked elsewhere. */
export function checkRegistryUrl(value: string): string | null {
  const url = parseHttpUrl(value);
  if (url === null) return 'an absolute http or https URL';
  if (url.username !== '' || url.password !== '') return 'a URL without credentials in it (use the key credentials)';
  if (url.search !== '' || url.hash !== '' || /[?#]/.test(value)) return 'a URL without query and fragment';
  return null;
}

/** What a proxy's URL must be instead; null: it may be used. A user name and password are part of it where it asks for them. */
export function checkProxyUrl(value: string): string | null {
  const url = parseHttpUrl(value);
  if (url === null) return 'the http or https URL of a proxy';
  return url.pathname !== '/' || url.search !== '' || url.hash !== ''
    ? 'the URL of a proxy, without path and query'
    : null;
}

/**
 * What the URL of an issuer of tokens, or of its keys, must be instead; null: it may be used. Plain http is for loopback: keys
 * that somebody on the way could exchange prove nothing.
 */
export function checkIssuerUrl(value: string): string | null {
  const url = parseHttpUrl(value);
  if (url === null) return 'an absolute https URL';
  if (url.protocol === 'http:' && !isLoopback(url)) return 'an https URL (plain http is for loopback only)';
  if (url.username !== '' || url.password !== '' || url.hash !== '') return 'a URL without credentials and fragment';
  return null;
}

/** What an origin of pages must be instead; null: it may be used. RFC 6454, section 6.2: as browsers send it. */
export function checkOrigin(value: string): string | null {
  if (value === '*') return null;
  const url = parseHttpUrl(value);
  return url?.origin === value ? null : 'an origin such as https://portal.example.org, without a path, or *';
}

/** What an address or network must be instead; null: it may be used. RFC 4632, section 3.1; RFC 4291, section 2.3. */
export function checkNetwork(value: string): string | null {
  const [address = '', bits, ...more] = value.split('/');
  const family = isIP(address);
  const areBitsRight = bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 4 ? 32 : 128));
  return family !== 0 && more.length === 0 && areBitsRight ? null : 'an address or a network such as 10.0.0.0/8';
}

/** The URL, where the text is an absolute one of http or https without blanks that parsing would silently drop. */
export function parseHttpUrl(value: string): URL | null {
  if (!/^https?:\/\/[^/]/i.test(value) || /[\s\p{Cc}\\]/u.test(value) || !URL.canParse(value)) return null;
  return new URL(value);
}

/** Says whether a URL's host is this machine: 127.0.0.0/8, ::1 or localhost. */
export function isLoopback(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127\.\d+\.\d+\.\d+$/.test(url.hostname);
}

/** Whether it is the address of a Redis server, with a database's number at most behind the host. */
export function isRedisUrl(value: string): boolean {
  if (!/^rediss?:\/\/[^/]/i.test(value) || /[\s\p{Cc}\\]/u.test(value)) return false;
  const url = URL.parse(value);
  return url !== null && url.hostname !== '' && /^(?:\/\d{0,3})?$/.test(url.pathname) && !/[?#]/.test(value);
}

/** What a place to listen at must be instead; null: it may be used. */
export function checkHostPort(value: string): string | null {
  return parseHostPort(value) === null ? HOST_PORT : null;
}

/** The host (IPv6 without brackets) and the port, 0 to 65535; null where the text is none. */
export function parseHostPort(value: string): { readonly host: string; readonly port: number } | null {
  const [, address, name, digits = ''] = /^(?:\[([^\]]+)\]|([\p{L}\p{N}._-]{1,255})):(\d{1,5})$/u.exec(value) ?? [];
  const port = Number(digits);
  const host = address === undefined ? name : isIPv6(address) ? address : undefined;
  return host === undefined || port > 65_535 ? null : { host, port };
}

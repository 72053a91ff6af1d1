/** Which client a request comes from, for counting those that say nothing else of who they are. */
import { BlockList, isIP, isIPv4, isIPv6 } from 'node:net';

/** Reads the address, as a key: equal for what has to be counted as one. */
export type ReadClientAddress = (peer: string | undefined, forwardedFor: string | undefined) => string;

/** Hops that are looked at: more of them are no path, but an attempt. */
const MAX_HOPS = 16;

/**
 * `trustedProxies`: addresses and networks ("10.0.0.0/8") whose `X-Forwarded-For` is believed. It is read from its end, as far as
 * those who wrote it are trusted: what stands before that can be anybody's word.
 */
export function createClientAddressReader(trustedProxies: readonly string[]): ReadClientAddress {
  if (trustedProxies.length === 0) return (peer) => toKey(peer ?? '');
  const trusted = new BlockList();
  for (const each of trustedProxies) addNetwork(trusted, each);
  const isTrusted = (address: string) =>
    isIP(address) !== 0 && trusted.check(address, isIPv4(address) ? 'ipv4' : 'ipv6');
  return (peer, forwardedFor) => {
    let address = plainAddress(peer ?? '');
    if (forwardedFor === undefined) return toKey(address);
    const hops = forwardedFor.split(',').slice(-MAX_HOPS);
    while (isTrusted(address)) {
      const hop = plainAddress(hops.pop()?.trim() ?? '');
      if (isIP(hop) === 0) break;
      address = hop;
    }
    return toKey(address);
  };
}

function addNetwork(list: BlockList, text: string): void {
  const [address = '', bits] = text.split('/');
  const family = isIPv4(address) ? 'ipv4' : 'ipv6';
  if (bits === undefined) list.addAddress(address, family);
  else list.addSubnet(address, Number(bits), family);
}

/** Without a zone, a port or brackets, and an IPv4 address in an IPv6 one as what it is. */
function plainAddress(text: string): string {
  const bare =
    /^\[([^\]]*)\](?::\d+)?$/.exec(text)?.[1] ?? (/^[\d.]+:\d+$/.test(text) ? text.replace(/:\d+$/, '') : text);
  return bare.replace(/%.*$/, '').replace(/^::ffff:(?=\d+\.)/i, '');
}

/** RFC 6177: whoever has one address of IPv6 has the 2^64 beside it, and they are counted as one. */
function toKey(text: string): string {
  const address = plainAddress(text);
  if (!isIPv6(address)) return address;
  const [head = '', tail] = address.toLowerCase().split('::');
  const first = head === '' ? [] : head.split(':');
  const last = tail === undefined || tail === '' ? [] : tail.split(':');
  const missing = tail === undefined ? 0 : Math.max(0, 8 - first.length - last.length);
  const groups = [...first, ...Array.from({ length: missing }, () => '0'), ...last];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}

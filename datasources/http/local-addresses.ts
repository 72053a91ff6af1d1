import { lookup as lookupSystem } from 'node:dns';
import { BlockList, type LookupFunction } from 'node:net';

/**
 * RFC 6890 and its kin: addresses that mean something only inside a host or on a link, or that no registry can have. Those of
 * an organisation (RFC 1918, RFC 4193) are not among them: an institution's registries live there, and the configuration
 * names their hosts.
 */
const LOCAL = new BlockList();
for (const [network, prefix] of [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['192.0.0.0', 24],
  ['198.18.0.0', 15],
  ['224.0.0.0', 4],
  ['240.0.0.0', 4],
] as const) {
  LOCAL.addSubnet(network, prefix, 'ipv4');
}
for (const [network, prefix] of [
  ['::', 127],
  ['64:ff9b:1::', 48],
  ['fe80::', 10],
  ['ff00::', 8],
] as const) {
  LOCAL.addSubnet(network, prefix, 'ipv6');
}

/** Says whether an IP address is loopback, link-local, multicast or reserved; IPv4 inside IPv6 counts as IPv4. */
export function isLocalAddress(address: string, family: number): boolean {
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(address)?.[1];
  if (mapped !== undefined) return LOCAL.check(mapped, 'ipv4');
  return LOCAL.check(address, family === 6 ? 'ipv6' : 'ipv4');
}

/**
 * Wraps a resolver so that a name which leads to such an address is refused: the check is of the very addresses that
 * are then connected to, so that a second answer of the DNS changes nothing. Hosts that the configuration gives as an
 * address are never resolved; `localhost` is what it says.
 */
export function guardLookup(lookup: LookupFunction = lookupSystem): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      if (error !== null || isLocalName(hostname)) {
        callback(error, address, family);
        return;
      }
      const found = typeof address === 'string' ? [{ address, family: family ?? 4 }] : address;
      const refused = found.find((entry) => isLocalAddress(entry.address, entry.family));
      if (refused === undefined) callback(null, address, family);
      else callback(refusal(hostname, refused.address), [], 0);
    });
  };
}

function isLocalName(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost');
}

function refusal(hostname: string, address: string): NodeJS.ErrnoException {
  const error: NodeJS.ErrnoException = new Error(
    `"${hostname}" must lead to an address beyond this host and its link, it leads to ${address}. ` +
      "Write the address itself into the registry's url if it is meant.",
  );
  error.code = 'EPRIVATEADDRESS';
  return error;
}

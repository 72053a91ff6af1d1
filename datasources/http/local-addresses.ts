import { lookup as lookupSystem } from 'node:dns';
import { BlockList, isIPv4, isIPv6, type LookupFunction } from 'node:net';

/**
 * What an address is good for. LOCAL: it means something only inside a host or on a link, or no registry can have it (RFC 6890
 * and its kin). PRIVATE: it is one of an organisation's own network (RFC 1918, RFC 4193, RFC 6598). PUBLIC: all others.
 */
export type AddressKind = 'PUBLIC' | 'PRIVATE' | 'LOCAL';

const LOCAL = blockListOf({
  ipv4: [
    ['0.0.0.0', 8],
    ['127.0.0.0', 8],
    // Link-local, the metadata services of clouds among them.
    ['169.254.0.0', 16],
    ['192.0.0.0', 24],
    // For documents (RFC 5737), the relays of 6to4 (RFC 7526), and measurements (RFC 2544).
    ['192.0.2.0', 24],
    ['192.88.99.0', 24],
    ['198.18.0.0', 15],
    ['198.51.100.0', 24],
    ['203.0.113.0', 24],
    ['224.0.0.0', 4],
    ['240.0.0.0', 4],
  ],
  ipv6: [
    ['::', 127],
    ['64:ff9b:1::', 48],
    ['100::', 64],
    ['2001:db8::', 32],
    ['3fff::', 20],
    ['5f00::', 16],
    ['fe80::', 10],
    ['fec0::', 10],
    ['ff00::', 8],
  ],
});

const PRIVATE = blockListOf({
  ipv4: [
    ['10.0.0.0', 8],
    ['172.16.0.0', 12],
    ['192.168.0.0', 16],
    ['100.64.0.0', 10],
  ],
  ipv6: [['fc00::', 7]],
});

type Networks = readonly (readonly [string, number])[];

function blockListOf(networks: { readonly ipv4: Networks; readonly ipv6: Networks }): BlockList {
  const list = new BlockList();
  for (const [network, prefix] of networks.ipv4) list.addSubnet(network, prefix, 'ipv4');
  for (const [network, prefix] of networks.ipv6) list.addSubnet(network, prefix, 'ipv6');
  return list;
}

/**
 * Says what an IP address is good for. An IPv6 address that stands for an IPv4 address, or leads to one, is as good as that one.
 * What is no address at all is LOCAL: nothing is to be connected to it.
 */
export function classifyAddress(address: string): AddressKind {
  // "fe80::1%eth0": the zone says on which link.
  const [plain = ''] = address.split('%', 1);
  if (isIPv4(plain)) return classify(plain, 'ipv4');
  if (!isIPv6(plain)) return 'LOCAL';
  const kind = classify(plain, 'ipv6');
  if (kind !== 'PUBLIC') return kind;
  const inner = readInnerAddress(parseGroups(plain));
  return inner === null ? kind : classify(inner, 'ipv4');
}

function classify(address: string, family: 'ipv4' | 'ipv6'): AddressKind {
  if (LOCAL.check(address, family)) return 'LOCAL';
  return PRIVATE.check(address, family) ? 'PRIVATE' : 'PUBLIC';
}

/** The eight groups of an IPv6 address. */
function parseGroups(address: string): readonly number[] {
  // The dotted end of "::ffff:127.0.0.1" is two groups.
  const hexadecimal = address.replace(
    /(\d+)\.(\d+)\.(\d+)\.(\d+)$/,
    (_, a: string, b: string, c: string, d: string) => {
      const group = (high: string, low: string) => (Number(high) * 256 + Number(low)).toString(16);
      return `${group(a, b)}:${group(c, d)}`;
    },
  );
  const [before = '', after] = hexadecimal.split('::');
  const toGroups = (text: string) => (text === '' ? [] : text.split(':').map((group) => Number.parseInt(group, 16)));
  const [left, right] = [toGroups(before), toGroups(after ?? '')];
  return after === undefined ? left : [...left, ...new Array(8 - left.length - right.length).fill(0), ...right];
}

/** The IPv4 address that an IPv6 address stands for or is a way to; null: none. */
function readInnerAddress(groups: readonly number[]): string | null {
  const [a = 0, b = 0, c = 0, d = 0, e = 0, f = 0, g = 0, h = 0] = groups;
  const isZeroTo = (count: number) => groups.slice(0, count).every((group) => group === 0);
  // Mapped (::ffff:0:0/96), translated (::ffff:0:0:0/96, RFC 2765) and compatible (::/96, RFC 4291, 2.5.5).
  if (isZeroTo(5) && (f === 0xffff || f === 0)) return toDotted(g, h);
  if (isZeroTo(4) && e === 0xffff && f === 0) return toDotted(g, h);
  // NAT64 (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380, inverted), ISATAP (RFC 5214).
  if (a === 0x64 && b === 0xff9b && groups.slice(2, 6).every((group) => group === 0)) return toDotted(g, h);
  if (a === 0x2002) return toDotted(b, c);
  if (a === 0x2001 && b === 0) return toDotted(g ^ 0xffff, h ^ 0xffff);
  if ((e & 0xfcff) === 0 && f === 0x5efe && d !== undefined) return toDotted(g, h);
  return null;
}

function toDotted(high: number, low: number): string {
  return `${high >> 8}.${high & 0xff}.${low >> 8}.${low & 0xff}`;
}

/**
 * Wraps a resolver so that a name which leads to an address inside is refused: to a LOCAL one always, to a PRIVATE one unless
 * that is allowed. The check is of the very addresses that are then connected to, so that a second answer of the DNS changes
 * nothing; one such address among others spoils them all. Hosts that the configuration gives as an address are never resolved;
 * `localhost` leads to this host, and nowhere else.
 */
export function guardLookup(allowsPrivate: boolean, lookup: LookupFunction = lookupSystem): LookupFunction {
  return (hostname, options, callback) => {
    lookup(hostname, options, (error, address, family) => {
      if (error !== null) {
        callback(error, address, family);
        return;
      }
      const found = typeof address === 'string' ? [address] : address.map((entry) => entry.address);
      const refused = found.find((entry) => !isAllowed(hostname, entry, allowsPrivate));
      if (refused === undefined) callback(null, address, family);
      else callback(refusal(hostname, refused), [], 0);
    });
  };
}

function isAllowed(hostname: string, address: string, allowsPrivate: boolean): boolean {
  // RFC 6761, 6.3: these names are of this host, whatever a resolver says.
  if (hostname === 'localhost' || hostname.endsWith('.localhost')) return /^127\.|^::1$/.test(address);
  switch (classifyAddress(address)) {
    case 'PUBLIC':
      return true;
    case 'PRIVATE':
      return allowsPrivate;
    case 'LOCAL':
      return false;
  }
}

function refusal(hostname: string, address: string): NodeJS.ErrnoException {
  const meant =
    classifyAddress(address) === 'PRIVATE'
      ? 'Set allowPrivateNetwork: true for the registry if it is meant.'
      : "Write the address itself into the registry's url if it is meant.";
  const error: NodeJS.ErrnoException = new Error(
    `"${hostname}" must lead to a public address, it leads to ${address}. ${meant}`,
  );
  error.code = 'EPRIVATEADDRESS';
  return error;
}

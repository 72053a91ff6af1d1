import type { LookupFunction } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { type Dispatcher, Pool, ProxyAgent } from 'undici';
import type { RegistryConfig } from '../../src/config/config.ts';
import type { CertificateView } from '../../src/domain/registry.ts';
import { inspectCertificate } from './inspect-certificate.ts';
import { guardLookup } from './local-addresses.ts';

/** Without a limiter: more connections to one registry than this help nobody. */
const MAX_CONNECTIONS = 128;
/** Longer than the pause between a reader's pages; a server's own Keep-Alive hint goes before it. */
const KEEP_ALIVE_MS = 30_000;

/** The connections to one registry's origin. */
export interface Connections {
  readonly dispatcher: Dispatcher;
  /** The certificate that the registry presented last; null: none was seen. */
  readCertificate(): CertificateView | null;
  /**
   * Looks at the certificate that it presents now, trusted or not, over a connection that carries nothing else. Through a
   * proxy only calls show it. Never rejects.
   */
  inspectCertificate(timeoutMs: number): Promise<void>;
  /** Cuts what is open. */
  close(): Promise<void>;
}

/**
 * Opens (lazily) the connections to a registry: kept alive, with its own authority, client certificate and server name,
 * through its proxy when it has one. HTTP/1.1 alone: a registry answers small requests, and one slow stream must not hold
 * up the others of its connection. `lookup` stands for the system's resolver.
 */
export function openConnections(config: RegistryConfig, lookup?: LookupFunction): Connections {
  let certificate: CertificateView | null = null;
  const tls = {
    // Both are Node's defaults as long as no variable or flag of the process says otherwise: here none may.
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2' as const,
    ...(config.tls?.ca != null && { ca: config.tls.ca }),
    ...(config.tls?.cert != null && { cert: config.tls.cert }),
    ...(config.tls?.key != null && { key: config.tls.key }),
    ...(config.tls?.servername != null && { servername: config.tls.servername }),
    checkServerIdentity: (host: string, peer: PeerCertificate) => {
      certificate = toCertificateView(peer);
      return checkServerIdentity(host, peer);
    },
  };
  const common = {
    connections: config.rateLimit?.concurrent ?? MAX_CONNECTIONS,
    allowH2: false,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // The timeout layer measures whole attempts; undici's timers are coarse above a second.
    headersTimeout: 0,
    bodyTimeout: 0,
    connectTimeout: config.timeouts.connect,
  };
  const dispatcher =
    config.proxy === null
      ? new Pool(new URL(config.url).origin, {
          ...common,
          connect: {
            ...tls,
            timeout: config.timeouts.connect,
            lookup: guardLookup(config.allowPrivateNetwork, lookup),
          },
        })
      : new ProxyAgent({
          ...common,
          uri: config.proxy,
          requestTls: { ...tls, timeout: config.timeouts.connect },
          proxyTls: { rejectUnauthorized: true, minVersion: 'TLSv1.2' as const, timeout: config.timeouts.connect },
        });
  return {
    dispatcher,
    readCertificate: () => certificate,
    async inspectCertificate(timeoutMs) {
      const url = new URL(config.url);
      if (url.protocol !== 'https:' || config.proxy !== null) return;
      const peer = await inspectCertificate(
        url,
        { ...tls, lookup: guardLookup(config.allowPrivateNetwork, lookup) },
        timeoutMs,
      );
      if (peer !== null) certificate = toCertificateView(peer);
    },
    close: () => dispatcher.destroy(),
  };
}

function toCertificateView(peer: PeerCertificate): CertificateView {
  return {
    subject: describeName(peer.subject),
    issuer: describeName(peer.issuer),
    validFromMs: Date.parse(peer.valid_from),
    validToMs: Date.parse(peer.valid_to),
  };
}

function describeName(name: PeerCertificate['subject']): string {
  const parts = [name.CN, name.O, name.C].flat().filter((part) => typeof part === 'string' && part !== '');
  return parts.join(', ').slice(0, 200);
}

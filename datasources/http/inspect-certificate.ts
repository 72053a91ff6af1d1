import { isIP } from 'node:net';
import { type ConnectionOptions, connect, type PeerCertificate } from 'node:tls';

/**
 * The certificate that a server presents, whatever it is worth: one that is refused has to be shown too, so that people see
 * why. That is why nothing is verified here, and nothing is sent: the connection ends with the handshake. null: none was
 * presented within `timeoutMs`.
 */
export function inspectCertificate(
  url: URL,
  options: ConnectionOptions,
  timeoutMs: number,
): Promise<PeerCertificate | null> {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const servername = options.servername ?? (isIP(host) === 0 ? host : undefined);
  return new Promise((resolve) => {
    const socket = connect({
      ...options,
      ...(servername !== undefined && { servername }),
      host,
      port: url.port === '' ? 443 : Number(url.port),
      rejectUnauthorized: false,
      checkServerIdentity: () => undefined,
    });
    const end = (peer: PeerCertificate | null): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve(peer);
    };
    const timer = setTimeout(() => end(null), timeoutMs);
    socket.once('secureConnect', () => {
      const peer = socket.getPeerCertificate();
      end(peer.subject === undefined ? null : peer);
    });
    // A server may refuse the client only after it has shown who it is.
    socket.on('error', () => end(null));
  });
}

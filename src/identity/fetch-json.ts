/** Fetches JSON of an issuer: bounded in time and size, and from the very address that was asked. */
import { Agent, request } from 'undici';

/** Of everything, from the first byte out to the last byte in. */
const TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 2000;
/** A hundred RSA keys with their certificates take less. */
const MAX_BYTES = 512 * 1024;
/** Issuers are asked every ten minutes: a connection is not kept for that long. */
const KEEP_ALIVE_MS = 5000;

export interface JsonFetcher {
  /** Rejects with an Error, whose message is for the log. */
  fetch(url: string): Promise<unknown>;
  /** Cuts what is open. */
  close(): Promise<void>;
}

/** Makes a fetcher. It follows no redirect: the keys are those at the address of the configuration, or there are none. */
export function createJsonFetcher(): JsonFetcher {
  const agent = new Agent({
    allowH2: false,
    connect: { timeout: CONNECT_TIMEOUT_MS },
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: 16_384,
  });
  return {
    async fetch(url) {
      const { statusCode, body } = await request(url, {
        dispatcher: agent,
        headers: { accept: 'application/json', 'accept-encoding': 'identity', 'user-agent': 'marketplace-gateway' },
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      const chunks: Uint8Array[] = [];
      let length = 0;
      for await (const chunk of body as AsyncIterable<Uint8Array>) {
        length += chunk.byteLength;
        // Leaving the loop destroys the stream, and with it the connection.
        if (length > MAX_BYTES) throw new Error(`the answer has more than ${MAX_BYTES} bytes`);
        chunks.push(chunk);
      }
      if (statusCode !== 200) throw new Error(`the status must be 200; it is ${statusCode}`);
      return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks)));
    },
    close: () => agent.destroy(),
  };
}

/** Fetches JSON of an issuer: bounded in time and size, and from the very address that was asked. */
import type { LookupFunction } from 'node:net';
import { Agent, request } from 'undici';
import { guardLookup } from '../../datasources/http/local-addresses.ts';

/** Of everything, from the first byte out to the last byte in. */
const TIMEOUT_MS = 5000;
const CONNECT_TIMEOUT_MS = 2000;
/** A hundred RSA keys with their certificates take less. */
const MAX_BYTES = 512 * 1024;
/** Issuers are asked every ten minutes: a connection is not kept for that long. */
const KEEP_ALIVE_MS = 5000;

/** Whose word an address is: that of the configuration, or that of somebody outside, who must not lead us inside. */
export type AddressOrigin = 'CONFIGURED' | 'TOLD';

export interface JsonFetcher {
  /** Rejects with an Error, whose message is for the log. What was TOLD is not connected to where its name leads inside. */
  fetch(url: string, origin: AddressOrigin): Promise<unknown>;
  /** Cuts what is open. */
  close(): Promise<void>;
}

/**
 * Makes a fetcher. It follows no redirect: the keys are those at the address that is asked, or there are none. `lookup` stands
 * for the system's resolver.
 */
export function createJsonFetcher(lookup?: LookupFunction): JsonFetcher {
  const common = { allowH2: false, keepAliveTimeout: KEEP_ALIVE_MS, maxHeaderSize: 16_384 };
  const open = new Agent({ ...common, connect: { timeout: CONNECT_TIMEOUT_MS, ...(lookup && { lookup }) } });
  const guarded = new Agent({
    ...common,
    connect: { timeout: CONNECT_TIMEOUT_MS, lookup: guardLookup(false, lookup) },
  });
  return {
    async fetch(url, origin) {
      const { statusCode, body } = await request(url, {
        dispatcher: origin === 'TOLD' ? guarded : open,
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
    async close() {
      await Promise.all([open.destroy(), guarded.destroy()]);
    },
  };
}

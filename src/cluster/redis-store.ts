import { type KeyvStorageCapability, keyvStorageCapability } from 'keyv';
import type { MessageSeal } from './message-seal.ts';
import { readList, readNumber, readText } from './redis-client.ts';
import type { RedisLink } from './redis-link.ts';

/** Bytes that processes share, with the state of the log of invalidations at the time when they were read. */
interface SharedBytes {
  readonly bytes: Uint8Array;
  readonly generation: string;
  readonly sequence: number;
}

/** As keyv hands its envelope over. */
interface Envelope {
  readonly value: SharedBytes;
  readonly expires?: number;
}

interface Entry {
  readonly key: string;
  readonly value: unknown;
  readonly expires?: number;
}

/**
 * What processes share in Redis, as keyv drives it (its storage adapter, version 6). Entries are authenticated: what nobody of
 * this gateway has written, or has written for another key, is not there. Times of expiry are the server's to keep. A server
 * that is not to be used now has nothing and takes nothing; no call rejects or takes long.
 */
export class RedisStore {
  namespace: string | undefined = undefined;
  readonly #link: RedisLink;
  readonly #seal: MessageSeal;

  constructor(link: RedisLink, seal: MessageSeal) {
    this.#link = link;
    this.#seal = seal;
  }

  /** Tells keyv that times of expiry are absolute and heeded. */
  get capabilities(): KeyvStorageCapability {
    return keyvStorageCapability(this);
  }

  async get(key: string): Promise<Envelope | undefined> {
    const [found] = await this.getMany([key]);
    return found;
  }

  async getMany(keys: string[]): Promise<(Envelope | undefined)[]> {
    const { state } = this.#link.keys;
    const names = keys.map((key) => this.#link.keyOf(key));
    const replies = await this.#link.attempt((client) =>
      client.pipeline().hmgetBuffer(state, 'nonce', 'seq').mgetBuffer(names).exec(),
    );
    const [[, logReply] = [], [, valuesReply] = []] = replies ?? [];
    if (!Array.isArray(logReply) || !Array.isArray(valuesReply)) return keys.map(() => undefined);
    const [nonce, sequence] = readList(logReply);
    // The server has lost its memory this moment: the next beat begins anew.
    if (nonce === null || nonce === undefined) return keys.map(() => undefined);
    const log = { generation: this.#link.generationOf(readText(nonce)), sequence: readNumber(sequence) };
    return readList(valuesReply).map((sealed, index) => {
      const bytes = Buffer.isBuffer(sealed) ? this.#seal.open(keys[index] ?? '', sealed) : null;
      return bytes === null ? undefined : { value: { bytes, ...log } };
    });
  }

  async has(key: string): Promise<boolean> {
    return (await this.get(key)) !== undefined;
  }

  async hasMany(keys: string[]): Promise<boolean[]> {
    return (await this.getMany(keys)).map((found) => found !== undefined);
  }

  async set(key: string, value: unknown, expires?: number): Promise<boolean> {
    const [isSet] = await this.setMany([{ key, value, ...(expires !== undefined && { expires }) }]);
    return isSet ?? false;
  }

  /** In one go. */
  async setMany(entries: Entry[]): Promise<boolean[]> {
    const commands = entries.map(({ key, value, expires }) => {
      const bytes = readEnvelope(value);
      if (bytes === null || expires === undefined) return null;
      const untilMs = Math.floor(expires - this.#link.clockOffsetMs);
      return [this.#link.keyOf(key), this.#seal.seal(key, bytes), 'PXAT', untilMs] as const;
    });
    const replies = await this.#link.attempt((client) => {
      const pipeline = client.pipeline();
      for (const command of commands) if (command !== null) pipeline.call('SET', [...command]);
      return pipeline.exec();
    });
    let next = 0;
    return commands.map((command) => {
      const reply = command === null ? undefined : replies?.[next++];
      return reply !== undefined && reply[0] === null;
    });
  }

  async delete(key: string): Promise<boolean> {
    const [isDeleted] = await this.deleteMany([key]);
    return isDeleted ?? false;
  }

  async deleteMany(keys: string[]): Promise<boolean[]> {
    const names = keys.map((key) => this.#link.keyOf(key));
    const reply = await this.#link.attempt((client) => client.call('UNLINK', names));
    return keys.map(() => reply !== null);
  }

  /** What is shared is not one process's to clear: an invalidation of everything does it. */
  async clear(): Promise<void> {}

  async disconnect(): Promise<void> {}
}

/** null: not what this store is given. */
function readEnvelope(envelope: unknown): Uint8Array | null {
  if (typeof envelope !== 'object' || envelope === null || !('value' in envelope)) return null;
  const { value } = envelope;
  if (typeof value !== 'object' || value === null || !('bytes' in value)) return null;
  return value.bytes instanceof Uint8Array ? value.bytes : null;
}

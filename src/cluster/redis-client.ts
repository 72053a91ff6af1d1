import { createHash } from 'node:crypto';
import { Redis } from 'ioredis';

/** No command is waited for longer: whoever needs an answer sooner than that has a bound of its own. */
const COMMAND_MS = 250;
const CONNECT_MS = 1_000;
/** The link's beats bring data far more often: a connection without any is dead, though nobody has said so. */
const SILENCE_MS = 5_000;
const MOST_BETWEEN_ATTEMPTS_MS = 1_000;

/**
 * Opens a connection that fails at once where others would wait: nothing is queued while it is not there, nothing is sent twice.
 * It is made anew for ever. `onError`: told of each fault of the connection, of which the commands' own rejections say enough.
 */
export function openRedis(url: string, onError: (error: Error) => void): Redis {
  const client = new Redis({
    ...readRedisUrl(url),
    lazyConnect: true,
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    commandTimeout: COMMAND_MS,
    connectTimeout: CONNECT_MS,
    socketTimeout: SILENCE_MS,
    // A server that was made a replica of another one: the address leads to the other one by now.
    reconnectOnError: (error) => error.message.startsWith('READONLY'),
    retryStrategy: (attempt) => Math.min(50 * attempt, MOST_BETWEEN_ATTEMPTS_MS),
    autoResubscribe: false,
    disableClientInfo: true,
  });
  client.on('error', onError);
  client.connect().catch(() => undefined);
  return client;
}

/** Of `redis://user:password@host:port/database`, or `rediss:` for TLS. The configuration has checked its form. */
function readRedisUrl(url: string) {
  const { protocol, hostname, port, username, password, pathname } = new URL(url);
  return {
    host: hostname.replace(/^\[|\]$/g, ''),
    port: port === '' ? 6379 : Number(port),
    ...(username !== '' && { username: decodeURIComponent(username) }),
    ...(password !== '' && { password: decodeURIComponent(password) }),
    db: Number(pathname.slice(1) || '0'),
    ...(protocol === 'rediss:' && { tls: {} }),
  };
}

/** A program that the server runs as one step; it is sent by its digest, and in full where the server has not seen it. */
export class Script {
  readonly #source: string;
  readonly #digest: string;

  constructor(source: string) {
    this.#source = source;
    this.#digest = createHash('sha1').update(source).digest('hex');
  }

  /** Texts of the reply are buffers. Rejects as the client does. */
  async run(client: Redis, keys: readonly string[], given: readonly (string | number | Buffer)[]): Promise<unknown> {
    const parts = [keys.length, ...keys, ...given];
    try {
      return await client.callBuffer('EVALSHA', [this.#digest, ...parts]);
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return await client.callBuffer('EVAL', [this.#source, ...parts]);
    }
  }
}

/** A text of a reply; throws where it is none. */
export function readText(value: unknown): string {
  if (Buffer.isBuffer(value)) return value.toString('utf8');
  if (typeof value === 'string') return value;
  throw new TypeError('the shared store gave something else than text');
}

/** A number of a reply, as one or as text; throws where it is none. */
export function readNumber(value: unknown): number {
  const number = typeof value === 'number' ? value : Number(readText(value));
  if (Number.isFinite(number)) return number;
  throw new TypeError('the shared store gave something else than a number');
}

/** A list of a reply; throws where it is none. */
export function readList(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value;
  throw new TypeError('the shared store gave something else than a list');
}

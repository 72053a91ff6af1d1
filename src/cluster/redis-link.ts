import { randomUUID } from 'node:crypto';
import type { Redis } from 'ioredis';
import { openRedis, readList, readNumber, readText, Script } from './redis-client.ts';

/** The link looks this often whether the server is there, how fast, and what it has missed. */
const BEAT_MS = 500;
/** Slower than this the server is no help to a request. */
const FAST_MS = 75;
/** So many answers that come too late in a row end its use: one alone may be this machine's fault. */
const MOST_LATE = 3;
/** What was found slow is looked at again so soon. */
const SOON_MS = 100;
/** A process that was not heard of for so long is gone. */
const PRESENCE_MS = 3_000;
/** Before the first word of the others: whoever gives a shared server has two processes at least. */
const UNKNOWN_REPLICAS = 2;

/**
 * UP: all is shared. SLOW: it is there, and answers too late to be asked for a request's sake; news are still exchanged. DOWN: it
 * is not there.
 */
export type LinkState = 'UP' | 'SLOW' | 'DOWN';

export interface LinkView {
  readonly state: LinkState;
  /** On the clock of `Date.now()`. */
  readonly sinceMs: number;
  /** Processes of this gateway, this one included, as far as was known when the server was last heard of. */
  readonly replicas: number;
}

export interface LinkLog {
  info(detail: object, message: string): void;
  warn(detail: object, message: string): void;
}

/** Where the log of invalidations is, as the server says. */
export interface Beat {
  /** Another one: what the server held before may be gone. */
  readonly generation: string;
  /** When it was begun, on the clock of this process's `Date.now()`. */
  readonly bornAtMs: number;
  /** The number of the last entry of the log. */
  readonly sequence: number;
}

/** What is done at a beat; rejects where the server fails. */
export type OnBeat = (beat: Beat) => Promise<void>;

/** Makes the state where there is none: it was never there, or the server has lost it. Then the log is lost as well. */
export const ENSURE_STATE = `
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
if redis.call('HEXISTS', KEYS[1], 'nonce') == 0 then
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'nonce', ARGV[1], 'seq', 0, 'born', string.format('%.0f', now))
end
`;

const BEAT = new Script(`${ENSURE_STATE}
redis.call('ZADD', KEYS[3], now, ARGV[2])
redis.call('ZREMRANGEBYSCORE', KEYS[3], '-inf', now - ARGV[3])
local state = redis.call('HMGET', KEYS[1], 'nonce', 'seq', 'born')
return {state[1], state[2], state[3], string.format('%.0f', now), redis.call('ZCARD', KEYS[3])}
`);

/**
 * The connection of one process to the Redis server that it shares with the others. It knows whether the server can be used
 * now, so that nobody has to find that out by waiting: a few answers that come too late end its use, and what brings it back is
 * the link's own beat, beside all requests.
 */
export class RedisLink {
  readonly replicaId = randomUUID();
  readonly keys: { readonly state: string; readonly log: string; readonly presence: string; readonly news: string };
  readonly #prefix: string;
  readonly #commands: Redis;
  readonly #subscriber: Redis;
  readonly #log: LinkLog;
  readonly #listeners = new Map<string, Set<(message: Buffer) => void>>();
  readonly #onState = new Set<() => void>();
  #onBeat: OnBeat = async () => undefined;
  #state: LinkState = 'DOWN';
  #sinceMs = Date.now();
  #replicas = UNKNOWN_REPLICAS;
  #clockOffsetMs = 0;
  #runId: string | null = null;
  #late = 0;
  #lastError = '';
  #timer: NodeJS.Timeout | null = null;
  #beating: Promise<void> | null = null;
  #isClosed = false;

  /** `prefix`: before the name of everything that is kept there. Never throws; the server need not be there. */
  constructor(url: string, prefix: string, log: LinkLog) {
    this.#prefix = prefix;
    this.#log = log;
    this.keys = {
      state: this.keyOf('state'),
      log: this.keyOf('log'),
      presence: this.keyOf('presence'),
      news: this.keyOf('news'),
    };
    const onError = (error: Error) => this.#noteError(error);
    this.#commands = openRedis(url, onError);
    this.#subscriber = openRedis(url, onError);
    for (const client of [this.#commands, this.#subscriber]) {
      client.on('close', () => this.#enter('DOWN', 'the connection has ended'));
      client.on('ready', () => void this.beat());
    }
    this.#commands.on('close', () => {
      this.#runId = null;
    });
    this.#subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) => {
      for (const listen of this.#listeners.get(channel.toString('utf8')) ?? []) listen(message);
    });
  }

  get state(): LinkState {
    return this.#state;
  }

  get view(): LinkView {
    return { state: this.#state, sinceMs: this.#sinceMs, replicas: this.#replicas };
  }

  /** What this process's `Date.now()` is ahead of the server's clock, within half a round trip. */
  get clockOffsetMs(): number {
    return this.#clockOffsetMs;
  }

  /** Whether it is still the same connection to the same server as at the last beat: with it ends what is known of the log. */
  get isConnected(): boolean {
    return this.#runId !== null;
  }

  /** The log's generation, of what the server calls it: another one after each start of the server, too. */
  generationOf(nonce: string): string {
    return `${this.#runId ?? ''}.${nonce}`;
  }

  keyOf(name: string): string {
    return `${this.#prefix}${name}`;
  }

  /** Calls back at each beat, with the state of the log; the link is up only when that has resolved. To be set at the start. */
  followBeats(onBeat: OnBeat): void {
    this.#onBeat = onBeat;
  }

  /** Calls back at each change of the state. */
  onStateChange(listener: () => void): void {
    this.#onState.add(listener);
  }

  /** Calls back for each message of a channel that was published since the subscription stands. To be called at the start. */
  listen(channel: string, listener: (message: Buffer) => void): void {
    this.#listeners.set(channel, (this.#listeners.get(channel) ?? new Set()).add(listener));
  }

  /**
   * Runs a command for a request's sake. null: the server is not to be used now, or was too slow; after a few of these it is
   * not used again until a beat finds it fast. Never rejects, and never takes longer than `FAST_MS` and a moment.
   */
  async attempt<T>(work: (client: Redis) => Promise<T>): Promise<T | null> {
    if (this.#state !== 'UP') return null;
    let timer: NodeJS.Timeout | undefined;
    const tooLate = new Promise<'LATE'>((resolve) => {
      timer = setTimeout(() => setImmediate(() => resolve('LATE')), FAST_MS);
    });
    try {
      const result = await Promise.race([work(this.#commands), tooLate]);
      if (result !== 'LATE') {
        this.#late = 0;
        return result;
      }
      this.#late += 1;
      if (this.#late >= MOST_LATE) this.#enter('SLOW', 'it took too long to answer');
      return null;
    } catch (error) {
      this.#noteFailure(error);
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Runs a command that has time, also while the server is slow. Rejects where it fails. */
  async demand<T>(work: (client: Redis) => Promise<T>): Promise<T> {
    if (!this.isConnected) throw new Error('the shared store is not there');
    return await work(this.#commands);
  }

  /** Looks how the server is. Resolves when that is known; never rejects. */
  beat(): Promise<void> {
    this.#beating ??= this.#beatOnce().finally(() => {
      this.#beating = null;
      this.#beatIn(BEAT_MS);
    });
    return this.#beating;
  }

  #beatIn(waitMs: number): void {
    if (this.#isClosed) return;
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.beat(), waitMs);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#beating;
    if (this.isConnected) await this.#commands.zrem(this.keys.presence, this.replicaId).catch(() => undefined);
    this.#commands.disconnect();
    this.#subscriber.disconnect();
  }

  async #beatOnce(): Promise<void> {
    if (this.#isClosed || this.#commands.status !== 'ready' || this.#subscriber.status !== 'ready') return;
    try {
      // Anew each time: it costs next to nothing, and a subscription that was lost is noticed.
      const channels = [...this.#listeners.keys()];
      if (channels.length > 0) await this.#subscriber.subscribe(...channels);
      const runId = this.#runId ?? readRunId(await this.#commands.info('server'));
      const startedMs = performance.now();
      const startedAtMs = Date.now();
      const { state, log, presence } = this.keys;
      const given = [randomUUID(), this.replicaId, PRESENCE_MS];
      const reply = readList(await BEAT.run(this.#commands, [state, log, presence], given));
      const tookMs = performance.now() - startedMs;
      const [nonce, sequence, bornAtMs, nowMs, replicas] = reply;
      this.#clockOffsetMs = Math.round(startedAtMs + tookMs / 2 - readNumber(nowMs));
      this.#replicas = Math.max(1, readNumber(replicas));
      this.#runId = runId;
      await this.#onBeat({
        generation: this.generationOf(readText(nonce)),
        bornAtMs: readNumber(bornAtMs) + this.#clockOffsetMs,
        sequence: readNumber(sequence),
      });
      if (this.#runId !== null) this.#enter(tookMs <= FAST_MS ? 'UP' : 'SLOW', 'it takes too long to answer');
    } catch (error) {
      this.#noteFailure(error);
    }
  }

  /** Why there is no connection, once for each reason; the commands' own failures say the rest. */
  #noteError({ message }: Error): void {
    if (this.#isClosed || message === this.#lastError) return;
    this.#lastError = message;
    this.#log.warn({ reason: message }, 'the shared store cannot be reached; the gateway goes on by itself');
  }

  /** A server that says no is no help either; one that is silent is not there. */
  #noteFailure(error: unknown): void {
    this.#enter(
      this.isConnected && !isTimeout(error) ? 'SLOW' : 'DOWN',
      error instanceof Error ? error.name : 'it failed',
    );
  }

  #enter(state: LinkState, reason: string): void {
    if (state === this.#state || this.#isClosed) return;
    this.#state = state;
    this.#sinceMs = Date.now();
    this.#late = 0;
    if (state === 'SLOW') this.#beatIn(SOON_MS);
    if (state === 'UP') this.#lastError = '';
    if (state === 'UP') this.#log.info({ replicas: this.#replicas }, 'the shared store is in use');
    else this.#log.warn({ state, reason }, 'the shared store is not in use; the gateway goes on by itself');
    for (const listen of this.#onState) listen();
  }
}

function isTimeout(error: unknown): boolean {
  return error instanceof Error && error.message.includes('timed out');
}

/** Another one after each start of the server. */
function readRunId(info: string): string {
  const runId = /^run_id:(\S+)/m.exec(info)?.[1];
  if (runId === undefined) throw new TypeError('the shared store does not say which server it is');
  return runId;
}

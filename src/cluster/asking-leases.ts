import { randomUUID } from 'node:crypto';
import { readNumber, Script } from './redis-client.ts';
import type { RedisLink } from './redis-link.ts';

const ACQUIRE = new Script(`
if ARGV[3] == '1' and redis.call('EXISTS', KEYS[2]) == 1 then return 2 end
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
return 1
`);

const RELEASE = new Script(`
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])
return 1
`);

/**
 * MINE: this process is the one that asks. KEPT: nobody took the lease, since there is something under that name. TAKEN: another one asks. UNKNOWN: the server is not to be used now; everybody asks.
 */
type Lease = 'MINE' | 'KEPT' | 'TAKEN' | 'UNKNOWN';

/** Sees to it that of many processes that want the same of a registry one asks for it. Whoever asks and dies costs the lease. */
export class AskingLeases {
  readonly #link: RedisLink;
  readonly #channel: string;
  readonly #tokens = new Map<string, string>();
  readonly #waiting = new Map<string, Set<() => void>>();

  constructor(link: RedisLink) {
    this.#link = link;
    this.#channel = link.keyOf('released');
    link.listen(this.#channel, (message) => this.#wake(message.toString('latin1')));
    link.onStateChange(() => {
      if (link.state !== 'UP') for (const name of [...this.#waiting.keys()]) this.#wake(name);
    });
  }

  /** Takes the lease of what is kept under a name, for a while at most; `unlessKept`: only when there is nothing. */
  async acquire(name: string, durationMs: number, unlessKept: boolean): Promise<Lease> {
    // This process has begun to ask before something changed, and asks again.
    if (this.#tokens.has(name)) return 'MINE';
    const token = randomUUID();
    const keys = [this.#lockOf(name), this.#link.keyOf(name)];
    const reply = await this.#link.attempt((client) =>
      ACQUIRE.run(client, keys, [token, durationMs, unlessKept ? 1 : 0]),
    );
    if (reply === null) return 'UNKNOWN';
    const got = readNumber(reply);
    if (got === 0) return 'TAKEN';
    if (got === 2) return 'KEPT';
    this.#tokens.set(name, token);
    return 'MINE';
  }

  /** Gives it back, and wakes those who wait: what was asked for is there, or will not come. Without a lease nothing happens. */
  release(name: string): void {
    const token = this.#tokens.get(name);
    if (token === undefined) return;
    this.#tokens.delete(name);
    void this.#link.attempt((client) => RELEASE.run(client, [this.#lockOf(name)], [token, this.#channel, name]));
  }

  /** Resolves when it is given back, the link is no longer up, or the time is over. */
  async whenReleased(name: string, timeoutMs: number): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiting = this.#waiting.get(name) ?? new Set();
    this.#waiting.set(name, waiting.add(resolve));
    const timer = setTimeout(resolve, timeoutMs);
    await promise;
    clearTimeout(timer);
    waiting.delete(resolve);
    if (waiting.size === 0 && this.#waiting.get(name) === waiting) this.#waiting.delete(name);
  }

  #wake(name: string): void {
    for (const resolve of this.#waiting.get(name) ?? []) resolve();
  }

  #lockOf(name: string): string {
    return this.#link.keyOf(`asking:${name}`);
  }
}

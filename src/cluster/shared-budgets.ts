import { readList, readNumber, Script } from './redis-client.ts';
import type { RedisLink } from './redis-link.ts';

/**
 * One token bucket, and the places of calls under way, for all processes. What a process holds counts as taken: tokens and loans
 * together never exceed the burst, so what is used in any time is no more than one process could use by itself.
 *
 * KEYS: bucket, loans. ARGV: process, tokens a second, burst, concurrent, kept, returned, wanted, in flight, places wanted,
 * initial tokens, milliseconds of the loan.
 */
const LEND = new Script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + time[2] / 1000
local rate, burst, concurrent = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept, inFlight = tonumber(ARGV[5]), tonumber(ARGV[8])
local held, taken = 0, 0
local loans = redis.call('HGETALL', KEYS[2])
for index = 1, #loans, 2 do
  if loans[index] ~= ARGV[1] then
    local untilMs, tokens, places = string.match(loans[index + 1], '^(%S+) (%S+) (%S+)$')
    if tonumber(untilMs) < now then
      redis.call('HDEL', KEYS[2], loans[index])
    else
      held = held + tonumber(tokens)
      taken = taken + tonumber(places)
    end
  end
end
local bucket = redis.call('HMGET', KEYS[1], 'tokens', 'at')
local tokens = tonumber(bucket[1] or ARGV[10])
local elapsed = math.max(0, now - tonumber(bucket[2] or now))
tokens = math.max(0, math.min(tokens + elapsed * rate / 1000 + ARGV[6], burst - held - kept))
local granted = math.min(tonumber(ARGV[7]), math.floor(tokens))
tokens = tokens - granted
local places = inFlight + math.max(0, math.min(tonumber(ARGV[9]), concurrent - taken - inFlight))
redis.call('HSET', KEYS[1], 'tokens', string.format('%.6f', tokens), 'at', string.format('%.3f', now))
redis.call('HSET', KEYS[2], ARGV[1], string.format('%.3f %d %d', now + ARGV[11], kept + granted, places))
local life = math.min(86400000, math.max(60000, math.ceil(burst / rate * 2000)))
redis.call('PEXPIRE', KEYS[1], life)
redis.call('PEXPIRE', KEYS[2], life)
local wait = 0
if tokens < 1 then wait = math.ceil((1 - tokens) / rate * 1000) end
return {granted, places, math.floor(tokens), wait}
`);

/**
 * KEYS: window. ARGV: limit, milliseconds. The window before it counts by the part of it that lies within the last one (a
 * sliding window of two counters), so that twice the limit is never had at the turn of two windows.
 */
const TAKE = new Script(`
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local limit, length = tonumber(ARGV[1]), tonumber(ARGV[2])
local number = math.floor(now / length)
local window = redis.call('HMGET', KEYS[1], 'number', 'count', 'before')
local count, before = tonumber(window[2] or 0), tonumber(window[3] or 0)
local last = tonumber(window[1] or number)
if last == number - 1 then count, before = 0, count elseif last < number - 1 then count, before = 0, 0 end
local elapsed = now - number * length
local used = count + before * (1 - elapsed / length)
local taken = 0
if used + 1 <= limit then taken, count = 1, count + 1 end
redis.call('HSET', KEYS[1], 'number', number, 'count', count, 'before', before)
redis.call('PEXPIRE', KEYS[1], length * 2)
return {taken, math.max(0, math.floor(limit - used - taken)), length - elapsed}
`);

interface LoanRequest {
  readonly limit: { readonly requestsPerSecond: number; readonly burst: number; readonly concurrent: number };
  readonly kept: number;
  readonly returned: number;
  readonly wanted: number;
  readonly inFlight: number;
  readonly wantedPlaces: number;
  readonly initial: number;
  readonly durationMs: number;
}

/** What processes may take together: of a registry's limit, and each caller of the gateway. */
export class SharedBudgets {
  readonly #link: RedisLink;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  get isUp(): boolean {
    return this.#link.state === 'UP';
  }

  get replicas(): number {
    return this.#link.view.replicas;
  }

  /** Lends tokens and places of an account for a while. null: the server is not to be used now. */
  async lend(account: string, request: LoanRequest) {
    const { limit, kept, returned, wanted, inFlight, wantedPlaces, initial, durationMs } = request;
    const { requestsPerSecond, burst, concurrent } = limit;
    const keys = [this.#link.keyOf(`bucket:${account}`), this.#link.keyOf(`loans:${account}`)];
    const reply = await this.#link.attempt((client) =>
      LEND.run(client, keys, [
        ...[this.#link.replicaId, requestsPerSecond, burst, concurrent, kept, returned, wanted],
        ...[inFlight, wantedPlaces, initial, durationMs],
      ]),
    );
    if (reply === null) return null;
    const [granted, places, left, waitMs] = readList(reply).map(readNumber);
    return { granted: granted ?? 0, places: places ?? 0, left: left ?? 0, waitMs: waitMs ?? 0 };
  }

  /**
   * Takes one of what `key` may have in a window of time, over all processes. `left`: what remains; `resetsInMs`: until the
   * window's end. null: the server is not to be used now, and the caller goes by a count of its own.
   */
  async takeFromWindow(
    key: string,
    limit: number,
    windowMs: number,
  ): Promise<{ readonly isTaken: boolean; readonly left: number; readonly resetsInMs: number } | null> {
    const window = this.#link.keyOf(`window:${key}`);
    const reply = await this.#link.attempt((client) => TAKE.run(client, [window], [limit, windowMs]));
    if (reply === null) return null;
    const [taken, left, resetsInMs] = readList(reply).map(readNumber);
    return { isTaken: taken === 1, left: left ?? 0, resetsInMs: resetsInMs ?? 0 };
  }
}

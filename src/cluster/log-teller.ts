import { randomUUID } from 'node:crypto';
import { Script } from './redis-client.ts';
import { ENSURE_STATE, type RedisLink } from './redis-link.ts';

/** Entries that the log keeps: who has missed more believes nothing of what it has. */
const MOST_ENTRIES = 4_096;
/** Whoever has made an invalidation waits so long for it to be in the log. */
const TELLING_MS = 500;
/** What was told before that many is not told again: a log that is lost in such a moment is beyond saving. */
const MOST_TOLD = 20_000;

const APPEND = new Script(`${ENSURE_STATE}
local n = redis.call('HINCRBY', KEYS[1], 'seq', 1)
local at = string.format('%.0f', now)
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[3], n .. '-1', 't', at, 'm', ARGV[2])
redis.call('PUBLISH', ARGV[4], n .. ' ' .. at .. ' ' .. ARGV[2])
return n
`);

interface Told {
  readonly sealed: Buffer;
  readonly atMs: number;
}

/** What one process has to tell by the log, until it is there, and a while longer: the log may be lost. */
export class LogTeller {
  /** A log that is lost gets what was told in this time once more. */
  static readonly RETOLD_MS = 600_000;

  readonly #link: RedisLink;
  readonly #untold = new Set<Buffer>();
  #told: Told[] = [];
  #count = 0;
  #telling: Promise<void> | null = null;

  constructor(link: RedisLink) {
    this.#link = link;
  }

  get untold(): number {
    return this.#untold.size;
  }

  /** No other process makes this one. */
  nextId(): string {
    this.#count += 1;
    return `${this.#link.replicaId}.${this.#count}`;
  }

  /** Resolves when it is in the log, or after `TELLING_MS`. Never rejects. */
  async tell(sealed: Buffer): Promise<void> {
    this.#untold.add(sealed);
    const tooLate = Promise.withResolvers<void>();
    const timer = setTimeout(tooLate.resolve, TELLING_MS);
    // What was to be told while another was being told waits for the turn after it.
    const told = this.tellAll().then(() => this.tellAll());
    await Promise.race([told.catch(() => undefined), tooLate.promise]);
    clearTimeout(timer);
  }

  /** Nothing of it needs to be told: what comes next speaks of everything. */
  forgetUntold(): void {
    this.#untold.clear();
  }

  /** Puts all that is untold into the log, in order. Rejects where the server fails: it stays untold then. */
  tellAll(): Promise<void> {
    this.#telling ??= this.#tellInOrder().finally(() => {
      this.#telling = null;
    });
    return this.#telling;
  }

  /** What was told is to be told again, before anything else. */
  tellAgain(): void {
    const untold = [...this.#untold];
    this.#untold.clear();
    const oldestMs = Date.now() - LogTeller.RETOLD_MS;
    for (const { sealed, atMs } of this.#told) if (atMs >= oldestMs) this.#untold.add(sealed);
    for (const sealed of untold) this.#untold.add(sealed);
    this.#told = [];
  }

  async #tellInOrder(): Promise<void> {
    for (const sealed of this.#untold) {
      const { state, log, news } = this.#link.keys;
      await this.#link.demand((client) => APPEND.run(client, [state, log], [randomUUID(), sealed, MOST_ENTRIES, news]));
      this.#untold.delete(sealed);
      this.#told.push({ sealed, atMs: Date.now() });
    }
    this.#forgetOld();
  }

  #forgetOld(): void {
    const oldestMs = Date.now() - LogTeller.RETOLD_MS;
    if (this.#told.length > MOST_TOLD || (this.#told[0]?.atMs ?? oldestMs) < oldestMs) {
      this.#told = this.#told.filter(({ atMs }) => atMs >= oldestMs).slice(-MOST_TOLD);
    }
  }
}

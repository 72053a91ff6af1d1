import type { CacheInvalidation } from '../domain/cache.ts';
import { decodeEvent, encodeEvent } from './events.ts';
import { LogTeller } from './log-teller.ts';
import type { MessageSeal } from './message-seal.ts';
import { readList, readNumber, readText } from './redis-client.ts';
import type { Beat, RedisLink } from './redis-link.ts';

/** Entries that are read in one go. */
const READ_AT_ONCE = 500;
/** What was applied is known by its id so long back: it may be told twice. */
const MOST_KNOWN = 20_000;
/** Where the entries are, for their signature. */
const PLACE = 'log';
/** More that could not be told is told as one invalidation of everything. */
const MOST_UNTOLD = 2_000;

/** One invalidation of any process, in the one order that all see. */
interface LogEntry {
  /** Of whoever told it: it may be in the log twice. */
  readonly id: string;
  readonly sequence: number;
  /** On the clock of `Date.now()`. */
  readonly atMs: number;
  readonly invalidation: CacheInvalidation;
  /** It was applied here before: this process made it, or it is in the log twice. */
  readonly isKnown: boolean;
}

/** Who keeps answers, and must learn of every invalidation. Nothing here may throw. */
export interface LogFollower {
  /** The log is another one. Of what was before the entry behind `sequence` nothing will be told. */
  onGeneration(generation: string, sequence: number): void;
  /** The next entry. */
  onEntry(entry: LogEntry): void;
  /** Entries were missed for good: nothing that was asked for before this time (clock of `Date.now()`) can be believed. */
  onLost(beforeMs: number): void;
}

interface RawEntry {
  readonly sequence: number;
  readonly atServerMs: number;
  readonly sealed: Buffer;
}

/**
 * The log of invalidations that all processes of a gateway write and read: a stream whose entries are numbered without gaps,
 * so that each can tell that it has missed some. They are published as well, and read from the stream where that was not
 * enough: at every beat, and when somebody finds the log further than this process. Whoever cannot say what it has missed
 * believes nothing of what it keeps.
 *
 * A log may be lost with the server's memory. Then every process tells again what it told in the last minutes.
 */
export class InvalidationLog {
  readonly #link: RedisLink;
  readonly #seal: MessageSeal;
  readonly #follower: LogFollower;
  readonly #teller: LogTeller;
  readonly #known = new Set<string>();
  #generation: string | null = null;
  #applied = 0;
  #heardAtMs = 0;
  #reading: Promise<void> | null = null;

  /** Takes over the link's beats. */
  constructor(link: RedisLink, seal: MessageSeal, follower: LogFollower) {
    this.#link = link;
    this.#seal = seal;
    this.#follower = follower;
    this.#teller = new LogTeller(link);
    link.followBeats((beat) => this.#onBeat(beat));
    link.listen(link.keys.news, (message) => this.#onNews(message));
  }

  /** What is known of the log: all entries up to `sequence` were applied. */
  get position(): { readonly generation: string; readonly sequence: number } {
    return { generation: this.#generation ?? '', sequence: this.#applied };
  }

  /** Invalidations of this process that are not known to be in the log. */
  get untold(): number {
    return this.#teller.untold;
  }

  /**
   * Tells all others. `told` resolves when it is in the log, or after a moment: then it gets there when the server can be
   * reached. Never rejects. What comes back as an entry of that id tells that all before it is in the log as well.
   */
  publish(invalidation: CacheInvalidation): { readonly id: string; readonly told: Promise<void> } {
    const id = this.#teller.nextId();
    this.#know(id);
    const isTooMuch = this.#teller.untold >= MOST_UNTOLD;
    if (isTooMuch) this.#teller.forgetUntold();
    const text = `${id} ${encodeEvent({ kind: 'INVALIDATION', invalidation: isTooMuch ? {} : invalidation })}`;
    return { id, told: this.#teller.tell(this.#seal.seal(PLACE, Buffer.from(text))) };
  }

  /** Reads what is new. Resolves when all that was in the log at the call has been applied; rejects where the server fails. */
  async catchUp(): Promise<void> {
    // A reading that is under way may have passed what is asked for.
    await this.#reading?.catch(() => undefined);
    this.#reading ??= this.#readOn().finally(() => {
      this.#reading = null;
    });
    await this.#reading;
  }

  async #onBeat({ generation, bornAtMs, sequence }: Beat): Promise<void> {
    if (generation !== this.#generation) await this.#begin(generation, bornAtMs);
    if (sequence > this.#applied) await this.catchUp();
    // The stream has gone, and its number has not: what it held will never be read.
    if (sequence > this.#applied) this.#skipTo(sequence);
    await this.#teller.tellAll();
    this.#heardAtMs = Date.now();
  }

  /** A log that this process has not read yet: all of it is, and what is known of an earlier one counts by its ids. */
  async #begin(generation: string, bornAtMs: number): Promise<void> {
    const before = this.#generation === null ? null : { log: logOf(this.#generation), applied: this.#applied };
    const entries = await this.#readFrom(0);
    const first = entries[0];
    const start = first === undefined ? 0 : first.sequence - 1;
    this.#generation = generation;
    this.#applied = start;
    this.#follower.onGeneration(generation, start);
    const isFollowed = before !== null && Date.now() - this.#heardAtMs < LogTeller.RETOLD_MS;
    const isContinued = isFollowed && start <= (before.log === logOf(generation) ? before.applied : 0);
    if (!isContinued) {
      // What lies on a disk from before a start belongs to it too.
      this.#follower.onLost(first === undefined || start === 0 ? bornAtMs : this.#toOwnClock(first.atServerMs));
    }
    for (const entry of entries) this.#apply(entry);
    this.#teller.tellAgain();
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const generation = this.#generation;
      const entries = await this.#readFrom(this.#applied, READ_AT_ONCE);
      if (generation !== this.#generation) return;
      for (const entry of entries) {
        if (entry.sequence > this.#applied + 1) this.#skipTo(entry.sequence - 1);
        this.#apply(entry);
      }
      if (entries.length < READ_AT_ONCE) return;
    }
  }

  #skipTo(sequence: number): void {
    this.#applied = sequence;
    this.#follower.onGeneration(this.#generation ?? '', sequence);
    this.#follower.onLost(Date.now());
  }

  async #readFrom(sequence: number, count = Number.MAX_SAFE_INTEGER): Promise<RawEntry[]> {
    const start = `(${sequence}-1`;
    const reply = await this.#link.demand((client) =>
      client.callBuffer('XRANGE', [this.#link.keys.log, start, '+', 'COUNT', count]),
    );
    return readList(reply).map((entry) => {
      const [id, fields] = readList(entry);
      const [, atServerMs, , sealed] = readList(fields);
      if (!Buffer.isBuffer(sealed)) throw new TypeError('the shared store gave something else than an entry');
      return { sequence: Number.parseInt(readText(id), 10), atServerMs: readNumber(atServerMs), sealed };
    });
  }

  #onNews(message: Buffer): void {
    const news = readNews(message);
    if (news === null || this.#generation === null || news.sequence <= this.#applied) return;
    if (news.sequence === this.#applied + 1 && this.#reading === null) this.#apply(news);
    // A beat comes anyway.
    else this.catchUp().catch(() => undefined);
  }

  #apply({ sequence, atServerMs, sealed }: RawEntry): void {
    if (sequence <= this.#applied) return;
    this.#applied = sequence;
    // Somebody else's, who shares the server and no secret.
    const text = this.#seal.open(PLACE, sealed)?.toString('utf8');
    if (text === undefined) return;
    const end = text.indexOf(' ');
    const id = text.slice(0, end);
    const event = decodeEvent(text.slice(end + 1));
    // One of ours that this version does not understand may mean anything.
    const invalidation = event?.kind === 'INVALIDATION' ? event.invalidation : {};
    const isKnown = !this.#know(id);
    this.#follower.onEntry({ id, sequence, atMs: this.#toOwnClock(atServerMs), invalidation, isKnown });
  }

  /** false: it was known. */
  #know(id: string): boolean {
    if (this.#known.has(id)) return false;
    this.#known.add(id);
    const [oldest] = this.#known;
    if (this.#known.size > MOST_KNOWN && oldest !== undefined) this.#known.delete(oldest);
    return true;
  }

  #toOwnClock(serverMs: number): number {
    return serverMs + this.#link.clockOffsetMs;
  }
}

/** The same after a start of the server that has kept what it held. */
function logOf(generation: string): string {
  return generation.slice(generation.indexOf('.') + 1);
}

/** As `log-teller.ts` publishes it: number, time, entry. null: something else. */
function readNews(message: Buffer): RawEntry | null {
  const first = message.indexOf(' ');
  const second = message.indexOf(' ', first + 1);
  if (first < 0 || second < 0) return null;
  const sequence = Number(message.toString('latin1', 0, first));
  const atServerMs = Number(message.toString('latin1', first + 1, second));
  if (!Number.isSafeInteger(sequence) || !Number.isFinite(atServerMs)) return null;
  return { sequence, atServerMs, sealed: message.subarray(second + 1) };
}

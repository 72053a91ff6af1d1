/** The audit trail of a gateway: appended to, counted in and read, over the storage that was opened for it. */
import {
  type AuditCriteria,
  type AuditEntry,
  type AuditOrigin,
  type AuditPage,
  type AuditTrail,
  AuditUnavailable,
  type CountedEntry,
} from '../domain/audit.ts';
import { BadCursor } from '../domain/errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { StorageLog } from '../storage/storage-log.ts';
import { appendToChain, type ChainPlace, readChain } from './chain.ts';
import { CountedEvents, type EventCount } from './counted-events.ts';
import { AuditCursors } from './cursor.ts';
import { DenialBudget } from './denials.ts';
import { completeEvent } from './event-hash.ts';
import { GroupCommit } from './group-commit.ts';
import { readAuditPage } from './read-events.ts';
import { ChainSigner } from './signature.ts';

/** How often counts of minutes that are over are looked for. */
const WRITE_COUNTS_EVERY_MS = 10_000;
/** A database that is down fails each append: the log is told once in so long. */
const LOG_FAILURES_EVERY_MS = 10_000;

export interface StoredTrailOptions {
  readonly storage: Storage;
  /** The first signs and seals, all of them verify and open. */
  readonly secrets: readonly string[];
  readonly log: StorageLog;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export class StoredTrail implements AuditTrail {
  readonly #storage: Storage;
  readonly #log: StorageLog;
  readonly #now: () => number;
  readonly #cursors: AuditCursors;
  readonly #commits: GroupCommit;
  readonly #counted: CountedEvents;
  readonly #denials: DenialBudget;
  readonly #timer: NodeJS.Timeout;
  #head: ChainPlace | null = null;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor({ storage, secrets, log, now = Date.now }: StoredTrailOptions) {
    this.#storage = storage;
    this.#log = log;
    this.#now = now;
    this.#cursors = new AuditCursors(secrets);
    const signer = new ChainSigner(secrets);
    this.#commits = new GroupCommit(
      async (events) => {
        this.#head = await appendToChain(storage, signer, events);
      },
      (error) => this.#tellFailure(error),
    );
    this.#counted = new CountedEvents(now);
    this.#denials = new DenialBudget(now);
    this.#timer = setInterval(() => void this.writeCounts(), WRITE_COUNTS_EVERY_MS);
    this.#timer.unref();
  }

  /** The last event that was appended here; null: none yet. */
  get head(): ChainPlace | null {
    return this.#head;
  }

  append(entry: AuditEntry, origin: AuditOrigin): Promise<void> {
    return this.#commits.append([completeEvent(entry, origin, this.#now(), 1)]);
  }

  count(entry: CountedEntry, actor: string): void {
    this.#counted.count(entry, actor);
  }

  async deny(denial: Pick<AuditEntry, 'registryName' | 'detail'>, origin: AuditOrigin): Promise<void> {
    if (this.#denials.take(origin.actor)) {
      try {
        await this.append({ ...denial, action: 'access.deny', outcome: 'DENIED' }, origin);
        return;
      } catch {
        // The log was told. It is counted, so that it is on record when the trail can be written again.
      }
    }
    const registryName = denial.registryName ?? null;
    this.count({ action: 'access.deny', registryName, outcome: 'DENIED' }, origin.actor);
  }

  /** The database is asked only where the last commit failed: what went well a moment ago is taken to go well again. */
  async checkWritable(): Promise<void> {
    if (this.#commits.failure === null) return;
    try {
      await readChain(this.#storage.db);
    } catch (error) {
      throw new AuditUnavailable(error);
    }
  }

  async read(
    criteria: AuditCriteria,
    { first, after }: { readonly first: number; readonly after: string | null },
    registryNames: readonly string[],
  ): Promise<AuditPage> {
    try {
      return await readAuditPage(this.#storage, this.#cursors, { criteria, first, after, registryNames });
    } catch (error) {
      if (error instanceof BadCursor) throw error;
      this.#tellFailure(error);
      throw new AuditUnavailable(error);
    }
  }

  /** Writes the counts of minutes that are over; `isLast`: of this one, too. What cannot be written waits. Never rejects. */
  async writeCounts(isLast = false): Promise<void> {
    const lost = this.#counted.takeLost();
    if (lost > 0) this.#log.error({ lost }, 'counted events found no room in the audit trail');
    const counts = this.#counted.take(isLast);
    if (counts.length === 0) return;
    try {
      await this.#commits.append(counts.map(toEvent));
    } catch {
      this.#counted.putBack(counts);
    }
  }

  /** Writes what waits. The storage stays open. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.writeCounts(true);
    await this.#commits.whenIdle();
  }

  #tellFailure(error: unknown): void {
    const nowMs = this.#now();
    if (nowMs - this.#loggedAtMs < LOG_FAILURES_EVERY_MS) return;
    this.#loggedAtMs = nowMs;
    this.#log.error({ err: error, database: this.#storage.place }, 'the audit trail cannot be written or read');
  }
}

function toEvent({ actor, atMs, occurrences, ...entry }: EventCount) {
  return completeEvent(entry, { actor, requestId: null }, atMs, occurrences);
}

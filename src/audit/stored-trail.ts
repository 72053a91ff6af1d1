/** The audit trail of a gateway: appended to, counted in and read, over the storage that was opened for it. */
import {
  type AuditCriteria,
  type AuditEntry,
  type AuditOrigin,
  type AuditPage,
  type AuditTrail,
  AuditUnavailable,
  type CountedEntry,
  GATEWAY_ACTOR,
} from '../domain/audit.ts';
import { BadCursor } from '../domain/errors.ts';
import type { Storage } from '../storage/storage.ts';
import type { StorageLog } from '../storage/storage-log.ts';
import { writeAnchor } from './anchor-file.ts';
import { appendToChain, type ChainPlace, readChain } from './chain.ts';
import { CountedEvents, type EventCount } from './counted-events.ts';
import { AuditCursors } from './cursor.ts';
import { DenialBudget } from './denials.ts';
import { completeEvent } from './event-hash.ts';
import { GroupCommit } from './group-commit.ts';
import { ALL_EVENTS, type PageRequest, readAuditPage } from './read-events.ts';
import { pruneTrail } from './retention.ts';
import { ChainSigner } from './signature.ts';

/** How often counts of minutes that are over are looked for. */
const WRITE_COUNTS_EVERY_MS = 10_000;
const PRUNE_EVERY_MS = 3_600_000;
/** A database that is down fails each append: the log is told once in so long. */
const LOG_FAILURES_EVERY_MS = 10_000;

/** What another configuration may change. */
export interface TrailSettings {
  /** The first signs and seals, all of them verify and open. */
  readonly secrets: readonly string[];
  /** How long events are kept, in milliseconds; null: for ever. */
  readonly retentionMs: number | null;
}

export interface StoredTrailOptions {
  readonly storage: Storage;
  readonly settings: TrailSettings;
  /** Where it is written down how far the trail has come; null: nowhere. */
  readonly anchorPath: string | null;
  readonly log: StorageLog;
  /** Milliseconds since 1970. */
  readonly now?: () => number;
}

export class StoredTrail implements AuditTrail {
  readonly #storage: Storage;
  readonly #log: StorageLog;
  readonly #now: () => number;
  #cursors: AuditCursors;
  #signer: ChainSigner;
  #retentionMs: number | null;
  readonly #commits: GroupCommit;
  readonly #counted: CountedEvents;
  readonly #denials: DenialBudget;
  readonly #anchorPath: string | null;
  readonly #timers: readonly NodeJS.Timeout[];
  #pruning: Promise<void> = Promise.resolve();
  #head: ChainPlace | null = null;
  #anchored: ChainPlace | null = null;
  #loggedAtMs = Number.NEGATIVE_INFINITY;

  constructor({ storage, settings, anchorPath, log, now = Date.now }: StoredTrailOptions) {
    this.#storage = storage;
    this.#log = log;
    this.#now = now;
    this.#anchorPath = anchorPath;
    this.#cursors = new AuditCursors(settings.secrets);
    this.#signer = new ChainSigner(settings.secrets);
    this.#retentionMs = settings.retentionMs;
    this.#commits = new GroupCommit(
      async (events) => {
        this.#head = await appendToChain(storage, this.#signer, events);
        storage.health.note('UP');
      },
      (error) => this.#tellFailure(error),
    );
    this.#counted = new CountedEvents(now);
    this.#denials = new DenialBudget(now);
    this.#timers = [
      setInterval(() => void this.#writeBehind(), WRITE_COUNTS_EVERY_MS),
      setInterval(() => void this.prune(), PRUNE_EVERY_MS),
    ];
    for (const timer of this.#timers) timer.unref();
  }

  /** From now on. */
  use({ secrets, retentionMs }: TrailSettings): void {
    this.#cursors = new AuditCursors(secrets);
    this.#signer = new ChainSigner(secrets);
    this.#retentionMs = retentionMs;
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

  /**
   * Asks the database, each time: what is to be done cannot be undone, and what went well a moment ago need not go well now.
   * Nobody who only reads waits for it.
   */
  async checkWritable(): Promise<void> {
    try {
      await readChain(this.#storage.db);
    } catch (error) {
      this.#tellFailure(error);
      throw new AuditUnavailable(error);
    }
  }

  async read(
    criteria: AuditCriteria,
    { first, after }: { readonly first: number; readonly after: string | null },
    registryNames: readonly string[],
  ): Promise<AuditPage> {
    return this.#read({ criteria, first, after, registryNames });
  }

  async #read(request: PageRequest): Promise<AuditPage> {
    try {
      return await readAuditPage(this.#storage, this.#cursors, request);
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
    for (const timer of this.#timers) clearInterval(timer);
    await this.writeCounts(true);
    await Promise.all([this.#commits.whenIdle(), this.#pruning]);
    await this.#writeAnchor();
  }

  /**
   * Records that the gateway runs with another configuration than the one that was recorded last; `changes` says what is other,
   * where that is known. Throws AuditUnavailable.
   */
  async noteConfiguration(fingerprint: string, changes: readonly string[] = []): Promise<void> {
    const mark = `fingerprint ${fingerprint}`;
    const detail = [mark, ...changes].join('; ');
    const newest = { ...ALL_EVENTS, action: 'configuration.change' };
    const { events } = await this.#read({ criteria: newest, first: 1, after: null, registryNames: null });
    if (events[0]?.detail?.startsWith(mark)) return;
    const entry = { action: 'configuration.change', outcome: 'SUCCEEDED', detail } as const;
    await this.append(entry, { actor: GATEWAY_ACTOR, requestId: null });
  }

  /** Deletes what is older than events are kept. Never rejects. */
  prune(): Promise<void> {
    this.#pruning = this.#pruning.then(() => this.#prune());
    return this.#pruning;
  }

  async #prune(): Promise<void> {
    if (this.#retentionMs === null) return;
    const nowMs = this.#now();
    try {
      const deleted = await pruneTrail(this.#storage, this.#signer, { beforeMs: nowMs - this.#retentionMs, nowMs });
      if (deleted > 0) this.#log.info({ deleted }, 'events of the audit trail were deleted for their age');
    } catch (error) {
      this.#log.error({ err: error }, 'events of the audit trail could not be deleted for their age');
    }
  }

  async #writeBehind(): Promise<void> {
    await this.writeCounts();
    await this.#writeAnchor();
  }

  async #writeAnchor(): Promise<void> {
    const head = this.#head;
    if (this.#anchorPath === null || head === null || head === this.#anchored) return;
    try {
      await writeAnchor(this.#anchorPath, { ...head, database: this.#storage.place });
      this.#anchored = head;
    } catch (error) {
      this.#log.warn({ err: error }, 'it could not be written down how far the audit trail has come');
    }
  }

  #tellFailure(error: unknown): void {
    this.#storage.health.note('DOWN');
    const nowMs = this.#now();
    if (nowMs - this.#loggedAtMs < LOG_FAILURES_EVERY_MS) return;
    this.#loggedAtMs = nowMs;
    this.#log.error({ err: error, database: this.#storage.place }, 'the audit trail cannot be written or read');
  }
}

function toEvent({ actor, atMs, occurrences, ...entry }: EventCount) {
  return completeEvent(entry, { actor, requestId: null }, atMs, occurrences);
}

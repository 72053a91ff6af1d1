/**
 * What the gateway counted of its own work, over a restart: each process writes its minutes down, behind the requests, and
 * takes over those of processes that are gone. No minute is ever two processes', so that the sum over all of them is true.
 */
import type { Storage } from '../storage/storage.ts';
import type { StorageLog } from '../storage/storage-log.ts';
import type { GatewayMetrics } from '../telemetry/gateway-metrics.ts';
import type { UsageSlice } from '../telemetry/usage-part.ts';
import { parseSlice } from './slice-form.ts';

/** So much is lost by a kill. */
const WRITE_EVERY_MS = 10_000;
/** A process that counts nothing says this often that it lives. */
const SAY_ALIVE_EVERY_MS = 60_000;
/** One that has not said so for longer is gone: it missed it twice, and a slow database has had its time. */
const GONE_AFTER_MS = 150_000;
const MINUTE_MS = 60_000;
/** The longest window, and the minute that it begins in. */
const KEPT_MS = 61 * MINUTE_MS;
/** A stop waits no longer for a database that does not answer. */
const CLOSE_TIMEOUT_MS = 2_000;

export interface StoredCountsOptions {
  readonly storage: Storage;
  readonly metrics: Pick<GatewayMetrics, 'exportSlices' | 'restoreSlices'>;
  /** Equal for the processes that follow one another on one machine with one data directory and port. */
  readonly place: string;
  readonly log: StorageLog;
  /** As `Date.now()`. */
  readonly now?: () => number;
}

export class StoredCounts {
  readonly #options: StoredCountsOptions;
  readonly #now: () => number;
  readonly #writer = crypto.randomUUID();
  readonly #timer: NodeJS.Timeout;
  /** What each minute was when it was written last. */
  #written = new Map<number, string>();
  #saidAliveMs = Number.NEGATIVE_INFINITY;
  #isFailing = false;
  #writing: Promise<void> = Promise.resolve();

  /** Goes on counting whatever becomes of the database: `restore` first. */
  constructor(options: StoredCountsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
    this.#timer = setInterval(() => void this.write(), WRITE_EVERY_MS);
    this.#timer.unref();
  }

  /**
   * Takes over the minutes of the last hour of processes that are gone: that have said goodbye, were here before, or have said
   * nothing for long. Gives how many minutes that were. Never rejects.
   */
  async restore(): Promise<number> {
    try {
      const slices = await this.#takeOver();
      this.#options.metrics.restoreSlices(slices);
      return slices.length;
    } catch (error) {
      this.#tellFailure(error);
      return 0;
    }
  }

  /** Writes what has changed since it was written last. Never rejects. */
  write(): Promise<void> {
    this.#writing = this.#writing.then(() => this.#writeChanged(false));
    return this.#writing;
  }

  /** Writes a last time and says goodbye. The storage stays open. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#writing = this.#writing.then(() => this.#writeChanged(true));
    const tooLate = new Promise<void>((resolve) => {
      setTimeout(resolve, CLOSE_TIMEOUT_MS).unref();
    });
    await Promise.race([this.#writing, tooLate]);
  }

  #takeOver(): Promise<UsageSlice[]> {
    const { storage, place } = this.#options;
    const nowMs = this.#now();
    return storage.db.transaction().execute(async (transaction) => {
      // Who deletes a process's line has its minutes: of several that start at once, one.
      const gone = await transaction
        .deleteFrom('usage_writers')
        .where(({ eb, or }) =>
          or([eb('seen_ms', '<', nowMs - GONE_AFTER_MS), eb('is_closed', '=', 1), eb('place', '=', place)]),
        )
        .returning('writer')
        .execute();
      await transaction
        .insertInto('usage_writers')
        .values({ writer: this.#writer, place, seen_ms: nowMs, is_closed: 0 })
        .execute();
      if (gone.length === 0) return [];
      const rows = await transaction
        .updateTable('usage_slices')
        .set({ writer: this.#writer })
        .where(
          'writer',
          'in',
          gone.map(({ writer }) => writer),
        )
        .where('start_ms', '>', nowMs - KEPT_MS)
        .returning('slice')
        .execute();
      return rows.flatMap(({ slice }) => parseSlice(slice) ?? []);
    });
  }

  async #writeChanged(isLast: boolean): Promise<void> {
    const nowMs = this.#now();
    const slices = this.#options.metrics.exportSlices().map((slice) => ({ ...slice, text: JSON.stringify(slice) }));
    const changed = slices.filter(({ startMs, text }) => this.#written.get(startMs) !== text);
    const isQuiet = changed.length === 0 && !isLast && this.#options.storage.health.read().state === 'UP';
    if (isQuiet && nowMs - this.#saidAliveMs < SAY_ALIVE_EVERY_MS) return;
    try {
      await this.#writeSlices(changed, nowMs, isLast);
      this.#written = new Map(slices.map(({ startMs, text }) => [startMs, text]));
      this.#saidAliveMs = nowMs;
      this.#isFailing = false;
      this.#options.storage.health.note('UP');
    } catch (error) {
      this.#tellFailure(error);
    }
  }

  async #writeSlices(
    slices: readonly { readonly startMs: number; readonly text: string }[],
    nowMs: number,
    isLast: boolean,
  ): Promise<void> {
    const { storage, place } = this.#options;
    const writer = this.#writer;
    await storage.db.transaction().execute(async (transaction) => {
      const alive = { seen_ms: nowMs, is_closed: isLast ? 1 : 0 };
      await transaction
        .insertInto('usage_writers')
        .values({ writer, place, ...alive })
        .onConflict((conflict) => conflict.column('writer').doUpdateSet(alive))
        .execute();
      await transaction
        .deleteFrom('usage_slices')
        .where('start_ms', '<', nowMs - 2 * KEPT_MS)
        .execute();
      if (slices.length === 0) return;
      const startTimes = slices.map(({ startMs }) => startMs);
      // Minutes that were taken over lie there in several parts; what is counted here has them all.
      await transaction
        .deleteFrom('usage_slices')
        .where('writer', '=', writer)
        .where('start_ms', 'in', startTimes)
        .execute();
      const rows = slices.map(({ startMs, text }) => ({ writer, start_ms: startMs, slice: text }));
      await transaction.insertInto('usage_slices').values(rows).execute();
    });
  }

  /** Once, until it goes well again. */
  #tellFailure(error: unknown): void {
    this.#options.storage.health.note('DOWN');
    if (this.#isFailing) return;
    this.#isFailing = true;
    const { storage, log } = this.#options;
    log.warn(
      { err: error, database: storage.place },
      'what the gateway counts cannot be kept; it is counted in memory',
    );
  }
}

/** Keeps warm what is used most: after a start, and before it expires. In rounds, a little in each. */
import type { Usage, Used } from '../federation/usage.ts';
import { REFRESH_BEFORE_MS, WarmReading } from '../federation/warm-reading.ts';
import type { Warming } from '../federation/warming.ts';

/** Between two rounds. */
const ROUND_MS = 5_000;
/** Searches and look-ups that are read in one round: 120 a minute. Most find all that they need in the cache. */
const MOST_A_ROUND = 10;
/** What could not be made fresh is tried again after this time. */
const RETRY_MS = 5 * 60_000;
/** Between two times that what is used is kept. */
const SAVE_MS = 5 * 60_000;
/** A read that takes longer is given up; its calls to registries go on. */
const TIMEOUT_MS = 5_000;

export interface WarmerOptions {
  readonly warming: Warming;
  readonly usage: Usage;
  /** How many searches, and how many look-ups, are kept warm. */
  readonly most: number;
  /** Keeps what is used over a restart. */
  readonly saveUsage: () => Promise<void>;
  /** Told of a defect in the work, which then goes on with the next. */
  readonly onDefect: (error: unknown) => void;
}

interface Task {
  readonly key: string;
  run(reading: WarmReading): Promise<void>;
}

export class Warmer {
  readonly #options: WarmerOptions;
  /** When each is to be read again, on the clock of `Date.now()`. */
  #dueAtMs = new Map<string, number>();
  #timer: NodeJS.Timeout | null = null;
  #round: Promise<void> = Promise.resolve();
  #isClosed = false;
  #savedAtMs = performance.now();

  constructor(options: WarmerOptions) {
    this.#options = options;
  }

  /** Begins at once, and goes on until it is closed. */
  start(): void {
    if (this.#isClosed) return;
    this.#round = this.runRound()
      .catch(this.#options.onDefect)
      .finally(() => {
        if (this.#isClosed) return;
        this.#timer = setTimeout(() => this.start(), ROUND_MS);
        this.#timer.unref();
      });
  }

  /** Begins nothing more. Settles when nothing is under way. */
  async close(): Promise<void> {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    await this.#round;
    await this.#save();
  }

  /** Lists names where that is due, and reads of what is used most what is due, the most used first. */
  async runRound(): Promise<void> {
    await this.#options.warming.warmNames(new WarmReading());
    if (performance.now() - this.#savedAtMs > SAVE_MS) await this.#save();
    const tasks = this.#listTasks();
    const known = this.#dueAtMs;
    this.#dueAtMs = new Map(tasks.map(({ key }) => [key, known.get(key) ?? 0]));
    const due = tasks.filter(({ key }) => (this.#dueAtMs.get(key) ?? 0) <= Date.now()).slice(0, MOST_A_ROUND);
    // One after the other: what many want at once is not spare.
    for (const task of due) {
      if (this.#isClosed) return;
      const reading = new WarmReading();
      await task.run(reading).catch(this.#options.onDefect);
      const refreshAtMs = reading.freshUntilMs - REFRESH_BEFORE_MS;
      this.#dueAtMs.set(task.key, refreshAtMs > Date.now() ? refreshAtMs : Date.now() + RETRY_MS);
    }
  }

  async #save(): Promise<void> {
    this.#savedAtMs = performance.now();
    await this.#options.saveUsage().catch(this.#options.onDefect);
  }

  #listTasks(): readonly Task[] {
    const { usage, warming, most } = this.#options;
    const searches = usage.searches
      .list(most)
      .map(toTask('search', (item, reading) => warming.warmSearch(item, reading, TIMEOUT_MS)));
    const lookUps = usage.lookUps
      .list(most)
      .map(toTask('lookUp', (item, reading) => warming.warmLookUp(item, reading, TIMEOUT_MS)));
    // In turn: both begin with what is used most.
    return Array.from({ length: Math.max(searches.length, lookUps.length) }, (_, index) => [
      ...searches.slice(index, index + 1),
      ...lookUps.slice(index, index + 1),
    ]).flat();
  }
}

function toTask<T>(kind: string, run: (item: T, reading: WarmReading) => Promise<void>): (used: Used<T>) => Task {
  return ({ key, item }) => ({ key: `${kind} ${key}`, run: (reading) => run(item, reading) });
}

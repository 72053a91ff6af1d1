import type { EventLoopUtilization } from 'node:perf_hooks';

/** Once a second is often enough: nothing here is urgent. */
const LOOK_MS = 1_000;
/** The process is quiet while its event loop works less than this share of the time. */
const QUIET_SHARE = 0.1;

/** `performance.eventLoopUtilization`, or what stands for it. */
export type ReadUtilization = (since?: EventLoopUtilization) => EventLoopUtilization;

/**
 * Has work done while the process has little else to do. Looks only while there is some: `wake` starts it, and it sleeps
 * when the work says that there is none left.
 */
export class QuietTime {
  readonly #work: (quietSeconds: number) => Promise<boolean>;
  readonly #readUtilization: ReadUtilization;
  #timer: NodeJS.Timeout | null = null;
  #last: EventLoopUtilization;
  #quietSeconds = 0;
  #isClosed = false;

  /** `work`: called once in each quiet second, with how many there were in a row; false: nothing is left to do. */
  constructor(work: (quietSeconds: number) => Promise<boolean>, readUtilization: ReadUtilization) {
    this.#work = work;
    this.#readUtilization = readUtilization;
    this.#last = readUtilization();
  }

  /** There is work. Costs nothing while it is known. */
  wake(): void {
    if (this.#timer !== null || this.#isClosed) return;
    this.#last = this.#readUtilization();
    this.#quietSeconds = 0;
    this.#schedule();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => void this.#look(), LOOK_MS);
    this.#timer.unref();
  }

  async #look(): Promise<void> {
    const { utilization } = this.#readUtilization(this.#last);
    this.#quietSeconds = utilization < QUIET_SHARE ? this.#quietSeconds + 1 : 0;
    const isWanted = this.#quietSeconds === 0 || (await this.#work(this.#quietSeconds));
    // What was done just now must not look like the work of others.
    this.#last = this.#readUtilization();
    this.#timer = null;
    if (isWanted && !this.#isClosed) this.#schedule();
  }
}

/** Whether a storage can be used, by what those who use it have met last. */
export interface StorageHealthView {
  readonly state: 'UP' | 'DOWN';
  /** On the clock of `Date.now()`. */
  readonly sinceMs: number;
}

export class StorageHealth {
  readonly #now: () => number;
  #view: StorageHealthView;

  /** Of a storage that was opened just now. */
  constructor(now: () => number = Date.now) {
    this.#now = now;
    this.#view = { state: 'UP', sinceMs: now() };
  }

  /** Something was written or read, or that failed. */
  note(state: StorageHealthView['state']): void {
    if (state !== this.#view.state) this.#view = { state, sinceMs: this.#now() };
  }

  read(): StorageHealthView {
    return this.#view;
  }
}

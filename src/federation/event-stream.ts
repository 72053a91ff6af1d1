/** Events for one reader, who takes them at its own pace and may leave at any moment. */

type State =
  | { readonly type: 'OPEN' }
  | { readonly type: 'ENDED' }
  | { readonly type: 'FAILED'; readonly error: unknown };

/**
 * An async iterator that is fed from outside. Of what is not read yet there is one event for each key, the newest: so a
 * reader that is slow never makes it grow beyond the number of its keys. Unlike a generator's, its `return` waits for nothing.
 */
export class EventStream<T> implements AsyncIterableIterator<T, undefined, undefined> {
  readonly #unread = new Map<string, T>();
  readonly #readers: PromiseWithResolvers<IteratorResult<T, undefined>>[] = [];
  readonly #onClosed: () => void;
  #state: State = { type: 'OPEN' };

  /** `onClosed`: told once when nothing more will be taken, whoever ended it. */
  constructor(onClosed: () => void = () => undefined) {
    this.#onClosed = onClosed;
  }

  /** Whether nothing that is put here will be read any more. */
  get isClosed(): boolean {
    return this.#state.type !== 'OPEN';
  }

  /** Adds an event, or puts it in the place of the one of that key that nobody has read. */
  put(key: string, event: T): void {
    if (this.isClosed) return;
    const reader = this.#readers.shift();
    if (reader === undefined) this.#unread.set(key, event);
    else reader.resolve({ done: false, value: event });
  }

  /** The end, behind what is not read yet. */
  end(): void {
    this.#close({ type: 'ENDED' });
  }

  /** As `end`, but the reader's next read rejects with the error then, once. */
  fail(error: unknown): void {
    this.#close({ type: 'FAILED', error });
  }

  async next(): Promise<IteratorResult<T, undefined>> {
    for (const [key, value] of this.#unread) {
      this.#unread.delete(key);
      return { done: false, value };
    }
    const state = this.#state;
    switch (state.type) {
      case 'OPEN': {
        const reader = Promise.withResolvers<IteratorResult<T, undefined>>();
        this.#readers.push(reader);
        return await reader.promise;
      }
      case 'FAILED':
        this.#state = { type: 'ENDED' };
        throw state.error;
      case 'ENDED':
        return { done: true, value: undefined };
      default:
        return state satisfies never;
    }
  }

  /** The reader leaves: what was not read is dropped. */
  async return(): Promise<IteratorResult<T, undefined>> {
    this.#unread.clear();
    this.end();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<T, undefined>> {
    await this.return();
    throw error;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  #close(state: State): void {
    if (this.isClosed) return;
    this.#state = state;
    const readers = this.#readers.splice(0);
    for (const reader of readers) reader.resolve(this.next());
    this.#onClosed();
  }
}

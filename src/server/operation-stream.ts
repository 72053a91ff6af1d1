/** The results of one operation, one or many, as a client is told of them: errors in the client's words, the end always. */
import type { ExecutionResult } from 'graphql';

export interface OperationStreamOptions {
  /** Gives the results. Called once, at the first read. */
  readonly begin: () => Promise<ExecutionResult | AsyncIterable<ExecutionResult>>;
  /** Settles when the next result may be made; null: whenever it is read. */
  readonly whenWanted: (() => Promise<void>) | null;
  /** Runs what makes a result, on behalf of the request that it is made for. */
  readonly run: <T>(make: () => T) => T;
  /** Puts a result's errors into the client's words. */
  readonly translate: (result: ExecutionResult) => ExecutionResult;
  /** Turns what was thrown into a result that tells the client of it. */
  readonly describe: (error: unknown) => ExecutionResult;
  /** Settles when a result may be told: what has to be on record before it is. */
  readonly whenRecorded: () => Promise<void>;
  /** Told once: nothing more is read. */
  readonly onClosed: () => void;
}

/** Ends at any moment, whoever ends it: the reader by `return`, the gateway by `end`. */
export class OperationStream implements AsyncGenerator<ExecutionResult, undefined, undefined> {
  readonly #options: OperationStreamOptions;
  #results: AsyncIterator<ExecutionResult> | null = null;
  #isClosed = false;
  /** The last result, where the gateway ended the stream before its time. */
  #goodbye: ExecutionResult | null = null;

  constructor(options: OperationStreamOptions) {
    this.#options = options;
  }

  next(): Promise<IteratorResult<ExecutionResult, undefined>> {
    return this.#options.run(() => this.#next());
  }

  async #next(): Promise<IteratorResult<ExecutionResult, undefined>> {
    try {
      const read = await this.#read();
      await this.#options.whenRecorded();
      if (this.#isClosed) return this.#sayGoodbye();
      if (!read.done) return { done: false, value: this.#options.translate(read.value) };
      this.#close();
      return { done: true, value: undefined };
    } catch (error) {
      if (this.#isClosed) return this.#sayGoodbye();
      this.#close();
      return { done: false, value: this.#options.describe(error) };
    }
  }

  async return(): Promise<IteratorResult<ExecutionResult, undefined>> {
    this.#close();
    await this.#results?.return?.();
    return { done: true, value: undefined };
  }

  async throw(error: unknown): Promise<IteratorResult<ExecutionResult, undefined>> {
    await this.return();
    throw error;
  }

  /** The reader gets this error as the last result, in place of what it has not read. */
  async end(error: Error): Promise<void> {
    if (this.#isClosed) return;
    this.#goodbye = this.#options.describe(error);
    await this.return();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async #read(): Promise<IteratorResult<ExecutionResult, unknown>> {
    if (this.#isClosed) return { done: true, value: undefined };
    if (this.#results === null) {
      const begun = await this.#options.begin();
      this.#results = Symbol.asyncIterator in begun ? begun[Symbol.asyncIterator]() : onlyOne(begun);
      // It was left while it began.
      if (this.#isClosed) await this.#results.return?.();
    }
    await this.#options.whenWanted?.();
    return await this.#results.next();
  }

  #sayGoodbye(): IteratorResult<ExecutionResult, undefined> {
    const value = this.#goodbye;
    this.#goodbye = null;
    return value === null ? { done: true, value: undefined } : { done: false, value };
  }

  #close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#options.onClosed();
  }
}

async function* onlyOne(result: ExecutionResult): AsyncGenerator<ExecutionResult, undefined, undefined> {
  yield result;
}

import type { IncomingHttpHeaders } from 'node:http';
import type { Dispatcher } from 'undici';
import type { RegistryFailure } from '../../src/domain/errors.ts';
import { failureOfError, protocolFailure } from './failures.ts';

/** An answer as it came over the wire: complete, still compressed. */
export interface RawAnswer {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
}

/** Stands for an attempt, so that the timeout layer can end it wherever it is. */
export class Attempt {
  #ending: RegistryFailure | null = null;
  #onEnd: ((failure: RegistryFailure) => void) | null = null;

  /** Ends the attempt: its promise rejects with the failure, its connection is cut. */
  end(failure: RegistryFailure): void {
    this.#ending = failure;
    this.#onEnd?.(failure);
  }

  /** Tells whoever does the work now; at once when the attempt ended already. */
  onEnd(listener: (failure: RegistryFailure) => void): void {
    this.#onEnd = listener;
    if (this.#ending !== null) listener(this.#ending);
  }
}

/**
 * Sends one request and gathers its answer. undici's `dispatch` is used itself: a stream and an AbortSignal for every call
 * cost more than the call. `maxBytes` bounds what is read before it is decompressed. What `describe` throws rejects.
 */
export function receiveAnswer(
  dispatcher: Dispatcher,
  describe: () => Dispatcher.DispatchOptions,
  registryName: string,
  maxBytes: number,
  attempt: Attempt,
): Promise<RawAnswer> {
  return new Promise((resolve, reject) => {
    dispatcher.dispatch(describe(), new Receiver(registryName, maxBytes, attempt, resolve, reject));
  });
}

class Receiver implements Dispatcher.DispatchHandler {
  readonly #registryName: string;
  readonly #maxBytes: number;
  readonly #resolve: (answer: RawAnswer) => void;
  readonly #reject: (failure: RegistryFailure) => void;
  readonly #chunks: Buffer[] = [];
  #controller: Dispatcher.DispatchController | null = null;
  #failure: RegistryFailure | null = null;
  #statusCode = 0;
  #headers: IncomingHttpHeaders = {};
  #sizeBytes = 0;

  constructor(
    registryName: string,
    maxBytes: number,
    attempt: Attempt,
    resolve: (answer: RawAnswer) => void,
    reject: (failure: RegistryFailure) => void,
  ) {
    this.#registryName = registryName;
    this.#maxBytes = maxBytes;
    this.#resolve = resolve;
    this.#reject = reject;
    attempt.onEnd((failure) => this.#fail(failure));
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // The attempt may have ended while it waited for a connection.
    if (this.#failure !== null) controller.abort(this.#failure);
  }

  onResponseStart(_controller: Dispatcher.DispatchController, statusCode: number, headers: IncomingHttpHeaders): void {
    this.#statusCode = statusCode;
    this.#headers = headers;
  }

  onResponseData(_controller: Dispatcher.DispatchController, chunk: Buffer): void {
    this.#sizeBytes += chunk.length;
    if (this.#sizeBytes <= this.#maxBytes) this.#chunks.push(chunk);
    else this.#fail(protocolFailure(this.#registryName, `more than ${this.#maxBytes} bytes`, this.#statusCode));
  }

  onResponseEnd(): void {
    const [only] = this.#chunks;
    const body = only !== undefined && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks, this.#sizeBytes);
    this.#resolve({ statusCode: this.#statusCode, headers: this.#headers, body });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#reject(this.#failure ?? failureOfError(this.#registryName, error, this.#statusCode !== 0));
  }

  #fail(failure: RegistryFailure): void {
    if (this.#failure !== null) return;
    this.#failure = failure;
    this.#reject(failure);
    this.#controller?.abort(failure);
  }
}

import type { UpstreamRequest, UpstreamResponse, Waiters } from './layer.ts';

/** Beyond this (24 days) Node's timers fire at once; no call takes as long. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Somebody who waits for a call: told once, by one of these. */
interface Caller {
  /** On the clock of `performance.now()`. */
  readonly deadlineMs: number;
  answer(response: UpstreamResponse): void;
  fail(failure: unknown): void;
  /** The deadline has passed. The call goes on. */
  expire(): void;
}

/**
 * One call to a registry that is under way, and all who wait for it (contract 5.10). Nobody owns it: it goes on when the one
 * who began it leaves, and its latest deadline is that of all who joined. Each waits to a deadline of its own. Once it has
 * landed it holds nothing any more: a map that has lived for long leaves copies of itself behind as flights come and go, which
 * hold these until the whole heap is collected.
 */
export class Flight {
  readonly key: string;
  #request: UpstreamRequest | null;
  /**
   * On the clock of `Date.now()`. Whoever wants nothing from before the next millisecond is served by a call that begins in
   * this one: it was begun for that, and all who want the same share it.
   */
  readonly startedAtMs: number;
  /** On the clock of `performance.now()`. */
  readonly startedMs = performance.now();
  /** The cache's epoch when it began. */
  readonly epoch: number;
  #waiting: Waiting[] = [];

  constructor(key: string, request: UpstreamRequest, epoch: number) {
    this.key = key;
    this.#request = request;
    this.epoch = epoch;
    this.startedAtMs = Math.max(Date.now(), request.notBeforeMs);
  }

  /** What is asked. Throws once it has landed. */
  get request(): UpstreamRequest {
    if (this.#request === null) throw new RangeError('what a flight asks for must be read before it lands');
    return this.#request;
  }

  get hasCallers(): boolean {
    return this.#waiting.length > 0;
  }

  join(waiters: Waiters): void {
    const own = this.request.waiters;
    if (waiters === own) return;
    own.latestDeadlineMs = Math.max(own.latestDeadlineMs, waiters.latestDeadlineMs);
    if (!own.background || waiters.background) return;
    own.background = false;
    own.onForeground?.();
  }

  wait(caller: Caller): void {
    this.#waiting.push(new Waiting(caller));
  }

  answer(response: UpstreamResponse): void {
    for (const waiting of this.#land()) waiting.end()?.answer(response);
  }

  fail(failure: unknown): void {
    for (const waiting of this.#land()) waiting.end()?.fail(failure);
  }

  #land(): readonly Waiting[] {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#request = null;
    return waiting;
  }
}

class Waiting {
  #caller: Caller | null;
  #timer: NodeJS.Timeout | null = null;

  constructor(caller: Caller) {
    this.#caller = caller;
    const waitMs = caller.deadlineMs - performance.now();
    if (waitMs > LONGEST_TIMER_MS) return;
    // One turn later: what arrived while this process was busy is still in time.
    this.#timer = setTimeout(() => setImmediate(() => this.end()?.expire()), Math.max(0, waitMs));
  }

  /** The caller, for the first who asks. */
  end(): Caller | null {
    const caller = this.#caller;
    this.#caller = null;
    if (this.#timer !== null) clearTimeout(this.#timer);
    return caller;
  }
}

/** What callers do with what they are told: one object for all of them. */
export interface Outcomes {
  noteAnswer(response: UpstreamResponse, request: UpstreamRequest): void;
  standIn(key: string, request: UpstreamRequest, failure: unknown): UpstreamResponse | null;
  makeTimeout(): unknown;
}

/** A caller who waits for a call. */
export class Asking implements Caller {
  readonly #outcomes: Outcomes;
  readonly #key: string;
  readonly #request: UpstreamRequest;
  readonly #resolve: (response: UpstreamResponse) => void;
  readonly #reject: (failure: unknown) => void;

  constructor(
    outcomes: Outcomes,
    key: string,
    request: UpstreamRequest,
    resolve: (response: UpstreamResponse) => void,
    reject: (failure: unknown) => void,
  ) {
    this.#outcomes = outcomes;
    this.#key = key;
    this.#request = request;
    this.#resolve = resolve;
    this.#reject = reject;
  }

  get deadlineMs(): number {
    return this.#request.deadlineMs;
  }

  answer(response: UpstreamResponse): void {
    this.#outcomes.noteAnswer(response, this.#request);
    this.#resolve(response);
  }

  fail(failure: unknown): void {
    const response = this.#outcomes.standIn(this.#key, this.#request, failure);
    if (response === null) this.#reject(failure);
    else this.#resolve(response);
  }

  expire(): void {
    this.fail(this.#outcomes.makeTimeout());
  }
}

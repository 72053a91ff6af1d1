import Bottleneck from 'bottleneck';
import type { RegistryConfig } from '../../src/config/config.ts';
import { RegistryFailure } from '../../src/domain/errors.ts';
import { Gate, type ShareAccount } from './gate.ts';
import type { Layer, UpstreamObserver, UpstreamRequest, UpstreamResponse } from './layer.ts';

/** How many of a waiting room stand at the gate at once: bottleneck needs some milliseconds to send the next one there. */
const AT_THE_GATE = 8;

/**
 * Keeps a registry's `rateLimit` (contract 2). A call that may go at once goes at once, decided by the gate without a
 * timer or a promise: bottleneck adds some five milliseconds to an idle job and passes 400 jobs a second at most. Only
 * calls that must wait go through it: it is the waiting room, first come first served, one for those whom somebody waits
 * for and one for background work. What is exact about the limit is the gate's account alone, which both paths take from.
 */
export class Limiter {
  readonly #registryName: string;
  readonly #gate: Gate;
  readonly #maxQueue: number;
  readonly #observer: UpstreamObserver;
  readonly #rooms = {
    foreground: new Bottleneck({ maxConcurrent: AT_THE_GATE }),
    background: new Bottleneck({ maxConcurrent: AT_THE_GATE }),
  };
  readonly #waiting = { foreground: 0, background: 0 };
  #closed = false;

  /** `share`: makes the account of the limit, where it is not this process's alone. */
  constructor(
    registryName: string,
    limit: RegistryConfig['rateLimit'],
    observer: UpstreamObserver,
    share: ShareAccount | null = null,
  ) {
    this.#registryName = registryName;
    this.#gate = new Gate(limit, share);
    // Without a limit there is a queue only while the registry asked for a pause.
    this.#maxQueue = limit?.maxQueue ?? 200;
    this.#observer = observer;
  }

  readonly layer: Layer = (next) => {
    const pass = (request: UpstreamRequest) => next(request).then(this.#leave, this.#leaveFailed);
    return (request) => {
      const { background } = request.waiters;
      const nobodyBefore = this.#waiting.foreground === 0 && (!background || this.#waiting.background === 0);
      if (nobodyBefore && this.#gate.tryEnter(background)) return pass(request);
      // A look at what all share takes less than the waiting room.
      const replenished = nobodyBefore ? this.#gate.replenish() : null;
      if (replenished === null) return this.#wait(request).then(() => pass(request));
      return replenished.then(() =>
        this.#gate.tryEnter(background) ? pass(request) : this.#wait(request).then(() => pass(request)),
      );
    };
  };

  readonly #leave = (response: UpstreamResponse): UpstreamResponse => {
    this.#gate.leave();
    return response;
  };

  readonly #leaveFailed = (error: unknown): never => {
    this.#notePause(error);
    this.#gate.leave();
    throw error;
  };

  /** Calls in the queue. */
  get queued(): number {
    return this.#waiting.foreground + this.#waiting.background;
  }

  /** @see Gate.pauseFor */
  pauseFor(durationMs: number): void {
    this.#gate.pauseFor(durationMs);
  }

  /** @see Gate.tryTakeToken */
  tryTakeToken(): boolean {
    return this.#gate.tryTakeToken();
  }

  async close(): Promise<void> {
    this.#closed = true;
    const stopped = [this.#rooms.foreground, this.#rooms.background].map((room) => room.stop());
    this.#gate.close();
    await Promise.all(stopped);
  }

  /** 429, and 503 with Retry-After: the registry says itself how long it wants to be left alone. */
  #notePause(error: unknown): void {
    if (!(error instanceof RegistryFailure) || error.refusedHere || error.retryAfterMs === null) return;
    if (error.type !== 'RATE_LIMIT' && error.type !== 'SERVER') return;
    this.#gate.pauseFor(error.retryAfterMs);
    this.#observer.onPause(error.retryAfterMs);
  }

  async #wait(request: UpstreamRequest): Promise<void> {
    const room = request.waiters.background ? 'background' : 'foreground';
    const before = this.#waiting[room];
    const waitMs = this.#gate.estimateWaitMs(before);
    if (before >= this.#maxQueue || performance.now() + waitMs > latestStartMs(request))
      throw this.#refusal(waitMs, request);
    this.#waiting[room] += 1;
    try {
      const place = this.#reservePlace(request);
      // A user who joins background work is not made to wait for the budget that this waits for, nor in its room.
      request.waiters.onForeground = () => {
        void place.stand();
        this.#gate.open();
      };
      const admitted = await Promise.race([this.#rooms[room].schedule(place.stand), place.admitted]);
      if (!admitted) throw new RegistryFailure('TIMEOUT', this.#registryName, { refusedHere: true });
    } catch (error) {
      if (error instanceof RegistryFailure) throw error;
      throw new RegistryFailure('CONNECTION', this.#registryName, { refusedHere: true, cause: error });
    } finally {
      this.#waiting[room] -= 1;
    }
  }

  /** A place at the gate, taken once however often it is stood there. */
  #reservePlace(request: UpstreamRequest): { readonly admitted: Promise<boolean>; stand(): Promise<boolean> } {
    const { promise: admitted, resolve: admit } = Promise.withResolvers<boolean>();
    let isStanding = false;
    const stand = () => {
      if (!isStanding) {
        isStanding = true;
        this.#gate.stand({
          isBackground: () => request.waiters.background,
          isWanted: () => !this.#closed && performance.now() < latestStartMs(request),
          admit,
        });
      }
      return admitted;
    };
    return { admitted, stand };
  }

  #refusal(waitMs: number, { waiters }: UpstreamRequest): RegistryFailure {
    // Work that found no spare budget is no sign that the budget is too small.
    if (!waiters.background) this.#observer.onRateLimitRefusal();
    return new RegistryFailure('RATE_LIMIT', this.#registryName, {
      refusedHere: true,
      retryAfterMs: Math.max(1, Math.ceil(waitMs)),
    });
  }
}

/** When the last waiter will have gone. Somebody without a deadline waits as long as the call itself may take. */
function latestStartMs(request: UpstreamRequest): number {
  const { latestDeadlineMs } = request.waiters;
  if (latestDeadlineMs !== Number.POSITIVE_INFINITY) return latestDeadlineMs;
  return performance.now() + request.timeoutMs;
}

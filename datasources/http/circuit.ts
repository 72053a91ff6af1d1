import CircuitBreaker from 'opossum';
import type { RegistryConfig } from '../../src/config/config.ts';
import { RegistryFailure } from '../../src/domain/errors.ts';
import type { CircuitView } from '../../src/domain/registry.ts';
import {
  CALL_OPERATIONS,
  type CallOperation,
  type Handler,
  type Layer,
  type UpstreamObserver,
  type UpstreamRequest,
  type UpstreamResponse,
} from './layer.ts';

/** opossum counts in this many parts of the window. */
const WINDOW_PARTS = 10;

/**
 * The circuits of one registry, one for each operation: a search that is broken must not cut look-ups off. `refuseIfOpen`
 * stands before the limiter, so that a dead registry is refused at once and not after a place in a queue; `breaker` stands
 * inside it, so that waiting in our queue never counts as the registry's failure.
 */
export class Circuits {
  readonly #registryName: string;
  readonly #options: RegistryConfig['circuit'];
  readonly #observer: UpstreamObserver;
  readonly #circuits = new Map<CallOperation, Circuit>();

  constructor(registryName: string, options: RegistryConfig['circuit'], observer: UpstreamObserver) {
    this.#registryName = registryName;
    this.#options = options;
    this.#observer = observer;
  }

  /** Layer: refuses with CIRCUIT_OPEN and the time until the next attempt, without asking anybody. */
  readonly refuseIfOpen: Layer = (next) => (request) => {
    const circuit = this.#circuits.get(request.operation);
    return circuit?.refuses() ? Promise.reject(this.#refusal(circuit)) : next(request);
  };

  /** Layer: counts failures and opens. */
  readonly breaker: Layer = (next) => {
    for (const operation of CALL_OPERATIONS) {
      this.#circuits.set(operation, new Circuit(operation, next, this.#options, this.#observer));
    }
    return (request) => {
      const circuit = this.#circuits.get(request.operation);
      if (circuit === undefined) return next(request);
      // It may have opened, or the registry been closed, while the call stood in the limiter's queue.
      if (circuit.isShut) {
        return Promise.reject(new RegistryFailure('CONNECTION', this.#registryName, { refusedHere: true }));
      }
      return circuit.refuses() ? Promise.reject(this.#refusal(circuit)) : circuit.fire(request);
    };
  };

  /** Whether a call of this operation would be let through now. */
  admits(operation: CallOperation): boolean {
    return !(this.#circuits.get(operation)?.refuses() ?? false);
  }

  /** Closes the circuit of the operation, or all of them (null): what failed before counts no more. */
  reset(operation: CallOperation | null): void {
    for (const [each, circuit] of this.#circuits) if (operation === null || operation === each) circuit.reset();
  }

  read(): readonly CircuitView[] {
    return [...this.#circuits.values()].map((circuit) => circuit.view);
  }

  /** Opens those that are closed, as if their calls had failed too often. */
  openAll(): void {
    for (const circuit of this.#circuits.values()) if (circuit.view.state === 'CLOSED') circuit.open();
  }

  /** Another process has found that calls fail, or that they do no longer: the next call is tried, and decides. */
  tryNext(operation: CallOperation, found: 'OPEN' | 'CLOSED'): void {
    this.#circuits.get(operation)?.tryNext(found);
  }

  /** No call goes through any more. */
  shutDown(): void {
    for (const circuit of this.#circuits.values()) circuit.shutDown();
  }

  #refusal(circuit: Circuit): RegistryFailure {
    const { nextAttemptAtMs } = circuit.view;
    return new RegistryFailure('CIRCUIT_OPEN', this.#registryName, {
      refusedHere: true,
      // Half open with its one probe on the way: the probe's answer decides, and no moment is known before it.
      retryAfterMs: nextAttemptAtMs === null ? null : Math.max(0, nextAttemptAtMs - Date.now()),
    });
  }
}

class Circuit {
  readonly #next: Handler;
  readonly #options: RegistryConfig['circuit'];
  readonly #observer: UpstreamObserver;
  #breaker: CircuitBreaker<[UpstreamRequest], UpstreamResponse>;
  #view: CircuitView;
  /** One call decides. ASKED: the next one. RUNNING: it is under way, and the others are refused. */
  #trial: 'NONE' | 'ASKED' | 'RUNNING' = 'NONE';
  #trialUntilMs = 0;
  /** Its opening was this process's discovery; so is its closing then. */
  #isDiscovery = false;

  constructor(operation: CallOperation, next: Handler, options: RegistryConfig['circuit'], observer: UpstreamObserver) {
    this.#next = next;
    this.#options = options;
    this.#observer = observer;
    this.#view = { operation, state: 'CLOSED', sinceMs: Date.now(), nextAttemptAtMs: null };
    this.#breaker = this.#createBreaker();
  }

  #createBreaker(): CircuitBreaker<[UpstreamRequest], UpstreamResponse> {
    const options = this.#options;
    const breaker = new CircuitBreaker(this.#next, {
      // Time is the timeout layer's alone; opossum's cache, coalescing, capacity and abort controller stay off.
      timeout: false,
      errorThresholdPercentage: options.errorThresholdPercentage,
      volumeThreshold: options.volumeThreshold,
      rollingCountTimeout: options.window,
      rollingCountBuckets: WINDOW_PARTS,
      rollingPercentilesEnabled: false,
      enableSnapshots: false,
      resetTimeout: options.resetTimeout,
      errorFilter: (error: unknown) => !speaksOfRegistry(error),
    });
    breaker.on('open', () => this.#enter('OPEN'));
    breaker.on('halfOpen', () => this.#enter('HALF_OPEN'));
    breaker.on('close', () => this.#enter('CLOSED'));
    return breaker;
  }

  #enter(state: CircuitView['state']): void {
    const { operation } = this.#view;
    const nowMs = Date.now();
    const nextAttemptAtMs = state === 'OPEN' ? nowMs + this.#options.resetTimeout : null;
    const wasClosed = this.#view.state === 'CLOSED';
    if (wasClosed) this.#isDiscovery = this.#trial !== 'RUNNING';
    this.#view = { operation, state, sinceMs: nowMs, nextAttemptAtMs };
    this.#observer.onCircuitChange(this.#view, this.#isDiscovery && (wasClosed || state === 'CLOSED'));
  }

  get view(): CircuitView {
    return this.#view;
  }

  /** No call goes through it any more. */
  get isShut(): boolean {
    return this.#breaker.isShutdown;
  }

  /** Open, or half open with its one probe under way. */
  refuses(): boolean {
    if (this.#trial === 'RUNNING') return true;
    return !this.#breaker.closed && !this.#breaker.pendingClose && !this.isShut && !this.#isTried();
  }

  fire(request: UpstreamRequest): Promise<UpstreamResponse> {
    return this.#isTried() ? this.#try(request) : this.#breaker.fire(request);
  }

  tryNext(found: 'OPEN' | 'CLOSED'): void {
    if (this.isShut || this.#trial !== 'NONE' || this.#breaker.closed === (found === 'CLOSED')) return;
    this.#trial = 'ASKED';
    this.#trialUntilMs = performance.now() + this.#options.resetTimeout;
  }

  #isTried(): boolean {
    if (this.#trial === 'ASKED' && performance.now() > this.#trialUntilMs) this.#trial = 'NONE';
    return this.#trial === 'ASKED';
  }

  async #try(request: UpstreamRequest): Promise<UpstreamResponse> {
    this.#trial = 'RUNNING';
    try {
      const response = await this.#next(request);
      if (!this.#breaker.closed) this.close();
      return response;
    } catch (error) {
      if (this.#breaker.closed && speaksOfRegistry(error)) this.open();
      throw error;
    } finally {
      this.#trial = 'NONE';
    }
  }

  open(): void {
    if (!this.isShut) this.#breaker.open();
  }

  /** A new breaker: closed by its own means, opossum's would open again at the next failure, by what it had counted. */
  reset(): void {
    if (this.isShut) return;
    this.#breaker.shutdown();
    this.#breaker = this.#createBreaker();
    // What an administrator says, the other processes are told as if it had been found out here.
    this.#isDiscovery = true;
    if (this.#view.state !== 'CLOSED') this.#enter('CLOSED');
  }

  close(): void {
    if (!this.isShut) this.#breaker.close();
  }

  shutDown(): void {
    this.#breaker.shutdown();
  }
}

/** Failures that say the registry is ill. The others speak of the request, the credentials or the pace. */
function speaksOfRegistry(error: unknown): boolean {
  if (!(error instanceof RegistryFailure)) return true;
  switch (error.type) {
    case 'CONNECTION':
    case 'TIMEOUT':
    case 'PROTOCOL':
    case 'SERVER':
    case 'TLS':
      return true;
    case 'AUTHENTICATION':
    case 'AUTHORIZATION':
    case 'RATE_LIMIT':
    case 'CIRCUIT_OPEN':
    case 'NOT_FOUND':
    case 'CONFLICT':
    case 'INVALID':
    case 'READ_ONLY':
      return false;
  }
}

/** Lets requests in, as many as each caller may send. */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import { type CallerQuotas, makeCallerKey, type Quota } from '../access/caller-quotas.ts';
import { createClientAddressReader, type ReadClientAddress } from '../access/client-address.ts';
import { Unauthenticated } from '../access/errors.ts';

export interface AdmissionOptions {
  readonly quotas: CallerQuotas;
  readonly trustedProxies: readonly string[];
  readonly log: { warn(detail: object, message: string): void };
}

/** A request, and where it is noted what is left to whoever sent it. */
interface Admitted {
  readonly request: IncomingMessage;
  quota: Quota | null;
}

export class Admission {
  readonly #quotas: CallerQuotas;
  readonly #isLimiting: boolean;
  readonly #readAddress: ReadClientAddress;
  readonly #trustsNobody: boolean;
  readonly #log: AdmissionOptions['log'];
  /** Of connections that tell nothing but their own address. */
  readonly #keys = new WeakMap<Socket, string>();
  #hasWarned = false;

  constructor({ quotas, trustedProxies, log }: AdmissionOptions) {
    this.#quotas = quotas;
    this.#isLimiting = quotas.isLimiting;
    this.#readAddress = createClientAddressReader(trustedProxies);
    this.#trustsNobody = trustedProxies.length === 0;
    this.#log = log;
  }

  /**
   * Counts a request of a caller, or of the address where `callerKey` is null. Throws RateLimited; what is left to the caller is
   * told by the answer in either case.
   */
  admit(exchange: Admitted, callerKey: string | null): void {
    if (!this.#isLimiting) return;
    const nowMs = Date.now();
    const quota = this.#quotas.of(callerKey ?? this.#addressKey(exchange.request), nowMs);
    exchange.quota = quota;
    quota.takeRequest(nowMs);
  }

  /**
   * The error to tell of a request whose caller could not be established. Each wrong proof counts against its address, so
   * that nobody tries keys or tokens without end; those that are right do not.
   */
  refuse(exchange: Admitted, error: unknown): unknown {
    if (!(error instanceof Unauthenticated)) return error;
    try {
      this.admit(exchange, null);
      return error;
    } catch (limited) {
      return limited;
    }
  }

  /** What stands for whoever sends a request: the caller, or its address where `callerKey` is null. */
  keyOf(request: IncomingMessage, callerKey: string | null): string {
    return callerKey ?? this.#addressKey(request);
  }

  #addressKey({ socket, headers }: IncomingMessage): string {
    const forwardedFor = headers['x-forwarded-for'];
    if (forwardedFor !== undefined && this.#trustsNobody) this.#warnOnce();
    if (forwardedFor !== undefined && !this.#trustsNobody)
      return makeCallerKey(`@${this.#readAddress(socket.remoteAddress, String(forwardedFor))}`);
    let key = this.#keys.get(socket);
    if (key === undefined) {
      key = makeCallerKey(`@${this.#readAddress(socket.remoteAddress, undefined)}`);
      this.#keys.set(socket, key);
    }
    return key;
  }

  #warnOnce(): void {
    if (this.#hasWarned) return;
    this.#hasWarned = true;
    this.#log.warn(
      { setting: 'server.trustedProxies' },
      'a request came with X-Forwarded-For, and no proxy is trusted: all anonymous callers behind one proxy are counted as one',
    );
  }
}

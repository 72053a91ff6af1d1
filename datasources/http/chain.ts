import { createHash } from 'node:crypto';
import type { LookupFunction } from 'node:net';
import type { RegistryConfig } from '../../src/config/config.ts';
import type { CallerToken } from '../../src/domain/caller-token.ts';
import type { CertificateView, CircuitView } from '../../src/domain/registry.ts';
import type { CallTracer } from '../../src/domain/trace.ts';
import { CacheLayer } from './cache.ts';
import { Circuits } from './circuit.ts';
import { openConnections } from './connect.ts';
import { createAuthorize } from './credentials.ts';
import type { AnswerCache } from './kept-answers.ts';
import type { CallOperation, Handler, Layer, UpstreamObserver, UpstreamRequest } from './layer.ts';
import { Limiter } from './limiter.ts';
import { createMeasureLayer } from './measure.ts';
import { createRetryLayer } from './retry.ts';
import { createSend } from './send.ts';
import { type Lender, SharedAccount } from './shared-account.ts';
import { createTimeoutLayer } from './timeout.ts';
import { createTraceLayer } from './trace.ts';

export interface UpstreamOptions {
  readonly cache: AnswerCache;
  readonly observer: UpstreamObserver;
  /** Has the account of the rate limit for several processes; null: there is one process. */
  readonly lender?: Lender | null;
  /** null: nothing is traced. */
  readonly tracer?: CallTracer | null;
  /** Stands for the system's resolver. */
  readonly lookup?: LookupFunction;
}

/** A registry's HTTP side, all layers joined. */
export interface Upstream {
  /** The registry, its address and credentials: the same in every process that has them. */
  readonly identity: string;
  readonly call: Handler;
  /** Past the cache: what is sent is neither kept nor shared. */
  readonly publish: Handler;
  /** One attempt outside cache, circuits and limiter: for health checks, which must see what is, and change nothing. */
  readonly probe: Handler;
  /** Until when the answer to a path is given without asking, on the clock of `Date.now()`; 0: it would be asked for. */
  peek(path: string, token: CallerToken | null): number;
  /** What is kept of a path, however old; undefined: nothing. Never rejects. */
  recall(path: string, parse: UpstreamRequest['parse'], token: CallerToken | null): Promise<unknown>;
  admits(operation: CallOperation): boolean;
  /** Closes the circuit of the operation, or all (null), as if nothing had ever failed. */
  resetCircuit(operation: CallOperation | null): void;
  readCircuits(): readonly CircuitView[];
  /** Another process has found a circuit to be so: the next call is tried. */
  tryNext(operation: CallOperation, found: 'OPEN' | 'CLOSED'): void;
  /** Leaves the registry alone for a while. */
  pauseFor(durationMs: number): void;
  /** Opens those that are closed, as if their calls had failed too often. */
  openCircuits(): void;
  /** Closes those that are not. */
  closeCircuits(): void;
  /** The certificate that was presented last; null: none was. */
  readCertificate(): CertificateView | null;
  /** Looks at the certificate that is presented now, trusted or not, so that it can be read. Never rejects. */
  inspectCertificate(timeoutMs: number): Promise<void>;
  countQueued(): number;
  close(): Promise<void>;
}

/**
 * Joins the layers of one registry. The order is written here and nowhere else, outermost first; why it is this one is in
 * this folder's README. Throws when the credentials cannot be read.
 */
export function openUpstream(config: RegistryConfig, options: UpstreamOptions): Upstream {
  const { name } = config;
  const { observer } = options;
  const connections = openConnections(config, options.lookup);
  const send = createSend({
    registryName: name,
    url: config.url,
    dispatcher: connections.dispatcher,
    authorize: createAuthorize(name, config.credentials),
  });
  const circuits = new Circuits(name, config.circuit, observer);
  const identity = describeIdentity(config);
  const { lender = null } = options;
  const limiter = new Limiter(
    name,
    config.rateLimit,
    observer,
    lender && ((limit, gate) => new SharedAccount(identity, limit, lender, gate)),
  );
  const { staleWhileRevalidate, staleIfError } = config.cache;
  const cache = new CacheLayer({
    registryName: name,
    store: options.cache,
    scope: `${identity} `,
    leniency: { staleWhileRevalidateMs: staleWhileRevalidate, staleIfErrorMs: staleIfError },
    observer,
  });
  const retry = createRetryLayer({ ...config.retry, takeToken: () => limiter.tryTakeToken(), observer });
  const timeout = createTimeoutLayer(name);

  const layers: readonly Layer[] = [
    circuits.refuseIfOpen,
    limiter.layer,
    circuits.breaker,
    retry,
    ...(options.tracer ? [createTraceLayer(name, options.tracer)] : []),
    createMeasureLayer(observer),
    timeout,
  ];

  const publish = layers.reduceRight((next, layer) => layer(next), send);

  return {
    identity,
    call: cache.layer(publish),
    publish,
    probe: timeout(send),
    peek: (path, token) => cache.peek(path, token),
    recall: (path, parse, token) => cache.recall(path, parse, token),
    admits: (operation) => circuits.admits(operation),
    resetCircuit: (operation) => circuits.reset(operation),
    readCircuits: () => circuits.read(),
    tryNext: (operation, found) => circuits.tryNext(operation, found),
    pauseFor: (durationMs) => limiter.pauseFor(durationMs),
    openCircuits: () => circuits.openAll(),
    closeCircuits: () => circuits.closeAll(),
    readCertificate: () => connections.readCertificate(),
    inspectCertificate: (timeoutMs) => connections.inspectCertificate(timeoutMs),
    countQueued: () => limiter.queued,
    async close() {
      circuits.shutDown();
      await limiter.close();
      await connections.close();
    },
  };
}

/**
 * Answers belong to a registry, its address and the credentials they were given to, and are kept as they were read; none of
 * that can be read off it.
 */
function describeIdentity(config: RegistryConfig): string {
  const identity = JSON.stringify([config.url, config.credentials, config.kind, config.popularityScale]);
  return `${config.name} ${createHash('sha256').update(identity).digest('base64url').slice(0, 16)}`;
}

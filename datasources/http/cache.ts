import { RegistryFailure } from '../../src/domain/errors.ts';
import type { CacheOutcome } from '../../src/domain/search.ts';
import type { Layer, UpstreamObserver, UpstreamRequest, UpstreamResponse } from './layer.ts';

/** A 404 is kept this long at most: a template that was just published must not stay unknown for an hour. */
const ABSENCE_LIFETIME_MS = 60_000;
/** A parsed body weighs about this many times its bytes. */
const PARSED_WEIGHT = 3;

/** Beyond this (24 days) Node's timers fire at once; no call takes as long. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Where answers are kept; `src/cache` has one. Values are shared and never changed. */
export interface AnswerCache {
  get(key: string): Promise<unknown>;
  set(key: string, value: { readonly sizeBytes: number }, keepMs: number): Promise<void>;
  delete(key: string): Promise<void>;
}

export interface CacheLayerOptions {
  readonly registryName: string;
  readonly store: AnswerCache;
  /** Before every key: the registry, its URL and whose credentials. */
  readonly scope: string;
  /** How long after its lifetime an answer may stand in for one that cannot be had. 0: never. */
  readonly staleIfErrorMs: number;
  readonly observer: UpstreamObserver;
}

/**
 * An answer in the cache: as the bytes that came, until it is used again, as what was parsed from them afterwards. Most
 * windows of a search are never used again, and thousands of small objects in each would be carried along by every
 * collection of garbage: that costs a search more than parsing a window a second time does. The class is how an answer is
 * told apart from whatever else a store might hold.
 */
class CachedAnswer {
  readonly freshUntilMs: number;
  #response: UpstreamResponse;

  constructor(response: UpstreamResponse, freshUntilMs: number) {
    this.freshUntilMs = freshUntilMs;
    this.#response = response.body === null ? response : { ...response, value: null };
  }

  get sizeBytes(): number {
    return this.#response.sizeBytes * (this.isParsed ? PARSED_WEIGHT : 1);
  }

  get isParsed(): boolean {
    return this.#response.body === null;
  }

  /** What can be told without the value. */
  get head(): Pick<UpstreamResponse, 'etag' | 'fetchedAtMs'> {
    return this.#response;
  }

  /** The whole answer; `parse` is that of the request, whose path says how an answer to it is parsed. */
  read(parse: UpstreamRequest['parse']): UpstreamResponse {
    const { body } = this.#response;
    if (body !== null) this.#response = { ...this.#response, value: parse(body), body: null };
    return this.#response;
  }
}

/**
 * Answers from the cache while an answer is fresh; asks otherwise, conditionally where the registry gave an ETag. Here,
 * and nowhere below, a caller's deadline ends its waiting: the call goes on, and what it brings is kept. When no fresh
 * answer can be had in time, an old one within `staleIfError` is given and says so (contract 5.5), but never in place of
 * a 401, 403 or 404: those are answers, and they end what was kept.
 */
export function createCacheLayer(options: CacheLayerOptions): Layer {
  const kept = new WeakSet<UpstreamResponse>();

  return (next) => async (request) => {
    const key = options.scope + request.path;
    const found = await options.store.get(key);
    const cached = found instanceof CachedAnswer ? found : null;
    if (cached !== null && isFresh(cached, request)) {
      options.observer.onCacheOutcome('HIT');
      return { ...use(key, request, cached), freshUntilMs: cached.freshUntilMs, cache: 'HIT' };
    }
    if (request.deadlineMs <= performance.now()) {
      return standIn(key, request, cached, new RegistryFailure('TIMEOUT', options.registryName, { refusedHere: true }));
    }
    const etag = cached?.head.etag ?? null;
    const call = next(etag === null ? request : { ...request, etag }).then(
      (response) => keep(key, request, response, cached),
      (failure: unknown) => forget(key, failure),
    );
    try {
      const response = await beforeDeadline(call, request.deadlineMs, options.registryName);
      options.observer.onCacheOutcome(response.cache);
      return response;
    } catch (failure) {
      return standIn(key, request, cached, failure);
    }
  };

  /** From now on it is kept parsed, and weighs more. */
  function use(key: string, request: UpstreamRequest, cached: CachedAnswer): UpstreamResponse {
    if (cached.isParsed) return cached.read(request.parse);
    const response = cached.read(request.parse);
    const keepMs = cached.freshUntilMs + options.staleIfErrorMs - Date.now();
    if (keepMs > 0) void options.store.set(key, cached, keepMs);
    return response;
  }

  /** Called for everybody who shared the call; only the first has something to do. */
  function keep(key: string, request: UpstreamRequest, answer: UpstreamResponse, cached: CachedAnswer | null) {
    const outcome: CacheOutcome = answer.directives.noStore ? 'BYPASS' : 'MISS';
    const whole: UpstreamResponse =
      answer.outcome === 'UNCHANGED' && cached !== null
        ? { ...use(key, request, cached), fetchedAtMs: answer.fetchedAtMs, directives: answer.directives }
        : answer;
    const lifetimeMs = outcome === 'BYPASS' ? 0 : chooseLifetimeMs(request, whole);
    const response = { ...whole, cache: outcome, freshUntilMs: lifetimeMs > 0 ? whole.fetchedAtMs + lifetimeMs : 0 };
    if (kept.has(answer)) return response;
    kept.add(answer);
    if (outcome === 'BYPASS') void options.store.delete(key);
    else if (response.sizeBytes <= request.keepUpToBytes) {
      const entry = new CachedAnswer(response, response.fetchedAtMs + lifetimeMs);
      void options.store.set(key, entry, lifetimeMs + options.staleIfErrorMs);
    }
    return response;
  }

  async function forget(key: string, failure: unknown): Promise<never> {
    if (failure instanceof RegistryFailure && isAnswer(failure)) await options.store.delete(key);
    throw failure;
  }

  function standIn(
    key: string,
    request: UpstreamRequest,
    cached: CachedAnswer | null,
    failure: unknown,
  ): UpstreamResponse {
    if (cached !== null && failure instanceof RegistryFailure && !isAnswer(failure)) {
      if (options.staleIfErrorMs > 0 && Date.now() <= cached.freshUntilMs + options.staleIfErrorMs) {
        options.observer.onCacheOutcome('STALE');
        return { ...use(key, request, cached), freshUntilMs: 0, cache: 'STALE', staleBecause: failure };
      }
    }
    options.observer.onCacheOutcome('MISS');
    throw failure;
  }
}

function isFresh(cached: CachedAnswer, request: UpstreamRequest): boolean {
  return Date.now() < cached.freshUntilMs && cached.head.fetchedAtMs >= request.notBeforeMs;
}

/** The configured lifetime bounds what the registry grants; the registry may ask for less. */
function chooseLifetimeMs(request: UpstreamRequest, response: UpstreamResponse): number {
  const configured =
    response.outcome === 'ABSENT' ? Math.min(request.lifetimeMs, ABSENCE_LIFETIME_MS) : request.lifetimeMs;
  return Math.min(configured, response.directives.maxAgeMs ?? configured);
}

/** Failures that say something about what was asked for, rather than that nothing could be learnt. */
function isAnswer(failure: RegistryFailure): boolean {
  switch (failure.type) {
    case 'AUTHENTICATION':
    case 'AUTHORIZATION':
    case 'NOT_FOUND':
    case 'CONFLICT':
    case 'INVALID':
    case 'READ_ONLY':
      return true;
    case 'CONNECTION':
    case 'TIMEOUT':
    case 'RATE_LIMIT':
    case 'CIRCUIT_OPEN':
    case 'PROTOCOL':
    case 'SERVER':
    case 'TLS':
      return false;
  }
}

/** Waits for the call until the caller's deadline. The call is not ended: others may wait for it, and the cache does. */
function beforeDeadline<T>(call: Promise<T>, deadlineMs: number, registryName: string): Promise<T> {
  const waitMs = deadlineMs - performance.now();
  if (waitMs > LONGEST_TIMER_MS) return call;
  return new Promise<T>((resolve, reject) => {
    // One turn later: what arrived while this process was busy is still in time.
    const late = (): void => reject(new RegistryFailure('TIMEOUT', registryName));
    const timer = setTimeout(() => setImmediate(late), Math.max(0, waitMs));
    call.then(
      (value) => {
        clearTimeout(timer);
        resolve(value);
      },
      (failure: unknown) => {
        clearTimeout(timer);
        reject(failure);
      },
    );
  });
}

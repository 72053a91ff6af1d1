import type { AnswerHead } from '../../src/domain/cache.ts';
import type { CallerToken } from '../../src/domain/caller-token.ts';
import { RegistryFailure } from '../../src/domain/errors.ts';
import { NO_DIRECTIVES } from './directives.ts';
import type { AnswerCache, KeptAnswer } from './kept-answers.ts';
import type { Handler, Layer, UpstreamObserver, UpstreamRequest, UpstreamResponse } from './layer.ts';
import { isAnswer, type Leniency, makeHead } from './lifetimes.ts';
import { Refreshes } from './refreshes.ts';
import { Asking, Flight, type Outcomes } from './single-flight.ts';

export interface CacheLayerOptions {
  readonly registryName: string;
  readonly store: AnswerCache;
  /** Before every key: the registry, its URL and whose credentials. */
  readonly scope: string;
  readonly leniency: Leniency;
  readonly observer: UpstreamObserver;
}

/**
 * Answers from the cache while an answer is fresh; asks otherwise, conditionally where the registry gave an ETag, and once
 * for all who ask at one time. Here, and nowhere below, a caller's deadline ends its waiting: the call goes on, and what it
 * brings is kept. What is a little past its lifetime is given at once and asked for again behind the reader's back; what is
 * about to pass it is refreshed early, by one of many readers (`refreshes.ts`). When no fresh answer can be had in time, an
 * old one within `staleIfError` is given and says so (contract 5.5), but never in place of a 401, 403 or 404: those are
 * answers, and they end what was kept.
 */
export class CacheLayer {
  readonly #options: CacheLayerOptions;
  readonly #flights = new Map<string, Flight>();
  readonly #refreshes = new Refreshes();
  #next: Handler = () => Promise.reject(new TypeError('the cache must stand before another layer'));

  constructor(options: CacheLayerOptions) {
    this.#options = options;
  }

  readonly layer: Layer = (next) => {
    this.#next = next;
    return (request) => this.#call(request);
  };

  /** Until when the answer to a path is given without asking, on the clock of `Date.now()`; 0: it would be asked for. */
  peek(path: string, token: CallerToken | null): number {
    const freshUntilMs = this.#options.store.peek(this.#scopeOf(token) + path);
    return freshUntilMs > Date.now() ? freshUntilMs : 0;
  }

  /**
   * The value that is kept of a path, whatever its age (null: of an absence); undefined: none, or none that `parse` can read.
   * Asks nobody, counts as no question, and never rejects.
   */
  async recall(path: string, parse: UpstreamRequest['parse'], token: CallerToken | null): Promise<unknown> {
    const { store } = this.#options;
    const key = this.#scopeOf(token) + path;
    const kept = store.get(key) ?? (store.mayLoad(key) ? await store.load(key) : undefined);
    try {
      return kept === undefined ? undefined : store.read(kept, parse);
    } catch {
      return undefined;
    }
  }

  /** An answer that was given to a token is under no key that can be had without it. */
  #scopeOf(token: CallerToken | null): string {
    return token === null ? this.#options.scope : `${this.#options.scope}${token.fingerprint} `;
  }

  #call(request: UpstreamRequest): Promise<UpstreamResponse> {
    const { store } = this.#options;
    const scope = this.#scopeOf(request.token ?? null);
    // No path has a fragment.
    const key = request.purpose === null ? scope + request.path : `${scope}${request.path}#${request.purpose}`;
    const kept = store.get(key);
    if (kept === undefined && store.mayLoad(key)) {
      return store.load(key).then((loaded) => this.#answer(key, request, loaded));
    }
    return this.#answer(key, request, kept);
  }

  #answer(key: string, request: UpstreamRequest, kept: KeptAnswer | undefined): Promise<UpstreamResponse> {
    if (kept === undefined) return this.#ask(key, request, kept);
    const response = this.#use(key, request, kept);
    return response === null ? this.#ask(key, request, kept) : Promise.resolve(response);
  }

  /** null: it is too old, or cannot be read any more. */
  #use(key: string, request: UpstreamRequest, kept: KeptAnswer): UpstreamResponse | null {
    const nowMs = Date.now();
    const { head } = kept;
    if (nowMs >= head.reuseUntilMs || head.askedAtMs < request.notBeforeMs) return null;
    const isFresh = nowMs < head.freshUntilMs;
    const response = this.#read(key, request, kept, isFresh ? 'HIT' : 'STALE', null);
    if (response === null) return null;
    if ((!isFresh || this.#refreshes.isDue(head, nowMs)) && !this.#flights.has(key)) this.#refresh(key, request, kept);
    this.#options.observer.onCacheOutcome(response.cache, request.operation);
    return response;
  }

  /** null: it cannot be read any more. */
  #read(
    key: string,
    { parse }: UpstreamRequest,
    kept: KeptAnswer,
    cache: 'HIT' | 'STALE' | 'MISS',
    staleBecause: RegistryFailure | null,
  ): UpstreamResponse | null {
    const { store } = this.#options;
    const { head, sizeBytes } = kept;
    let value: unknown;
    try {
      value = store.read(kept, parse);
    } catch {
      // An earlier version of the gateway understood it, or the disk has spoilt it.
      if (store.get(key) === kept) store.forget(key);
      return null;
    }
    return {
      outcome: head.isAbsent ? 'ABSENT' : 'PRESENT',
      value,
      body: null,
      sizeBytes,
      etag: head.etag,
      directives: NO_DIRECTIVES,
      fetchedAtMs: head.fetchedAtMs,
      freshUntilMs: cache === 'STALE' || head.freshUntilMs <= head.fetchedAtMs ? 0 : head.freshUntilMs,
      cache,
      staleBecause,
    };
  }

  /** Joins the call that is under way, where it may bring what is asked for, or begins one. */
  #ask(key: string, request: UpstreamRequest, kept: KeptAnswer | undefined): Promise<UpstreamResponse> {
    if (request.deadlineMs <= performance.now()) return this.#answerLate(key, request);
    return new Promise((resolve, reject) => {
      const caller = new Asking(this.#outcomes, key, request, resolve, reject);
      const running = this.#flights.get(key);
      if (running === undefined || !this.#mayBring(running, request)) this.#launch(key, request, kept).wait(caller);
      else {
        running.join(request.waiters);
        running.wait(caller);
      }
    });
  }

  async #answerLate(key: string, request: UpstreamRequest): Promise<UpstreamResponse> {
    const failure = new RegistryFailure('TIMEOUT', this.#options.registryName, { refusedHere: true });
    const response = this.#standIn(key, request, failure);
    if (response === null) throw failure;
    return response;
  }

  /** Not from before the caller's `notBeforeMs`, and not from before a change that it may concern. */
  #mayBring({ startedAtMs, epoch }: Flight, { notBeforeMs, subject }: UpstreamRequest): boolean {
    const { store, registryName } = this.#options;
    return startedAtMs >= notBeforeMs && (subject === null || !store.mayConcernSince(epoch, registryName, subject));
  }

  #refresh(key: string, request: UpstreamRequest, kept: KeptAnswer): void {
    if (!this.#refreshes.tryBegin(kept, Date.now())) return;
    const background: UpstreamRequest = {
      ...request,
      deadlineMs: Number.POSITIVE_INFINITY,
      notBeforeMs: 0,
      waiters: { latestDeadlineMs: Number.POSITIVE_INFINITY, background: true },
    };
    this.#launch(key, background, kept, true);
  }

  #launch(key: string, request: UpstreamRequest, kept: KeptAnswer | undefined, isRefresh = false): Flight {
    const flight = new Flight(key, request, this.#options.store.epoch);
    this.#flights.set(key, flight);
    kept?.hold();
    // What must be of this very moment nobody else can have.
    const isSharable =
      request.subject !== null && request.token === undefined && request.notBeforeMs < flight.startedAtMs;
    if (isSharable && this.#options.store.shared?.isUp) void this.#seek(flight, kept, isRefresh);
    else this.#send(flight, kept, isRefresh);
    return flight;
  }

  /** Looks first whether another process has it, or is about to. */
  async #seek(flight: Flight, kept: KeptAnswer | undefined, isRefresh: boolean): Promise<void> {
    const { key, request } = flight;
    const isWanted = ({ head }: KeptAnswer) =>
      Date.now() < head.freshUntilMs &&
      head.askedAtMs >= request.notBeforeMs &&
      (kept === undefined || head.fetchedAtMs > kept.head.fetchedAtMs);
    const found = await this.#options.store.shared?.seek(key, isWanted, request.waiters.latestDeadlineMs);
    const response = found === undefined ? null : this.#read(key, request, found, 'HIT', null);
    if (response === null) {
      this.#send(flight, kept, isRefresh);
      return;
    }
    this.#end(flight, isRefresh);
    flight.answer(response);
    kept?.release();
  }

  /** Asks the registry. */
  #send(flight: Flight, kept: KeptAnswer | undefined, isRefresh: boolean): void {
    const { key, request } = flight;
    const etag = kept?.head.etag ?? null;
    this.#next(etag === null ? request : { ...request, etag }).then(
      (answer) => {
        const isLatest = this.#end(flight, isRefresh);
        try {
          this.#land(flight, kept, answer, isLatest);
        } catch (error) {
          // A defect must not leave anybody waiting.
          flight.fail(error);
        }
        this.#options.store.shared?.leave(key);
        kept?.release();
      },
      (failure: unknown) => {
        const isLatest = this.#end(flight, isRefresh);
        if (isLatest && failure instanceof RegistryFailure && isAnswer(failure)) this.#options.store.forget(key);
        else if (kept !== undefined) this.#refreshes.noteFailure(kept, Date.now());
        flight.fail(failure);
        this.#options.store.shared?.leave(key);
        kept?.release();
      },
    );
  }

  /** false: a call that began later has taken its place, and what this one brings may be older than what that one has brought. */
  #end(flight: Flight, isRefresh: boolean): boolean {
    if (isRefresh) this.#refreshes.end();
    if (this.#flights.get(flight.key) !== flight) return false;
    return this.#flights.delete(flight.key);
  }

  #land(flight: Flight, kept: KeptAnswer | undefined, answer: UpstreamResponse, isLatest: boolean): void {
    if (answer.outcome === 'UNCHANGED' && kept !== undefined) this.#landUnchanged(flight, kept, answer, isLatest);
    else {
      if (isLatest) this.#keep(flight, kept, answer);
      flight.answer(answer);
    }
  }

  /** What the registry has not changed is fresh again. */
  #landUnchanged(flight: Flight, kept: KeptAnswer, answer: UpstreamResponse, isLatest: boolean): void {
    const { store, registryName } = this.#options;
    const { key, request } = flight;
    if (answer.directives.noStore) store.forget(key);
    else if (isLatest) store.renew(kept, this.#makeHead(flight, answer, kept.head));
    if (!flight.hasCallers) return;
    const response = this.#read(key, request, kept, 'MISS', null);
    if (response !== null) flight.answer(response);
    else flight.fail(new RegistryFailure('PROTOCOL', registryName, { logDetail: 'what is unchanged cannot be read' }));
  }

  #makeHead(flight: Flight, answer: UpstreamResponse, revalidated: AnswerHead | null): AnswerHead {
    const call = { askedAtMs: flight.startedAtMs, tookMs: performance.now() - flight.startedMs };
    return makeHead(flight.request, answer, this.#options.leniency, call, revalidated);
  }

  #keep(flight: Flight, kept: KeptAnswer | undefined, answer: UpstreamResponse): void {
    const { store, registryName } = this.#options;
    const { key, request, epoch } = flight;
    const { subject, parse } = request;
    if (answer.directives.noStore) {
      answer.cache = 'BYPASS';
      store.forget(key);
      return;
    }
    const head = this.#makeHead(flight, answer, null);
    if (head.freshUntilMs > head.fetchedAtMs) answer.freshUntilMs = head.freshUntilMs;
    if (subject === null || answer.sizeBytes > request.keepUpToBytes || head.keepUntilMs <= head.fetchedAtMs) {
      store.forget(key);
      return;
    }
    const bytes = answer.body?.bytes ?? null;
    const isInUse = kept?.isParsed ?? false;
    const { value } = answer;
    const isPrivate = request.token !== undefined;
    const about = { key, registry: registryName, subject, head, isPrivate };
    const isKept = store.keep({ ...about, bytes, value, parse, isInUse, epoch });
    if (!isKept) answer.freshUntilMs = 0;
  }

  /** What is kept in the place of what cannot be had; null: there is nothing that may be given. */
  #standIn(key: string, request: UpstreamRequest, failure: unknown): UpstreamResponse | null {
    const { observer, store } = this.#options;
    const kept = store.get(key);
    let response: UpstreamResponse | null = null;
    if (kept !== undefined && failure instanceof RegistryFailure && !isAnswer(failure)) {
      const nowMs = Date.now();
      // Another call may have brought it meanwhile.
      const isFresh = nowMs < kept.head.freshUntilMs && kept.head.askedAtMs >= request.notBeforeMs;
      if (isFresh) response = this.#read(key, request, kept, 'HIT', null);
      else if (nowMs < kept.head.standInUntilMs) response = this.#read(key, request, kept, 'STALE', failure);
    }
    observer.onCacheOutcome(response?.cache ?? 'MISS', request.operation);
    return response;
  }

  /** What those who wait do with what they are told: one object for all of them. */
  readonly #outcomes: Outcomes = {
    noteAnswer: (response, { operation }) => this.#options.observer.onCacheOutcome(response.cache, operation),
    standIn: (key, request, failure) => this.#standIn(key, request, failure),
    makeTimeout: () => new RegistryFailure('TIMEOUT', this.#options.registryName),
  };
}

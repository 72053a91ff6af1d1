import { type Account, type Limit, LocalAccount } from './account.ts';

/** What is lent is given back after this time at the latest; who holds it must not use it any longer than that. */
const LOAN_MS = 1_000;
/** A process that asks a registry renews its loan this often, and so long after its last call. */
const RENEWAL_MS = 400;
const IDLE_MS = 3_000;
/** Of the burst and of the places this share is kept at hand, so that a call need not wait to be lent them. */
const AT_HAND = 1 / 16;

/** What a process has of an account and wants of it. */
export interface LoanRequest {
  readonly limit: Limit;
  /** Tokens that it keeps of the last loan, and those that it gives back. */
  readonly kept: number;
  readonly returned: number;
  readonly wanted: number;
  /** Calls that are under way, and how many more there may be. */
  readonly inFlight: number;
  readonly wantedPlaces: number;
  /** Where nobody knows of the account it begins with so many tokens. */
  readonly initial: number;
  readonly durationMs: number;
}

interface Loan {
  /** Tokens, beside those that were kept. */
  readonly granted: number;
  /** Calls that may be under way at once here. */
  readonly places: number;
  /** Tokens that are left for all. */
  readonly left: number;
  /** Until there is a token; 0: there is one. */
  readonly waitMs: number;
}

/** Has one account for all processes; `src/cluster` has one. */
export interface Lender {
  /** Whether it is worth asking. */
  readonly isUp: boolean;
  /** Processes that share, as far as was known last. */
  readonly replicas: number;
  /** null: it cannot be asked now. Never rejects, and never takes long. */
  lend(account: string, request: LoanRequest): Promise<Loan | null>;
}

interface Holder {
  readonly inFlight: number;
  readonly standing: number;
  open(): void;
}

/**
 * An account that several processes have together, so that the sum of what they take keeps a registry's limit: its tokens lie
 * with the lender, and what a process has at hand was lent to it for a second and counts as taken. While the lender cannot be
 * asked each process goes by its share of the limit.
 */
export class SharedAccount implements Account {
  readonly limit: Limit;
  readonly #name: string;
  readonly #lender: Lender;
  readonly #holder: Holder;
  readonly #atHand: number;
  readonly #placesAtHand: number;
  #own: LocalAccount | null = null;
  #wasShared = false;
  #held = 0;
  #places = 0;
  #left = 0;
  #lentUntilMs = 0;
  #nextTokenAtMs = 0;
  #wanted = 0;
  #asking: Promise<void> | null = null;
  #usedAtMs = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | null = null;
  #isClosed = false;

  constructor(name: string, limit: Limit, lender: Lender, holder: Holder) {
    this.#name = name;
    this.limit = limit;
    this.#lender = lender;
    this.#holder = holder;
    this.#atHand = Math.floor(limit.burst * AT_HAND);
    this.#placesAtHand = Math.floor(limit.concurrent * AT_HAND);
  }

  get places(): number {
    if (!this.#lender.isUp) return this.#share().places;
    return performance.now() < this.#lentUntilMs ? this.#places : 0;
  }

  countTokens(): number {
    if (!this.#lender.isUp) return this.#share().countTokens();
    return performance.now() < this.#lentUntilMs ? this.#held : 0;
  }

  countAllTokens(): number {
    return this.#lender.isUp ? this.countTokens() + this.#left : this.#share().countTokens() * this.#lender.replicas;
  }

  take(): void {
    if (!this.#lender.isUp) {
      this.#share().take();
      return;
    }
    this.#held -= 1;
    this.#usedAtMs = performance.now();
    if (this.#held < this.#atHand / 2) void this.replenish(0);
    this.#renewLater();
  }

  estimateWaitMs(tokens: number): number {
    if (!this.#lender.isUp) return this.#share().estimateWaitMs(tokens);
    const missing = tokens - this.countTokens() - this.#left;
    const untilNextMs = Math.max(0, this.#nextTokenAtMs - performance.now());
    if (missing <= 0) return 0;
    return untilNextMs + Math.max(0, Math.ceil(((missing - 1) / this.limit.requestsPerSecond) * 1000));
  }

  replenish(tokens: number): Promise<void> | null {
    if (!this.#lender.isUp || this.#isClosed) return null;
    this.#wanted += tokens;
    if (this.#asking !== null) return this.#asking.then(() => (this.#wanted > 0 ? this.#ask() : undefined));
    return this.#ask();
  }

  close(): void {
    this.#isClosed = true;
    if (this.#timer !== null) clearTimeout(this.#timer);
    // What is at hand goes back.
    this.#wanted = 0;
    if (this.#wasShared && this.#lender.isUp) void this.#lender.lend(this.#name, this.#makeRequest(0, 0));
  }

  #ask(): Promise<void> {
    this.#asking ??= this.#askOnce().finally(() => {
      this.#asking = null;
    });
    return this.#asking;
  }

  async #askOnce(): Promise<void> {
    const startedMs = performance.now();
    const wanted = this.#wanted + this.#holder.standing;
    this.#wanted = 0;
    const request = this.#makeRequest(wanted, this.#atHand);
    // While it is on its way nothing of it may be used twice.
    this.#held = request.kept;
    const loan = await this.#lender.lend(this.#name, request);
    if (loan === null || this.#isClosed) return;
    if (!this.#wasShared) this.#own = null;
    this.#wasShared = true;
    this.#held += loan.granted;
    this.#places = loan.places;
    this.#left = loan.left;
    this.#lentUntilMs = startedMs + LOAN_MS;
    this.#nextTokenAtMs = performance.now() + loan.waitMs;
    this.#renewLater();
    this.#holder.open();
  }

  /** `wanted`: for calls that wait. `atHand`: for those that may come. */
  #makeRequest(wanted: number, atHand: number): LoanRequest {
    const held = performance.now() < this.#lentUntilMs ? this.#held : 0;
    const kept = Math.min(held, wanted + atHand);
    return {
      limit: this.limit,
      kept,
      returned: held - kept,
      wanted: wanted + atHand - kept,
      inFlight: this.#holder.inFlight,
      wantedPlaces: atHand === 0 && wanted === 0 ? 0 : wanted + this.#placesAtHand,
      // Who has gone by its share has used some of it.
      initial: this.#isUntouched() ? this.limit.burst : 0,
      durationMs: LOAN_MS,
    };
  }

  #isUntouched(): boolean {
    return !this.#wasShared && (this.#own === null || this.#own.countTokens() >= this.#own.limit.burst);
  }

  #renewLater(): void {
    if (this.#timer !== null || this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#timer = null;
      const isUsed = this.#holder.inFlight > 0 || performance.now() - this.#usedAtMs < IDLE_MS;
      if (isUsed) void this.replenish(0);
    }, RENEWAL_MS);
    this.#timer.unref();
  }

  /** This process's part of the limit. It begins with what was at hand; before the first loan with the whole part. */
  #share(): LocalAccount {
    const replicas = Math.max(1, this.#lender.replicas);
    const part = {
      requestsPerSecond: this.limit.requestsPerSecond / replicas,
      burst: Math.max(1, Math.floor(this.limit.burst / replicas)),
      concurrent: Math.max(1, Math.floor(this.limit.concurrent / replicas)),
    };
    if (this.#own === null || this.#own.limit.requestsPerSecond !== part.requestsPerSecond) {
      const tokens = this.#own?.countTokens() ?? (this.#wasShared ? this.#held : part.burst);
      this.#own = new LocalAccount(part, tokens);
    }
    return this.#own;
  }
}

import type { RegistryConfig } from '../../src/config/config.ts';
import { type Account, LocalAccount } from './account.ts';

/** Background work leaves this share of the burst, and of the places, to those who wait. */
const BACKGROUND_RESERVE = 0.25;
/** Where others share the account this often is looked whether they have given a place back. */
const PLACE_WAIT_MS = 20;
/** A pause or a slow limit is looked at again this often. */
const LONGEST_WAIT_MS = 1_000;

/** Somebody at the door. */
export interface Visitor {
  /** No user waits for it (yet: one may join). */
  isBackground(): boolean;
  /** Whether anybody still waits for the call. */
  isWanted(): boolean;
  /** true: go on, with a token and a place taken. false: not wanted any more, nothing taken. */
  admit(admitted: boolean): void;
}

/**
 * Keeps the account of a registry's `rateLimit`, its tokens and places, and the pauses that the registry itself asks for. Decides
 * synchronously whether a call may go now; who may not waits at the door and is let in, in order, when a token or a place is
 * free. Without an account there are pauses alone.
 */
export class Gate {
  readonly #account: Account | null;
  readonly #visitors: Visitor[] = [];
  readonly #backgroundVisitors: Visitor[] = [];
  #inFlight = 0;
  #pausedUntilMs = 0;
  #timer: NodeJS.Timeout | null = null;

  /** `share`: makes the account, where it is not this process's alone. */
  constructor(limit: RegistryConfig['rateLimit'], share: ShareAccount | null = null) {
    if (limit === null) this.#account = null;
    else this.#account = share === null ? new LocalAccount(limit) : share(limit, this);
  }

  /** Calls under way. */
  get inFlight(): number {
    return this.#inFlight;
  }

  /** Those at the door. */
  get standing(): number {
    return this.#visitors.length + this.#backgroundVisitors.length;
  }

  /** Takes a token and a place when both are free now. */
  tryEnter(background: boolean): boolean {
    if (!this.#mayEnter(background)) return false;
    this.#account?.take();
    this.#inFlight += 1;
    return true;
  }

  /** Asks those who share the account for what one call needs. null: nobody does. Then `tryEnter` says whether it helped. */
  replenish(): Promise<void> | null {
    return this.#account?.replenish(1) ?? null;
  }

  /** Takes a token for a further attempt of a call that has its place. */
  tryTakeToken(): boolean {
    if (performance.now() < this.#pausedUntilMs) return false;
    if (this.#account === null) return true;
    if (this.#account.countTokens() < 1) return false;
    this.#account.take();
    return true;
  }

  /** Waits at the door until it is this visitor's turn. */
  stand(visitor: Visitor): void {
    (visitor.isBackground() ? this.#backgroundVisitors : this.#visitors).push(visitor);
    this.#open();
  }

  /** Gives the place back. */
  leave(): void {
    this.#inFlight -= 1;
    this.#open();
  }

  /** Nobody goes in before then (Retry-After). A shorter pause does not end a longer one. */
  pauseFor(durationMs: number): void {
    this.#pausedUntilMs = Math.max(this.#pausedUntilMs, performance.now() + durationMs);
  }

  /** How long until the pause is over; 0 without one. */
  remainingPauseMs(): number {
    return Math.max(0, this.#pausedUntilMs - performance.now());
  }

  /** The least that a call must wait which has so many others before it. Places in use are not foreseen. */
  estimateWaitMs(before: number): number {
    return Math.max(this.remainingPauseMs(), this.#account?.estimateWaitMs(before + 1) ?? 0);
  }

  /** Sends everybody away who still stands here. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#account?.close();
    for (const visitor of [...this.#visitors.splice(0), ...this.#backgroundVisitors.splice(0)]) visitor.admit(false);
  }

  /** Lets in whoever may go now, those that somebody waits for before the others. */
  readonly open = (): void => this.#open();

  #mayEnter(background: boolean): boolean {
    if (performance.now() < this.#pausedUntilMs) return false;
    const account = this.#account;
    if (account === null) return true;
    if (account.countTokens() < 1 || this.#inFlight >= this.#countPlaces(background)) return false;
    return !background || account.countAllTokens() >= 1 + reserveOf(account);
  }

  #open(): void {
    this.#promote();
    this.#admitFrom(this.#visitors);
    if (this.#visitors.length === 0) this.#admitFrom(this.#backgroundVisitors);
    const next = this.#visitors[0] ?? this.#backgroundVisitors[0];
    if (next !== undefined && this.#timer === null) this.#openLater(next);
  }

  /** A user joined a call that was background work until then. */
  #promote(): void {
    for (let index = this.#backgroundVisitors.length - 1; index >= 0; index -= 1) {
      const visitor = this.#backgroundVisitors[index];
      if (visitor === undefined || visitor.isBackground()) continue;
      this.#backgroundVisitors.splice(index, 1);
      this.#visitors.push(visitor);
    }
  }

  #admitFrom(visitors: Visitor[]): void {
    for (let first = visitors[0]; first !== undefined; first = visitors[0]) {
      const wanted = first.isWanted();
      if (wanted && !this.tryEnter(first.isBackground())) return;
      visitors.shift();
      first.admit(wanted);
    }
  }

  /**
   * Looks again when the next token is there or the pause is over. Where a place is all that is missing, the one who gives
   * it back opens the door. The clock goes on between two looks: what was refused a moment ago may need no wait by now.
   */
  #openLater(next: Visitor): void {
    const background = next.isBackground();
    const account = this.#account;
    let waitMs = this.estimateWaitMs(background && account !== null ? reserveOf(account) : 0);
    if (account !== null && this.remainingPauseMs() === 0) {
      const isAsked = account.replenish(0) !== null;
      if (isAsked) waitMs = Math.max(waitMs, PLACE_WAIT_MS);
      else if (waitMs <= 0 && this.#inFlight >= this.#countPlaces(background)) return;
    }
    this.#timer = setTimeout(
      () => {
        this.#timer = null;
        this.#open();
      },
      Math.min(Math.max(waitMs, 1), LONGEST_WAIT_MS),
    );
  }

  /** How many calls may be under way at once. */
  #countPlaces(background: boolean): number {
    if (this.#account === null) return Number.POSITIVE_INFINITY;
    const { places } = this.#account;
    return background ? Math.max(1, Math.floor(places * (1 - BACKGROUND_RESERVE))) : places;
  }
}

/** Makes the account of a limit that others share, for a gate. It opens the gate when there is more. */
export type ShareAccount = (
  limit: NonNullable<RegistryConfig['rateLimit']>,
  gate: { readonly inFlight: number; readonly standing: number; open(): void },
) => Account;

/** Tokens that background work leaves to those who wait. */
function reserveOf({ limit: { burst } }: Account): number {
  return Math.min(burst - 1, burst * BACKGROUND_RESERVE);
}

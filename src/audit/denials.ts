/** Refused accesses: an event each, as long as they are few; beyond that they are counted, so that nobody fills the disk. */
import { MINUTE_MS } from './counted-events.ts';

/** Of one actor in a minute. Everybody without a key is one actor. */
const MAX_EVENTS_PER_ACTOR = 20;
/** Of all actors in a minute. */
const MAX_EVENTS = 200;

export class DenialBudget {
  readonly #now: () => number;
  #minute = 0;
  #byActor = new Map<string, number>();
  #total = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether one more of the actor has an event of its own. */
  take(actor: string): boolean {
    const minute = Math.floor(this.#now() / MINUTE_MS);
    if (minute !== this.#minute) {
      this.#minute = minute;
      this.#byActor = new Map();
      this.#total = 0;
    }
    const count = this.#byActor.get(actor) ?? 0;
    if (count >= MAX_EVENTS_PER_ACTOR || this.#total >= MAX_EVENTS) return false;
    this.#byActor.set(actor, count + 1);
    this.#total += 1;
    return true;
  }
}

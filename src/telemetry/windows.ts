/** Five minutes in parts of five seconds, an hour in parts of a minute: a window is too long by one of them at most. */
const FINE_MS = 5_000;
const FINE_PARTS = 61;
const MINUTE_MS = 60_000;
const MINUTES = 61;
const FINE_REACH_MS = 300_000;
const HOUR_MS = 3_600_000;

/** What is counted in one part of time. */
interface Countable<P> {
  /** Adds what the other one counted. */
  add(other: P): void;
}

/**
 * Counters of the last minutes, and of all time. What happens is counted once, in the part of time that is under way; when
 * that is over it is added to its minute and to the total, so that windows are made of true sums, and counting costs what
 * an increment does.
 */
export class Windows<P extends Countable<P>> {
  readonly #now: () => number;
  readonly #create: () => P;
  readonly #createSum: () => P;
  readonly #fine: Ring<P>;
  readonly #minutes: Ring<P>;
  readonly #past: P;
  #current: P;
  #endMs: number;
  /** By window, the sum of what is over in it. It is the same as long as the part under way. */
  readonly #over = new Map<number, P>();

  /** `now` as `Date.now()`; `create` makes a part in which nothing was counted, `createSum` one that parts are added to. */
  constructor(now: () => number, create: () => P, createSum = create) {
    this.#now = now;
    this.#create = create;
    this.#createSum = createSum;
    this.#fine = new Ring(FINE_MS, FINE_PARTS);
    this.#minutes = new Ring(MINUTE_MS, MINUTES);
    this.#past = create();
    this.#current = create();
    this.#endMs = this.#begin(now());
  }

  /** Where to count what happens now. */
  get current(): P {
    const nowMs = this.#now();
    // A clock that is set back goes on in the part that is under way, unless it is set back further than anybody looks.
    if (nowMs >= this.#endMs || nowMs < this.#endMs - HOUR_MS) this.#turn(nowMs);
    return this.#current;
  }

  /**
   * What was counted in the last `windowMs` (an hour at most; a multiple of a part): what is over, and what is under way. Both
   * may be counted in still: read, and keep none.
   */
  since(windowMs: number): readonly [over: P, underWay: P] {
    const { current } = this;
    let over = this.#over.get(windowMs);
    if (over === undefined) {
      over = this.#sumUp(this.#now() - windowMs, windowMs <= FINE_REACH_MS);
      this.#over.set(windowMs, over);
    }
    return [over, current];
  }

  /** What is over since a time: whole minutes as such, which are fewer, and of the minute that it falls into the parts behind it. */
  #sumUp(sinceMs: number, isFine: boolean): P {
    const sum = this.#createSum();
    const wholeMs = isFine ? Math.ceil(toStart(sinceMs, FINE_MS) / MINUTE_MS) * MINUTE_MS : toStart(sinceMs, MINUTE_MS);
    if (isFine) {
      for (const part of this.#fine.between(sinceMs, wholeMs)) if (part !== this.#current) sum.add(part);
    }
    for (const part of this.#minutes.between(wholeMs, Number.POSITIVE_INFINITY)) sum.add(part);
    return sum;
  }

  /** All that was ever counted here: it only grows, whenever it is read. */
  total(): P {
    // Before all else: when the part under way is over, this is what adds it to those that are.
    const { current } = this;
    const total = this.#create();
    total.add(this.#past);
    total.add(current);
    return total;
  }

  /** The minutes of the last hour, the oldest first, the one under way as far as it is. The parts are for the caller. */
  listMinutes(): readonly { readonly startMs: number; readonly part: P }[] {
    const { current } = this;
    const underWay = toStart(this.#endMs - FINE_MS, MINUTE_MS);
    this.#minutes.at(underWay, this.#create);
    return this.#minutes.list(this.#now() - HOUR_MS).map(({ startMs, part }) => {
      const copy = this.#create();
      copy.add(part);
      if (startMs === underWay) copy.add(current);
      return { startMs, part: copy };
    });
  }

  /** Adds what was counted in a minute before this process began; it counts in windows and not in the total. */
  addMinute(startMs: number, part: P): void {
    const nowMs = this.#now();
    const minuteMs = toStart(startMs, MINUTE_MS);
    this.#over.clear();
    if (minuteMs <= nowMs - HOUR_MS - MINUTE_MS || minuteMs > nowMs) return;
    this.#minutes.at(minuteMs, this.#create).add(part);
    // When in the minute is not known: at its end, so that shorter windows rather have too much. And not in the part that is
    // counted in now, which will be added to its minute.
    const endMs = Math.min(minuteMs + MINUTE_MS, this.#endMs - FINE_MS);
    if (endMs > nowMs - FINE_REACH_MS) this.#fine.at(endMs - FINE_MS, this.#create).add(part);
  }

  /** Adds what is over to where it belongs. */
  #turn(nowMs: number): void {
    this.#past.add(this.#current);
    this.#passOn(nowMs);
    if (nowMs < this.#endMs - HOUR_MS) {
      this.#fine.clear();
      this.#minutes.clear();
    } else this.#minutes.at(this.#endMs - FINE_MS, this.#create).add(this.#current);
    this.#current = this.#create();
    this.#endMs = this.#begin(nowMs);
  }

  /** An hour's sum only grows while the minute is the same; of the shorter windows something goes with each part. */
  #passOn(nowMs: number): void {
    const isSameMinute = toStart(nowMs, MINUTE_MS) === toStart(this.#endMs - FINE_MS, MINUTE_MS);
    for (const [windowMs, over] of this.#over) {
      if (isSameMinute && windowMs > FINE_REACH_MS) over.add(this.#current);
      else this.#over.delete(windowMs);
    }
  }

  /** Gives the end of the part that begins. */
  #begin(nowMs: number): number {
    const startMs = toStart(nowMs, FINE_MS);
    this.#fine.put(startMs, this.#current);
    return startMs + FINE_MS;
  }
}

/** When the part began that a time falls into. */
function toStart(timeMs: number, partMs: number): number {
  return Math.floor(timeMs / partMs) * partMs;
}

/** The last parts of time, each replaced when its turn comes again. */
class Ring<P> {
  readonly #partMs: number;
  readonly #slots: ({ readonly number: number; readonly part: P } | null)[];

  constructor(partMs: number, parts: number) {
    this.#partMs = partMs;
    this.#slots = new Array(parts).fill(null);
  }

  /** The part of that time, made where there is none. */
  at(timeMs: number, create: () => P): P {
    const number = Math.floor(timeMs / this.#partMs);
    const slot = this.#slots[number % this.#slots.length];
    if (slot != null && slot.number === number) return slot.part;
    const part = create();
    this.put(timeMs, part);
    return part;
  }

  put(timeMs: number, part: P): void {
    const number = Math.floor(timeMs / this.#partMs);
    this.#slots[number % this.#slots.length] = { number, part };
  }

  /** Every part that ends after this time, the oldest first. */
  list(timeMs: number): { readonly startMs: number; readonly part: P }[] {
    const first = Math.floor(timeMs / this.#partMs);
    return this.#slots
      .flatMap((slot) => (slot !== null && slot.number >= first ? [slot] : []))
      .sort((one, other) => one.number - other.number)
      .map(({ number, part }) => ({ startMs: number * this.#partMs, part }));
  }

  /** Every part that ends after one time and begins before another, in no order. */
  between(fromMs: number, toMs: number): P[] {
    const first = Math.floor(fromMs / this.#partMs);
    const parts: P[] = [];
    for (const slot of this.#slots) {
      if (slot !== null && slot.number >= first && slot.number * this.#partMs < toMs) parts.push(slot.part);
    }
    return parts;
  }

  clear(): void {
    this.#slots.fill(null);
  }
}

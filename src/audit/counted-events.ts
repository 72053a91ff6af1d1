/** Events that happen too often for one each: counted for every minute, caller and registry, and written behind. */
import type { AuditOutcome, CountedAction, CountedEntry } from '../domain/audit.ts';

export const MINUTE_MS = 60_000;
/** Counts that are held, over all minutes that are not written: some MB. */
const MAX_COUNTS = 20_000;

export interface EventCount {
  readonly action: CountedAction;
  readonly actor: string;
  readonly registryName: string | null;
  readonly outcome: AuditOutcome;
  /** When it happened first, in this minute. */
  readonly atMs: number;
  occurrences: number;
}

/** By actor, then by registry (the empty name: none). */
type Counts = Map<string, Map<string, EventCount>>;

export class CountedEvents {
  readonly #now: () => number;
  /** Of the running minute, by action and outcome. */
  #current = new Map<string, Counts>();
  #minute = 0;
  #held: EventCount[] = [];
  #size = 0;
  #lost = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Occurrences that found no room, since they were asked for last. */
  takeLost(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }

  count({ action, registryName, outcome }: CountedEntry, actor: string): void {
    const nowMs = this.#now();
    const minute = Math.floor(nowMs / MINUTE_MS);
    if (minute !== this.#minute) this.#begin(minute);
    // What goes well is what is counted most: its key is there already.
    const kind = outcome === 'SUCCEEDED' ? action : `${action} ${outcome}`;
    const byRegistry = reach(reach(this.#current, kind), actor);
    const known = byRegistry.get(registryName ?? '');
    if (known !== undefined) known.occurrences += 1;
    else if (this.#size >= MAX_COUNTS) this.#lost += 1;
    else {
      byRegistry.set(registryName ?? '', { action, actor, registryName, outcome, atMs: nowMs, occurrences: 1 });
      this.#size += 1;
    }
  }

  /** Takes out what was counted in minutes that are over; `isLast`: in this one, too. */
  take(isLast: boolean): readonly EventCount[] {
    const minute = Math.floor(this.#now() / MINUTE_MS);
    if (isLast || minute !== this.#minute) this.#begin(minute);
    const taken = this.#held;
    this.#held = [];
    this.#size -= taken.length;
    return taken;
  }

  /** What could not be written waits for the next time. */
  putBack(counts: readonly EventCount[]): void {
    this.#held = [...counts, ...this.#held];
    this.#size += counts.length;
  }

  #begin(minute: number): void {
    for (const byActor of this.#current.values()) {
      for (const byRegistry of byActor.values()) this.#held.push(...byRegistry.values());
    }
    this.#current = new Map();
    this.#minute = minute;
  }
}

function reach<Value>(map: Map<string, Map<string, Value>>, key: string): Map<string, Value> {
  let found = map.get(key);
  if (found === undefined) {
    found = new Map();
    map.set(key, found);
  }
  return found;
}

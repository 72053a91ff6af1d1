/** Checks are remembered for a day, in parts of five minutes. */
const PART_MS = 300_000;
const PARTS = 288;

/** The share of checks that went well, over the last 24 hours. Its memory is bounded, however often is checked. */
export class Uptime {
  readonly #parts = new Map<number, { up: number; all: number }>();

  /** Notes a check. `atMs` as `Date.now()`. */
  note(atMs: number, isUp: boolean): void {
    const number = Math.floor(atMs / PART_MS);
    let part = this.#parts.get(number);
    if (part === undefined) {
      part = { up: 0, all: 0 };
      this.#parts.set(number, part);
      for (const old of this.#parts.keys()) if (old <= number - PARTS) this.#parts.delete(old);
    }
    part.all += 1;
    if (isUp) part.up += 1;
  }

  /** 0..1; null without a check. */
  read(nowMs: number): number | null {
    const oldest = Math.floor(nowMs / PART_MS) - PARTS;
    let up = 0;
    let all = 0;
    for (const [number, part] of this.#parts) {
      if (number <= oldest) continue;
      up += part.up;
      all += part.all;
    }
    return all === 0 ? null : up / all;
  }
}

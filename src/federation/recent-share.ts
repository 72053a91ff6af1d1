/** How fast a share follows the cases, and where it begins and ceases to say what to expect. */
export interface ShareScale {
  /** How much a case counts that is so. */
  readonly weight: number;
  /** How much one counts that is not. */
  readonly weightAgainst: number;
  /** From this share on it is expected of the next cases ... */
  readonly high: number;
  /** ... until the share is as small as that. */
  readonly highNoMore: number;
}

/**
 * Some eight cases that are so decide. What was expected once is given up slowly, since the cache keeps what was asked for so:
 * for what costs little where it was expected in vain.
 */
const HASTY: ShareScale = { weight: 1 / 8, weightAgainst: 1 / 32, high: 1 / 4, highNoMore: 1 / 16 };
/** The true share of some thirty cases: for what costs a registry's call where it was expected in vain. */
export const SOBER: ShareScale = { weight: 1 / 16, weightAgainst: 1 / 16, high: 1 / 5, highNoMore: 1 / 12 };

/** The share of recent cases in which something was so, as far as it says what to expect of the next one. */
export class RecentShare {
  readonly #scale: ShareScale;
  #share = 0;
  #isHigh = false;

  constructor(scale: ShareScale = HASTY) {
    this.#scale = scale;
  }

  /** 0 to 1. */
  get value(): number {
    return this.#share;
  }

  /** Whether it is to be expected. */
  get isHigh(): boolean {
    return this.#isHigh;
  }

  note(isSo: boolean): void {
    const { weight, weightAgainst, high, highNoMore } = this.#scale;
    this.#share += isSo ? (1 - this.#share) * weight : -this.#share * weightAgainst;
    this.#isHigh = this.#share > (this.#isHigh ? highNoMore : high);
  }
}

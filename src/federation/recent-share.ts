/** How much a case counts that is so: some eight of them decide. */
const WEIGHT = 1 / 8;
/** How much one counts that is not: what was expected once is given up slowly, since the cache keeps what was asked for so. */
const WEIGHT_AGAINST = 1 / 32;
/** From this share on it is expected of the next cases, until the share is as small as that. */
const HIGH = 1 / 4;
const HIGH_NO_MORE = 1 / 16;

/** The share of recent cases in which something was so, as far as it says what to expect of the next one. */
export class RecentShare {
  #share = 0;
  #isHigh = false;

  /** Whether it is to be expected. */
  get isHigh(): boolean {
    return this.#isHigh;
  }

  note(isSo: boolean): void {
    this.#share += isSo ? (1 - this.#share) * WEIGHT : -this.#share * WEIGHT_AGAINST;
    this.#isHigh = this.#share > (this.#isHigh ? HIGH_NO_MORE : HIGH);
  }
}

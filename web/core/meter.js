/** Numbers of the last moments: rates and medians for people to read. */

/**
 * Keeps what happened within a window of time.
 *
 * `add` is O(1) amortised and keeps at most one entry for each event in the window.
 */
export class Meter {
  /** @type {{atUs: number, value: number}[]} */
  #entries = [];
  #windowUs;

  /** @param {number} windowUs */
  constructor(windowUs) {
    this.#windowUs = windowUs;
  }

  /**
   * @param {number} atUs
   * @param {number} value
   */
  add(atUs, value) {
    this.#entries.push({ atUs, value });
    this.#forget(atUs);
  }

  /**
   * Events in a second: intervals between the events in the window, so that the answer does not flicker by one.
   *
   * @param {number} nowUs
   */
  perSecond(nowUs) {
    return this.#overSpan(nowUs, this.#entries.length - 1);
  }

  /**
   * The sum of the values in a second.
   *
   * @param {number} nowUs
   */
  sumPerSecond(nowUs) {
    // The first entry only opens the span; what it carried came before it.
    return this.#overSpan(nowUs, this.#entries.slice(1).reduce((sum, entry) => sum + entry.value, 0));
  }

  /**
   * The value that so large a share of those in the window does not exceed, null if it is empty; 0.5 for the median.
   *
   * @param {number} nowUs
   * @param {number} share
   */
  quantile(nowUs, share) {
    this.#forget(nowUs);
    const values = this.#entries.map((entry) => entry.value).sort((a, b) => a - b);
    return values.length === 0 ? null : values[Math.min(values.length - 1, Math.floor(values.length * share))];
  }

  clear() {
    this.#entries = [];
  }

  /** @param {number} nowUs */
  #forget(nowUs) {
    const oldest = nowUs - this.#windowUs;
    const kept = this.#entries.findIndex((entry) => entry.atUs >= oldest);
    if (kept !== 0) this.#entries.splice(0, kept < 0 ? this.#entries.length : kept);
  }

  /**
   * @param {number} nowUs
   * @param {number} amount
   */
  #overSpan(nowUs, amount) {
    this.#forget(nowUs);
    const count = this.#entries.length;
    const spanUs = count < 2 ? 0 : this.#entries[count - 1].atUs - this.#entries[0].atUs;
    return spanUs > 0 ? (amount * 1e6) / spanUs : 0;
  }
}

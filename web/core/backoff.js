/** How long to wait before the next try: doubling up to a cap, with jitter so that not all viewers come back at once. */

/** The first delay; a restarted serve process is back within it. */
const FIRST_MS = 250;
/** The longest delay; somebody who looks at the page should not wait longer for a server that is back. */
const LONGEST_MS = 8000;
/** Share of the delay by which it varies in both directions. */
const JITTER = 0.25;

export class Backoff {
  #nextMs = FIRST_MS;
  #random;

  /** @param {() => number} random in [0, 1) */
  constructor(random = Math.random) {
    this.#random = random;
  }

  /** Takes the next delay in milliseconds; the one after it is twice as long. Never above the cap. */
  next() {
    const delayMs = this.#nextMs * (1 - JITTER + 2 * JITTER * this.#random());
    this.#nextMs = Math.min(this.#nextMs * 2, LONGEST_MS);
    return Math.min(delayMs, LONGEST_MS);
  }

  /** Starts again with the first delay. */
  reset() {
    this.#nextMs = FIRST_MS;
  }
}

/**
 * Which format to take: what was chosen by hand, else what the link carries.
 *
 * Belongs here: the rules, as pure functions and a small state machine. Does not belong here: what a browser can
 * decode, and asking for it.
 */

/** By weight, raw at 640×480 and 30 fps first: 147 Mbit/s, about 8, about 1.5. */
const LADDER = ['raw', 'jpeg', 'h264'];

/** @param {string} format */
const rung = (format) => Math.max(0, LADDER.indexOf(format));

/**
 * The formats to ask for, best first.
 *
 * @param {string} wanted `auto`, `raw`, or the name of a format
 * @param {readonly string[]} decodable
 * @param {number} lightest the rung of the ladder that the link was found to need
 * @returns {string[]} with `auto` and `raw` all that can be decoded; else the one that is wanted
 */
export function formats(wanted, decodable, lightest) {
  if (wanted !== 'auto' && wanted !== 'raw') return [wanted];
  const start = wanted === 'raw' ? 0 : lightest;
  // From the rung where it starts on to the lighter ones, then what is heavier.
  const distance = (/** @type {string} */ format) => (rung(format) - start + LADDER.length) % LADDER.length;
  return [...decodable].sort((a, b) => distance(a) - distance(b));
}

/** Seconds in a row with too many drops, before the link is taken for too thin. */
const PATIENCE = 3;
/** The share of frames that may be lost to chance. */
const FEW = 0.15;
/** Beyond this share of its time spent on decoding, the viewer itself is what is slow, and a lighter format no help. */
const BUSY = 0.6;

/**
 * @typedef {object} Second what a second brought
 * @property {number} received frames
 * @property {number} dropped frames left out by the server
 * @property {number} wantedShare of the frames that were asked for: below 1 with a limit of the rate
 * @property {number} busyShare of the time, spent on decoding and painting
 * @property {string} format
 */

/** Finds the rung that the link carries. It only goes down: raw that stutters every half minute helps nobody. */
export class LinkChoice {
  /** @type {number} */
  lightest;
  #bad = 0;

  /** @param {boolean} isNear whether the server is on this machine, where copying is cheap */
  constructor(isNear) {
    this.lightest = isNear ? 0 : 1;
  }

  /**
   * @param {Second} second
   * @returns {boolean} whether a lighter format should be tried
   */
  judge({ received, dropped, wantedShare, busyShare, format }) {
    const lost = 1 - received / Math.max(1, (received + dropped) * wantedShare);
    const isThin = dropped > 0 && lost > FEW && busyShare < BUSY;
    this.#bad = isThin ? this.#bad + 1 : 0;
    if (this.#bad < PATIENCE || rung(format) + 1 >= LADDER.length) return false;
    this.#bad = 0;
    this.lightest = rung(format) + 1;
    return true;
  }
}

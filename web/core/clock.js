/**
 * Time: the one source of it in this library, and the server's clock as seen from here.
 *
 * Tests give a simulated `Clock`; nothing else in the library reads the time or starts a timer.
 */

/**
 * @typedef {object} Clock
 * @property {() => number} nowUs monotonic microseconds
 * @property {(delayMs: number, task: () => void) => () => void} after runs the task once, later; the answer cancels it
 */

/** @type {Clock} */
export const systemClock = {
  nowUs: () => performance.now() * 1000,
  after(delayMs, task) {
    const timer = setTimeout(task, delayMs);
    return () => clearTimeout(timer);
  },
};

/** Round trips that are remembered; with one a second the offset follows a drifting clock within 16 seconds. */
const SAMPLES = 16;

/**
 * Estimates the server's clock from ping and pong.
 *
 * The pong carries the server's time; half of the round trip is taken as its age. The sample with the shortest round
 * trip wins, because queues only ever lengthen it. The error is at most half of that round trip.
 */
export class ServerClock {
  /** @type {{roundTripUs: number, offsetUs: number}[]} */
  #samples = [];
  /** @type {{roundTripUs: number, offsetUs: number} | null} */
  #best = null;

  /**
   * @param {number} askedUs our clock when the ping was sent
   * @param {number} serverUs the server's clock in the pong
   * @param {number} answeredUs our clock when the pong came
   */
  add(askedUs, serverUs, answeredUs) {
    const roundTripUs = Math.max(0, answeredUs - askedUs);
    this.#samples.push({ roundTripUs, offsetUs: serverUs - (askedUs + roundTripUs / 2) });
    if (this.#samples.length > SAMPLES) this.#samples.shift();
    this.#best = this.#samples.reduce((best, sample) => (sample.roundTripUs < best.roundTripUs ? sample : best));
  }

  /** How many round trips the estimate rests on. */
  get samples() {
    return this.#samples.length;
  }

  /** The shortest round trip in milliseconds, null before the first pong. */
  get roundTripMs() {
    return this.#best && this.#best.roundTripUs / 1000;
  }

  /**
   * The age in milliseconds of something that the server's clock stamped, null before the first pong.
   *
   * Never negative: some browsers round their clock to a whole millisecond.
   *
   * @param {number} stampedUs
   * @param {number} nowUs our clock
   */
  ageMs(stampedUs, nowUs) {
    return this.#best && Math.max(0, nowUs + this.#best.offsetUs - stampedUs) / 1000;
  }
}

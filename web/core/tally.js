/** What a view counts, and the numbers that people read. */
import { Meter } from './meter.js';

/** The time over which rates and the median latency are taken: long enough to read, short enough to follow. */
const WINDOW_US = 2_000_000;

/**
 * @typedef {object} Stats
 * @property {import('./protocol.js').Config | null} config what is shown
 * @property {number} drawn frames painted since the view was made
 * @property {number} dropped frames that the server left out for this viewer, which was too late for them
 * @property {number} skipped frames that came and were not painted: too old, overtaken, or without the one they refer to
 * @property {number} corrupt frames that could not be decoded
 * @property {number} reconnects how often the connection was lost
 * @property {number} fpsIn frames received in a second
 * @property {number} fps frames painted in a second
 * @property {number} bytesPerSecond of payload
 * @property {number | null} latencyMs from the camera to the canvas, median; null while the clocks are not compared
 * @property {number | null} latencyP95Ms the same, of which 95 in 100 are not longer
 * @property {number | null} roundTripMs the shortest of the last ones
 * @property {number | null} decodeMs from arrival to the canvas, median
 * @property {boolean} inWorker whether the page's own thread is spared
 */

export class Tally {
  drawn = 0;
  dropped = 0;
  skipped = 0;
  corrupt = 0;
  received = 0;
  #in = new Meter(WINDOW_US);
  #out = new Meter(WINDOW_US);
  #latency = new Meter(WINDOW_US);
  #decode = new Meter(WINDOW_US);
  /** What the newest frame said of dropped ones, and which `start` it counted from. */
  #counter = { start: 0, dropped: 0 };

  /** @param {import('./channel.js').Frame} frame @param {number} nowUs */
  receive({ start, dropped, payload }, nowUs) {
    // The server counts from 0 for each `start`, with 32 bits.
    const before = start === this.#counter.start ? this.#counter.dropped : 0;
    this.dropped += (dropped - before) >>> 0;
    this.#counter = { start, dropped };
    this.received += 1;
    this.#in.add(nowUs, payload.byteLength);
  }

  /** @param {number} nowUs @param {number} arrivedUs @param {number | null} latencyMs */
  draw(nowUs, arrivedUs, latencyMs) {
    this.drawn += 1;
    this.#out.add(nowUs, 0);
    this.#decode.add(nowUs, (nowUs - arrivedUs) / 1000);
    if (latencyMs !== null) this.#latency.add(nowUs, latencyMs);
  }

  /** Another format begins: rates of the old one mean nothing. */
  clear() {
    for (const meter of [this.#in, this.#out, this.#latency, this.#decode]) meter.clear();
  }

  /** @param {number} nowUs */
  read(nowUs) {
    const { drawn, dropped, skipped, corrupt } = this;
    return {
      drawn, dropped, skipped, corrupt,
      fpsIn: this.#in.perSecond(nowUs),
      fps: this.#out.perSecond(nowUs),
      bytesPerSecond: this.#in.sumPerSecond(nowUs),
      latencyMs: this.#latency.quantile(nowUs, 0.5),
      latencyP95Ms: this.#latency.quantile(nowUs, 0.95),
      decodeMs: this.#decode.quantile(nowUs, 0.5),
    };
  }

  /** The share of the time that decoding took lately. @param {number} nowUs */
  busyShare(nowUs) {
    return ((this.#decode.quantile(nowUs, 0.5) ?? 0) * this.#out.perSecond(nowUs)) / 1000;
  }
}

/**
 * Shows one stream on one canvas.
 *
 * Belongs here: decode, paint, acknowledge, count. Does not belong here: the page around the canvas; so it can run in a
 * worker on an `OffscreenCanvas` as well.
 */
import { Client } from './client.js';
import { systemClock } from './clock.js';
import { createDecoder, FORMATS } from './decoders/index.js';
import { Meter } from './meter.js';

/** @typedef {import('./client.js').Status} Status */
/** @typedef {import('./client.js').Frame} Frame */
/** @typedef {import('./protocol.js').Config} Config */
/** @typedef {import('./protocol.js').StreamId} StreamId */
/** @typedef {import('./decoders/index.js').Pixels} Pixels */

/** The time over which rates and the median latency are taken: long enough to read, short enough to follow. */
const METER_WINDOW_US = 2_000_000;

/**
 * @typedef {object} Stats
 * @property {Config | null} config what is shown
 * @property {number} drawn frames painted since the view was made
 * @property {number} dropped frames that the server left out for this viewer, which was too late for them
 * @property {number} corrupt frames that could not be decoded
 * @property {number} fps frames painted in a second
 * @property {number} bytesPerSecond of payload
 * @property {number | null} latencyMs from the camera to the canvas, median; null while the clocks are not compared
 * @property {number | null} roundTripMs the shortest of the last ones
 */

/**
 * @typedef {object} Options
 * @property {string} url of the WebSocket
 * @property {StreamId} [stream]
 * @property {readonly string[]} [formats] best first; all that can be decoded without it
 * @property {{status?: (status: Status) => void, hello?: (hello: import('./protocol.js').Hello) => void,
 *   config?: (config: Config) => void}} [on]
 * @property {import('./clock.js').Clock} [clock]
 */

export class View {
  #canvas;
  #context;
  #clock;
  #client;
  /** @type {Config | null} */
  #config = null;
  /** @type {import('./decoders/index.js').Decoder | null} */
  #decoder = null;
  /** The newest frame painted with this decoder. Invariant: never goes back. */
  #shown = -1n;
  #drawn = 0;
  #corrupt = 0;
  #dropped = 0;
  /** What the newest frame said of dropped ones, and which `start` it counted from. */
  #counter = { start: 0, dropped: 0 };
  #painted = new Meter(METER_WINDOW_US);
  #latency = new Meter(METER_WINDOW_US);

  /**
   * Makes a view that is not connected yet.
   *
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas gets the size of the stream
   * @param {Options} options
   */
  constructor(canvas, { url, stream, formats = FORMATS, on = {}, clock = systemClock }) {
    this.#canvas = canvas;
    const context = /** @type {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D | null} */ (
      canvas.getContext('2d', { alpha: false })
    );
    if (!context) throw new Error('the canvas has no 2d context');
    this.#context = context;
    this.#clock = clock;
    this.#client = new Client({
      url,
      stream,
      formats,
      clock,
      on: {
        status: on.status,
        hello: on.hello,
        config: (config) => {
          this.#configure(config);
          on.config?.(config);
        },
        frame: (frame) => this.#take(frame),
      },
    });
  }

  /** Connects and shows what comes. */
  open() {
    this.#client.open();
  }

  /** Ends the connection; the last picture stays. */
  close() {
    this.#client.close();
  }

  /** Stops the traffic; the last picture stays. */
  pause() {
    this.#client.pause();
  }

  play() {
    this.#client.play();
  }

  /** @param {StreamId} stream */
  select(stream) {
    this.#client.select(stream);
  }

  /** @returns {Stats} */
  get stats() {
    const nowUs = this.#clock.nowUs();
    return {
      config: this.#config,
      drawn: this.#drawn,
      dropped: this.#dropped,
      corrupt: this.#corrupt,
      fps: this.#painted.perSecond(nowUs),
      bytesPerSecond: this.#painted.sumPerSecond(nowUs),
      latencyMs: this.#latency.median(nowUs),
      roundTripMs: this.#client.serverClock.roundTripMs,
    };
  }

  /** @param {Config} config */
  #configure(config) {
    this.#config = config;
    this.#decoder = createDecoder(config);
    this.#shown = -1n;
    this.#painted.clear();
    this.#latency.clear();
  }

  /** Decodes, paints if nothing newer is there, and acknowledges in any case. @param {Frame} frame */
  async #take(frame) {
    const decoder = this.#decoder;
    this.#countDropped(frame);
    try {
      const decoded = decoder?.decode(frame.payload);
      // Raw pixels are painted in the same turn; only what is decoded elsewhere waits.
      if (decoded instanceof Promise) await this.#paintBitmap(frame, decoder, decoded);
      else if (decoded) this.#paintPixels(frame, decoded);
    } catch {
      this.#corrupt += 1;
    } finally {
      this.#client.ack(frame);
    }
  }

  /** @param {Frame} frame @param {Pixels} pixels */
  #paintPixels(frame, { rgba, width, height }) {
    this.#resize(width, height);
    this.#context.putImageData(new ImageData(rgba, width, height), 0, 0);
    this.#countDrawn(frame);
  }

  /**
   * @param {Frame} frame
   * @param {import('./decoders/index.js').Decoder | null} decoder
   * @param {Promise<ImageBitmap>} decoding may settle after that of a newer frame
   */
  async #paintBitmap(frame, decoder, decoding) {
    const bitmap = await decoding;
    try {
      if (decoder !== this.#decoder || frame.sequence <= this.#shown) return;
      this.#resize(bitmap.width, bitmap.height);
      this.#context.drawImage(bitmap, 0, 0);
      this.#countDrawn(frame);
    } finally {
      bitmap.close();
    }
  }

  /** Only when it differs, as setting the size clears the canvas. @param {number} width @param {number} height */
  #resize(width, height) {
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
  }

  /** @param {Frame} frame */
  #countDrawn(frame) {
    const nowUs = this.#clock.nowUs();
    const latencyMs = this.#client.serverClock.ageMs(frame.capturedUs, nowUs);
    this.#shown = frame.sequence;
    this.#drawn += 1;
    this.#painted.add(nowUs, frame.payload.byteLength);
    if (latencyMs !== null) this.#latency.add(nowUs, latencyMs);
  }

  /** The server counts from 0 for each `start`, with 32 bits. @param {Frame} frame */
  #countDropped({ start, dropped }) {
    const before = start === this.#counter.start ? this.#counter.dropped : 0;
    this.#dropped += (dropped - before) >>> 0;
    this.#counter = { start, dropped };
  }
}

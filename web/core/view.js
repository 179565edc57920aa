/**
 * Shows one stream on one canvas.
 *
 * Belongs here: decode, paint, acknowledge, count, and which format is asked for. Does not belong here: the page around
 * the canvas; so it runs in a worker on an `OffscreenCanvas` as well.
 */
import { Channel } from './channel.js';
import { formats, LinkChoice } from './choice.js';
import { systemClock } from './clock.js';
import { createDecoder } from './decoders/index.js';
import { Tally } from './tally.js';

/** @typedef {import('./channel.js').Frame} Frame */
/** @typedef {import('./protocol.js').Config} Config */
/** @typedef {import('./tally.js').Stats} Stats */

/** A frame that is older is not painted, unless there is nothing younger. */
const MAX_LATENCY_MS = 1000;
/** Time between two looks at what the link carries. */
const JUDGE_EVERY_MS = 1000;
/** Below this share of its time spent on decoding, a worker measures the line and not itself. */
const CALM = 0.5;
/** One request for a key frame is enough for all frames that lack it. */
const ASK_KEY_EVERY_US = 500_000;

/**
 * @typedef {object} Choice what is shown
 * @property {string | number | null} [stream] its name or id; the server's first one without it
 * @property {string} [format] `auto`, `raw`, or the name of a format
 * @property {number} [maxfps]
 * @property {number} [maxLatencyMs]
 */

/**
 * @typedef {Omit<import('./channel.js').Events, 'frame'>} Events
 */

/**
 * @typedef {object} Surroundings
 * @property {readonly string[]} decodable formats
 * @property {boolean} isNear whether the server is on this machine
 * @property {import('./clock.js').Clock} [clock]
 * @property {boolean} [inWorker]
 */

export class View {
  #painter;
  #clock;
  #channel;
  #choice;
  #decodable;
  #link;
  #inWorker;
  /** @type {Config | null} */
  #config = null;
  /** @type {import('./decoders/index.js').Decoder | null} */
  #decoder = null;
  #tally = new Tally();
  /** When each frame that is being decoded came. @type {Map<Frame, number>} */
  #arrivedUs = new Map();
  #paintedUs = -Infinity;
  #askedKeyUs = -Infinity;
  /** What the last look at the link saw. */
  #seen = { received: 0, dropped: 0 };
  /** @type {() => void} */
  #cancelJudge = () => {};

  /**
   * Makes a view that does not watch yet.
   *
   * @param {import('./painter.js').Painter} painter
   * @param {import('./connection.js').Connection} connection
   * @param {Choice} choice
   * @param {Events} on
   * @param {Surroundings} surroundings
   */
  constructor(painter, connection, choice, on, { decodable, isNear, clock = systemClock, inWorker = false }) {
    this.#painter = painter;
    this.#clock = clock;
    this.#choice = choice;
    this.#decodable = decodable;
    this.#link = new LinkChoice(isNear);
    this.#inWorker = inWorker;
    this.#channel = new Channel(connection, this.#wishes(), {
      ...on,
      config: (config) => {
        this.#configure(config);
        on.config?.(config);
      },
      frame: (frame) => this.#take(frame),
    });
  }

  open() {
    this.#channel.open();
    this.#judgeLater();
  }

  /** Ends it; the last picture stays. */
  close() {
    this.#cancelJudge();
    this.#channel.close();
    this.#decoder?.close();
    this.#decoder = null;
  }

  /** Stops the traffic; the last picture stays. */
  pause() {
    this.#channel.pause();
  }

  play() {
    this.#channel.play();
  }

  /** Shows something else on the same connection. @param {Choice} choice what of it changes */
  choose(choice) {
    this.#choice = { ...this.#choice, ...choice };
    this.#channel.wish(this.#wishes());
  }

  /** @param {import('./connection.js').Connection} connection */
  move(connection) {
    this.#channel.move(connection);
  }

  get connection() {
    return this.#channel.connection;
  }

  /** @returns {Stats} */
  get stats() {
    const { serverClock, losses } = this.#channel.connection;
    return {
      config: this.#config,
      ...this.#tally.read(this.#clock.nowUs()),
      reconnects: losses,
      roundTripMs: serverClock.roundTripMs,
      inWorker: this.#inWorker,
    };
  }

  /** @returns {import('./channel.js').Wishes} */
  #wishes() {
    const { stream, format = 'auto', maxfps } = this.#choice;
    return { stream, maxfps, formats: formats(format, this.#decodable, this.#link.lightest) };
  }

  /** @param {Config} config */
  #configure(config) {
    this.#decoder?.close();
    this.#config = config;
    this.#tally.clear();
    this.#decoder = createDecoder(config, {
      pixels: (frame, pixels) => this.#paint(frame, () => this.#painter.pixels(pixels)),
      image: (frame, image, width, height) => this.#paint(frame, () => this.#painter.image(image, width, height)),
      corrupt: (frame) => {
        this.#tally.corrupt += 1;
        this.#finish(frame);
      },
      skipped: (frame) => {
        this.#tally.skipped += 1;
        this.#finish(frame);
      },
      wantKey: () => this.#wantKey(),
    });
  }

  /** @param {Frame} frame */
  #take(frame) {
    const nowUs = this.#clock.nowUs();
    this.#tally.receive(frame, nowUs);
    this.#arrivedUs.set(frame, nowUs);
    if (this.#decoder) this.#decoder.decode(frame);
    else this.#finish(frame);
  }

  /** Paints, unless the frame is so old that a younger one has to be near. @param {Frame} frame @param {() => void} paint */
  #paint(frame, paint) {
    const beforeUs = this.#clock.nowUs();
    const limitMs = this.#choice.maxLatencyMs ?? MAX_LATENCY_MS;
    const { serverClock } = this.#channel.connection;
    const isLate = (serverClock.ageMs(frame.capturedUs, beforeUs) ?? 0) > limitMs;
    if (isLate && beforeUs - this.#paintedUs < limitMs * 1000) {
      this.#tally.skipped += 1;
    } else {
      paint();
      const nowUs = this.#clock.nowUs();
      this.#paintedUs = nowUs;
      this.#tally.draw(nowUs, this.#arrivedUs.get(frame) ?? nowUs, serverClock.ageMs(frame.capturedUs, nowUs));
    }
    this.#finish(frame);
  }

  /** Whatever became of it, the server may send another. @param {Frame} frame */
  #finish(frame) {
    this.#arrivedUs.delete(frame);
    this.#channel.ack(frame);
  }

  #wantKey() {
    const nowUs = this.#clock.nowUs();
    if (nowUs - this.#askedKeyUs < ASK_KEY_EVERY_US) return;
    this.#askedKeyUs = nowUs;
    this.#channel.wantKey();
  }

  #judgeLater() {
    this.#cancelJudge = this.#clock.after(JUDGE_EVERY_MS, () => {
      this.#judge();
      this.#judgeLater();
    });
  }

  #judge() {
    const { received, dropped } = this.#tally;
    const second = { received: received - this.#seen.received, dropped: dropped - this.#seen.dropped };
    this.#seen = { received, dropped };
    const busyShare = this.#tally.busyShare(this.#clock.nowUs());
    if (this.#inWorker && busyShare < CALM) this.#channel.fitWindow();
    const { format = 'auto', maxfps } = this.#choice;
    if (format !== 'auto' || !this.#config || !this.#channel.isPlaying) return;
    const { fps } = this.#config;
    const isThin = this.#link.judge({
      ...second,
      format: this.#config.format,
      wantedShare: maxfps && fps > maxfps ? maxfps / fps : 1,
      busyShare,
    });
    if (isThin) this.#channel.wish(this.#wishes());
  }
}

/**
 * One stream on a connection: starts it, says in one word how it is, hands on its frames, acknowledges them.
 *
 * Belongs here: what is wanted of a stream, and what of it was got. Does not belong here: the socket, pictures.
 */
import { ackMessage, keyMessage, pauseMessage, playMessage, startMessage, stopMessage } from './protocol.js';

/** @typedef {import('./protocol.js').Config} Config */
/** @typedef {import('./protocol.js').Stream} Stream */
/** @typedef {import('./protocol.js').StreamId} StreamId */
/**
 * A frame, and the numbers of the connection and of the `start` that it came by; both only grow in a channel's life.
 *
 * @typedef {import('./protocol.js').Frame & {connection: number, start: number}} Frame
 */

/**
 * @typedef {object} Status
 * @property {'connecting' | 'live' | 'no_signal' | 'lost' | 'refused'} state
 * @property {string} why for people; empty where there is nothing to say
 */

/**
 * @typedef {object} Wishes
 * @property {string | StreamId | null} [stream] its name or id; the server's first one without it
 * @property {readonly string[]} formats what can be decoded, best first
 * @property {number} [maxfps]
 */

/**
 * @typedef {object} Events what the owner of a channel wants to be told
 * @property {(status: Status) => void} [status] whenever it changes
 * @property {(streams: Stream[]) => void} [streams] what the server has, after each hello
 * @property {(config: Config) => void} [config] before the first frame that it describes
 * @property {(frame: Frame) => void} [frame] each one has to be acknowledged with `ack`
 * @property {(message: import('./protocol.js').Controls) => void} [controls] of this stream
 * @property {(count: number) => void} [viewers]
 * @property {() => void} [taken] another channel of the connection has that stream: this one needs another connection
 */

/** Frames in flight: with two the rate is full and about one frame waits; more only adds delay. */
const WINDOW = 2;
/** What the protocol allows. */
const MOST_WINDOW = 8;
/** Round trips before the shortest of them is believed. */
const SURE_SAMPLES = 4;

export class Channel {
  #connection;
  #on;
  /** @type {Wishes} */
  #wishes;
  #isPlaying = true;
  /** The stream that was started on this connection. @type {StreamId | null} */
  #stream = null;
  /** Counts our `start` messages. Invariant: nothing of an earlier one is shown. */
  #start = 0;
  #window = WINDOW;
  /** @type {Config | null} */
  #config = null;
  /** Ids of configs of this stream, also of earlier ones: frames of theirs may be on their way. @type {Set<number>} */
  #configIds = new Set();
  /** Whether the server was told that nobody looks. */
  #isPauseSaid = false;
  #hasFrame = false;
  /** @type {Status} */
  #status = { state: 'connecting', why: '' };
  /** Why the server says that it cannot serve us. */
  error = '';

  /**
   * @param {import('./connection.js').Connection} connection
   * @param {Wishes} wishes
   * @param {Events} [on]
   */
  constructor(connection, wishes, on = {}) {
    this.#connection = connection;
    this.#wishes = wishes;
    this.#on = on;
  }

  get status() {
    return this.#status;
  }

  get isPlaying() {
    return this.#isPlaying;
  }

  get stream() {
    return this.#stream;
  }

  get connection() {
    return this.#connection;
  }

  open() {
    this.#connection.add(this);
  }

  /** Ends the stream, and the connection where nobody else has one; nothing is told after it. */
  close() {
    this.#stop();
    this.#on = {};
    this.#connection.remove(this);
  }

  /** Goes on with other wishes on the same connection. @param {Partial<Wishes>} wishes */
  wish(wishes) {
    this.#wishes = { ...this.#wishes, ...wishes };
    if (!this.#isPlaying) this.#stop();
    else if (this.#connection.isGreeted) this.#sendStart();
  }

  /** Moves to another connection. @param {import('./connection.js').Connection} connection */
  move(connection) {
    this.#stop();
    this.#connection.remove(this);
    this.forget();
    this.#connection = connection;
    connection.add(this);
  }

  /** Stops the traffic while nobody looks. */
  pause() {
    if (!this.#isPlaying) return;
    this.#isPlaying = false;
    if (this.#stream !== null) {
      this.#connection.send(pauseMessage(this.#stream));
      this.#isPauseSaid = true;
    }
    this.#connection.rest();
  }

  /** Lets the picture come again, at once where the connection was lost meanwhile. */
  play() {
    if (this.#isPlaying) return;
    this.#isPlaying = true;
    this.#connection.play();
    if (!this.#connection.isGreeted) return;
    if (this.#stream === null) this.#sendStart();
    else if (this.#isPauseSaid) this.#connection.send(playMessage(this.#stream));
    this.#isPauseSaid = false;
  }

  /**
   * Says that a frame is painted or given up; what came by an earlier connection or `start` is ignored.
   *
   * @param {Frame} frame
   */
  ack(frame) {
    if (frame.connection !== this.#connection.number || frame.start !== this.#start) return;
    if (this.#stream !== null) this.#connection.send(ackMessage(frame.sequence, this.#stream));
  }

  /**
   * Over a long distance two frames do not fill the line: starts again with as many as a round trip holds.
   *
   * Not for a viewer that is busy itself: its round trips are long because it answers late, and more frames on the way
   * would only be older ones.
   */
  fitWindow() {
    const { roundTripMs, samples } = this.#connection.serverClock;
    if (roundTripMs === null || samples < SURE_SAMPLES || !this.#config) return;
    const needed = Math.min(MOST_WINDOW, Math.max(WINDOW, Math.ceil((roundTripMs * this.#config.fps) / 1000) + 1));
    if (needed <= this.#window) return;
    this.#window = needed;
    this.#sendStart();
  }

  /** Asks for a frame that can be decoded alone. */
  wantKey() {
    if (this.#stream !== null) this.#connection.send(keyMessage(this.#stream));
  }

  // What follows is called by the connection.

  /** The connection knows what the server has. */
  greet() {
    this.#on.streams?.(this.#connection.streams); // may `wish`, which then is part of the first `start`
    if (this.#isPlaying && this.#stream === null) this.#sendStart();
  }

  /** The connection is gone. */
  forget() {
    this.#stream = null;
    this.#config = null;
    this.#configIds.clear();
    this.#isPauseSaid = false;
    this.#hasFrame = false;
    this.#window = WINDOW;
    this.error = '';
  }

  /** @param {Config | import('./protocol.js').ErrorMessage | import('./protocol.js').Controls | import('./protocol.js').Viewers} message */
  hear(message) {
    switch (message.t) {
      case 'config':
        // Ids come round after 256 configs.
        this.#configIds.delete(message.id);
        if (message.stream !== this.#stream) return;
        this.#configIds.add(message.id);
        this.#config = message;
        this.error = '';
        return this.#on.config?.(message);
      case 'error':
        if (message.stream !== undefined && message.stream !== this.#stream) return;
        // One that does not say whose it is belongs to whoever has nothing yet.
        if (message.stream !== undefined || !this.#config) this.error = message.message;
        return;
      case 'controls':
        if (message.stream === this.#stream) this.#on.controls?.(message);
        return;
      case 'viewers':
        return this.#on.viewers?.(message.count);
    }
  }

  /**
   * @param {import('./protocol.js').Frame} frame
   * @param {number} connection
   * @returns {boolean} whether it is this channel's
   */
  take(frame, connection) {
    if (!this.#configIds.has(frame.configId)) return false;
    const received = Object.assign(frame, { connection, start: this.#start });
    if (frame.configId !== this.#config?.id) {
      this.ack(received); // or the server waits for it
    } else {
      this.#hasFrame = true;
      this.#on.frame?.(received);
    }
    return true;
  }

  /** Says how the stream is, where that has changed. */
  tell() {
    const status = this.#judge();
    if (status.state === this.#status.state && status.why === this.#status.why) return;
    this.#status = status;
    this.#on.status?.(status);
  }

  #sendStart() {
    const { streams } = this.#connection;
    const { stream: wanted, formats, maxfps } = this.#wishes;
    const found = isNone(wanted) ? streams[0] : find(streams, wanted);
    if (found?.id !== this.#stream) this.#stop();
    this.#hasFrame = false;
    this.#config = null;
    this.#configIds.clear();
    this.error = found ? '' : streams.length === 0 ? 'the server has no stream' : `there is no stream \`${wanted}\``;
    if (found && this.#connection.channels.some((other) => other !== this && other.#stream === found.id)) {
      return this.#on.taken?.();
    }
    if (found) {
      this.#start += 1;
      this.#stream = found.id;
      this.#isPauseSaid = false;
      this.#connection.send(startMessage({ stream: found.id, formats: [...formats], window: this.#window, maxfps }));
    }
    this.tell();
  }

  #stop() {
    if (this.#stream !== null) this.#connection.send(stopMessage(this.#stream));
    this.#stream = null;
  }

  /** @returns {Status} */
  #judge() {
    const { trouble, isGreeted, streams } = this.#connection;
    if (trouble) return trouble;
    if (this.error) return { state: 'refused', why: this.error };
    const stream = streams.find(({ id }) => id === this.#stream);
    if (isGreeted && stream && stream.state !== 'live') return { state: 'no_signal', why: stream.why ?? '' };
    return { state: this.#hasFrame ? 'live' : 'connecting', why: '' };
  }
}

/** @param {string | StreamId | null | undefined} wanted */
const isNone = (wanted) => wanted === undefined || wanted === null || wanted === '';

/** By name or by id. @param {Stream[]} streams @param {string | StreamId | null | undefined} wanted */
const find = (streams, wanted) =>
  streams.find(({ name }) => name === wanted) ?? streams.find(({ id }) => String(id) === String(wanted));

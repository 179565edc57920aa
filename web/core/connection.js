/**
 * One WebSocket to a server: opens it, keeps it, opens it again; carries the channels of one viewer or of many.
 *
 * Belongs here: the socket's life, pings, the order of messages. Does not belong here: what a channel wants. Messages
 * are handled strictly in the order in which they come.
 */
import { Backoff } from './backoff.js';
import { ServerClock, systemClock } from './clock.js';
import { SUBPROTOCOL, pingMessage, readFrame, readMessage } from './protocol.js';

/** @typedef {import('./channel.js').Channel} Channel */
/** @typedef {import('./protocol.js').Stream} Stream */

/** Time between two pings; also how soon a silent connection is noticed. */
const BEAT_MS = 1000;
/** Round trips asked for at once after opening, so that the first latency shown is already good. */
const FIRST_PINGS = 5;
/** Pings without a word from the server after which the picture counts as old. */
const SILENT_AFTER_PINGS = 3;
/** Pings without a word after which the connection is given up; a slow link may need seconds for one raw frame. */
const DEAD_AFTER_PINGS = 10;
/** A connection this old has worked, so the next loss starts with the shortest delay again. */
const HEALTHY_AFTER_MS = 2000;

const NO_ANSWER = 'the server does not answer';

/**
 * @typedef {object} Options
 * @property {string} url `ws:` or `wss:`
 * @property {import('./clock.js').Clock} [clock]
 * @property {() => number} [random]
 * @property {typeof globalThis.WebSocket} [WebSocket]
 */

export class Connection {
  /** The server's clock; its samples belong to the socket that is open. */
  serverClock = new ServerClock();
  /** What the server has, empty before its hello. @type {Stream[]} */
  streams = [];
  /** Counts sockets. Invariant: nothing of an earlier one is shown or acknowledged. */
  number = 0;
  /** How often the connection was lost since the start. */
  losses = 0;

  #options;
  #clock;
  #backoff;
  /** @type {Set<Channel>} */
  #channels = new Set();
  /** @type {WebSocket | null} */
  #socket = null;
  #isGreeted = false;
  #unanswered = 0;
  /** Why there is no connection; empty while there is one, or the first is being made. */
  #lostWhy = '';
  #isRefused = false;
  #hasTimerForRetry = false;
  /** @type {Set<() => void>} */
  #timers = new Set();

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff(options.random);
  }

  get isGreeted() {
    return this.#isGreeted;
  }

  /**
   * How the connection is: null where nothing is wrong with it.
   *
   * @returns {{state: 'lost' | 'refused', why: string} | null}
   */
  get trouble() {
    if (this.#lostWhy) return { state: this.#isRefused ? 'refused' : 'lost', why: this.#lostWhy };
    if (this.#unanswered > SILENT_AFTER_PINGS) return { state: 'lost', why: NO_ANSWER };
    return null;
  }

  /** @param {Channel} channel */
  add(channel) {
    this.#channels.add(channel);
    this.#wake();
    if (this.#isGreeted) channel.greet();
  }

  /** @param {Channel} channel */
  remove(channel) {
    this.#channels.delete(channel);
    if (this.#channels.size === 0) this.#release();
    else this.rest();
  }

  get channels() {
    return [...this.#channels];
  }

  /** Somebody looks again: connects at once where the connection was lost meanwhile. */
  #wake() {
    if (this.#socket) {
      if (this.#isGreeted && this.#timers.size === 0) this.#beat();
    } else if (!this.#hasTimerForRetry) {
      this.#connect();
    }
  }

  /** A channel wants frames again. */
  play() {
    this.#unanswered = 0;
    this.#backoff.reset();
    this.#hasTimerForRetry = false;
    if (!this.#socket) this.#cancelTimers();
    this.#wake();
  }

  /** A channel wants no more frames: while none does there is no traffic: no pings, no new connections. */
  rest() {
    if (this.#isWatched) return;
    this.#cancelTimers();
    this.#hasTimerForRetry = false;
  }

  get #isWatched() {
    return this.channels.some((channel) => channel.isPlaying);
  }

  /** @param {string} text */
  send(text) {
    const OPEN = 1; // WebSocket.OPEN, also where the class is a fake
    if (this.#socket?.readyState === OPEN) this.#socket.send(text);
  }

  #connect() {
    this.#release();
    if (!this.#isWatched) return;
    const WebSocket = this.#options.WebSocket ?? globalThis.WebSocket;
    const socket = new WebSocket(this.#options.url, SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.number += 1;
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#unanswered = 0;
      if (typeof data === 'string') this.#read(data);
      else this.#receive(data);
      this.#tell();
    };
    socket.onclose = ({ code, reason }) => {
      if (socket === this.#socket) this.#lose(reason || whyClosed(code), code === REFUSED || code === TOO_MANY);
    };
  }

  /** Forgets the socket and all that belongs to it. */
  #release() {
    const socket = this.#socket;
    this.#socket = null;
    this.#cancelTimers();
    this.#hasTimerForRetry = false;
    this.serverClock = new ServerClock();
    this.#isGreeted = false;
    this.#unanswered = 0;
    for (const channel of this.#channels) channel.forget();
    socket?.close();
  }

  /** @param {string} why @param {boolean} isRefused */
  #lose(why, isRefused = false) {
    const error = this.channels.map((channel) => channel.error).find(Boolean);
    this.#release();
    this.losses += 1;
    this.#lostWhy = error || why;
    this.#isRefused = isRefused;
    this.#tell();
    if (!this.#isWatched) return;
    this.#hasTimerForRetry = true;
    this.#after(this.#backoff.next(), () => {
      this.#hasTimerForRetry = false;
      this.#connect();
    });
  }

  /** @param {string} text */
  #read(text) {
    const message = readMessage(text);
    switch (message?.t) {
      case 'hello':
        return this.#greet(message);
      case 'state':
        for (const stream of this.streams) {
          if (stream.id === message.stream) Object.assign(stream, { state: message.state, why: message.why });
        }
        return;
      case 'pong':
        this.serverClock.add(message.c, message.s, this.#clock.nowUs());
        if (this.serverClock.samples < FIRST_PINGS) this.#ping();
        return;
      case 'config':
      case 'error':
      case 'controls':
      case 'viewers':
        for (const channel of this.#channels) channel.hear(message);
    }
  }

  /** @param {import('./protocol.js').Hello} hello */
  #greet({ streams }) {
    this.#lostWhy = '';
    this.#isRefused = false;
    this.streams = streams;
    this.#isGreeted = true;
    for (const channel of this.channels) channel.greet();
    if (!this.#isWatched) return;
    this.#beat();
    this.#after(HEALTHY_AFTER_MS, () => this.#backoff.reset());
  }

  /** @param {ArrayBuffer} buffer */
  #receive(buffer) {
    const frame = readFrame(buffer);
    if (!frame) return;
    for (const channel of this.#channels) if (channel.take(frame, this.number)) return;
  }

  #beat() {
    if (this.#unanswered >= DEAD_AFTER_PINGS) return this.#lose(NO_ANSWER);
    this.#ping();
    this.#tell();
    this.#after(BEAT_MS, () => this.#beat());
  }

  #ping() {
    this.#unanswered += 1;
    this.send(pingMessage(this.#clock.nowUs()));
  }

  #tell() {
    for (const channel of this.#channels) channel.tell();
  }

  /** @param {number} delayMs @param {() => void} task */
  #after(delayMs, task) {
    const cancel = this.#clock.after(delayMs, () => {
      this.#timers.delete(cancel);
      task();
    });
    this.#timers.add(cancel);
  }

  #cancelTimers() {
    for (const cancel of this.#timers) cancel();
    this.#timers.clear();
  }
}

const REFUSED = 1008;
const TOO_MANY = 1013;

/**
 * Close codes of RFC 6455 section 7.4.1 that people can do something with.
 *
 * @param {number} code
 */
function whyClosed(code) {
  switch (code) {
    case 1000:
    case 1001:
      return 'the server has stopped';
    case 1006: // never sent: the connection failed or broke
      return NO_ANSWER;
    case REFUSED:
      return 'the server does not let this viewer watch';
    case TOO_MANY:
      return 'the server has too many viewers, or this one is too slow';
    default:
      return `the server closed the connection (${code})`;
  }
}

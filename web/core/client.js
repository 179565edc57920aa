/**
 * One viewer's connection: opens it, keeps it, says in one word how it is, hands on the frames.
 *
 * Belongs here: the socket's life and the order of messages. Does not belong here: pictures, pages. Messages are
 * handled strictly in the order in which they come.
 */
import { Backoff } from './backoff.js';
import { ServerClock, systemClock } from './clock.js';
import { PAUSE, PLAY, STOP, SUBPROTOCOL, ackMessage, pingMessage, readFrame, readMessage, startMessage } from './protocol.js';

/** @typedef {import('./protocol.js').Config} Config */
/** @typedef {import('./protocol.js').StreamId} StreamId */
/**
 * A frame, and the numbers of the connection and of the `start` that it came by; both only grow in a client's life.
 *
 * @typedef {import('./protocol.js').Frame & {connection: number, start: number}} Frame
 */

/**
 * @typedef {object} Status
 * @property {'connecting' | 'live' | 'no_signal' | 'lost'} state
 * @property {string} why for people; empty where there is nothing to say
 */

/** Frames in flight: with two the rate is full and about one frame waits; more only adds delay. */
const WINDOW = 2;
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

/**
 * @typedef {object} Options
 * @property {string} url `ws:` or `wss:`
 * @property {readonly string[]} formats what can be decoded, best first
 * @property {StreamId} [stream] the server's first one without it
 * @property {Events} [on]
 * @property {import('./clock.js').Clock} [clock]
 * @property {() => number} [random]
 * @property {typeof globalThis.WebSocket} [WebSocket]
 */

/**
 * @typedef {object} Events what the owner of a client wants to be told
 * @property {(status: Status) => void} [status] whenever it changes
 * @property {(hello: import('./protocol.js').Hello) => void} [hello]
 * @property {(config: Config) => void} [config] before the first frame that it describes
 * @property {(frame: Frame) => void} [frame] each one has to be acknowledged with `ack`
 */

export class Client {
  /** The server's clock; its samples belong to the connection that is open. */
  serverClock = new ServerClock();

  #options;
  #clock;
  #backoff;
  /** @type {WebSocket | null} */
  #socket = null;
  /** Counts connections. Invariant: nothing of an earlier one is shown or acknowledged. */
  #connection = 0;
  /** Counts our `start` messages. Invariant: nothing of an earlier one is shown. */
  #start = 0;
  /** Whether a stream was started on this connection. */
  #hasStream = false;
  /** Whether this connection knows what we want. */
  #isStarted = false;
  /** Whether the server was told that nobody looks. */
  #isPauseSaid = false;
  /** @type {Config | null} */
  #config = null;
  /** @type {StreamId | undefined} */
  #wanted;
  /** @type {import('./protocol.js').Stream[]} */
  #streams = [];
  #isHelloDone = false;
  #isPlaying = true;
  #isClosed = true;
  #unanswered = 0;
  /** Why the server says that it cannot serve us. */
  #error = '';
  #lostWhy = '';
  /** @type {Set<() => void>} */
  #timers = new Set();
  /** @type {Status} */
  #status = { state: 'connecting', why: '' };
  #hasFrame = false;

  /** @param {Options} options */
  constructor(options) {
    this.#options = options;
    this.#clock = options.clock ?? systemClock;
    this.#backoff = new Backoff(options.random);
    this.#wanted = options.stream;
  }

  get status() {
    return this.#status;
  }

  /** Connects, and connects again whenever the connection is lost, until `close`. */
  open() {
    if (!this.#isClosed) return;
    this.#isClosed = false;
    if (this.#isPlaying) this.#connect();
  }

  /** Ends the connection; nothing is told after it. */
  close() {
    this.#isClosed = true;
    this.#release();
  }

  /** Stops the traffic while nobody looks: no frames, no pings, no new connections. */
  pause() {
    if (!this.#isPlaying) return;
    this.#isPlaying = false;
    this.#cancelTimers();
    if (!this.#isStarted) return;
    this.#send(PAUSE);
    this.#isPauseSaid = true;
  }

  /** Lets the picture come again, at once where the connection was lost meanwhile. */
  play() {
    if (this.#isPlaying) return;
    this.#isPlaying = true;
    if (this.#isClosed) return;
    this.#unanswered = 0;
    this.#backoff.reset();
    if (!this.#socket) {
      this.#connect();
    } else if (this.#isHelloDone) {
      if (!this.#isStarted) this.#sendStart();
      if (this.#isPauseSaid) this.#send(PLAY);
      this.#isPauseSaid = false;
      this.#beat();
    }
  }

  /** Changes to another stream on the same connection. @param {StreamId} stream */
  select(stream) {
    this.#wanted = stream;
    this.#isStarted = false;
    if (this.#isHelloDone && this.#isPlaying) this.#sendStart();
  }

  /**
   * Says that a frame is painted or given up; what came by an earlier connection is ignored.
   *
   * @param {Frame} frame
   */
  ack(frame) {
    if (frame.connection === this.#connection) this.#send(ackMessage(frame.sequence));
  }

  #connect() {
    this.#release();
    const WebSocket = this.#options.WebSocket ?? globalThis.WebSocket;
    const socket = new WebSocket(this.#options.url, SUBPROTOCOL);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    this.#connection += 1;
    socket.onmessage = ({ data }) => {
      if (socket !== this.#socket) return;
      this.#unanswered = 0;
      if (typeof data === 'string') this.#read(data);
      else this.#receive(data);
      this.#tell();
    };
    socket.onclose = ({ code, reason }) => {
      if (socket === this.#socket) this.#lose(this.#error || reason || whyClosed(code));
    };
  }

  /** Forgets the connection and all that belongs to it. */
  #release() {
    const socket = this.#socket;
    this.#socket = null;
    this.#cancelTimers();
    this.serverClock = new ServerClock();
    this.#config = null;
    this.#isHelloDone = false;
    this.#hasStream = false;
    this.#isStarted = false;
    this.#isPauseSaid = false;
    this.#hasFrame = false;
    this.#unanswered = 0;
    this.#error = '';
    socket?.close();
  }

  /** @param {string} why */
  #lose(why) {
    this.#release();
    this.#lostWhy = why;
    this.#tell();
    if (this.#isPlaying && !this.#isClosed) this.#after(this.#backoff.next(), () => this.#connect());
  }

  /** @param {string} text */
  #read(text) {
    const message = readMessage(text);
    switch (message?.t) {
      case 'hello':
        return this.#greet(message);
      case 'config':
        this.#config = message;
        this.#error = '';
        return this.#options.on?.config?.(message);
      case 'state':
        for (const stream of this.#streams) {
          if (stream.id === message.stream) Object.assign(stream, { state: message.state, why: message.why });
        }
        return;
      case 'pong':
        this.serverClock.add(message.c, message.s, this.#clock.nowUs());
        if (this.serverClock.samples < FIRST_PINGS) this.#ping();
        return;
      case 'error':
        this.#error = message.message;
    }
  }

  /** @param {import('./protocol.js').Hello} hello */
  #greet(hello) {
    this.#lostWhy = '';
    this.#streams = hello.streams;
    this.#options.on?.hello?.(hello); // may `select`, which then is part of the first `start`
    this.#isHelloDone = true;
    if (!this.#isPlaying) return;
    this.#sendStart();
    this.#beat();
    this.#after(HEALTHY_AFTER_MS, () => this.#backoff.reset());
  }

  #sendStart() {
    this.#start += 1;
    this.#isStarted = true;
    // A socket carries several streams; we show one.
    if (this.#hasStream) this.#send(STOP);
    this.#hasStream = true;
    this.#config = null;
    this.#hasFrame = false;
    this.#error = '';
    this.#send(startMessage({ stream: this.#wanted, formats: [...this.#options.formats], window: WINDOW }));
    this.#tell();
  }

  /** @param {ArrayBuffer} buffer */
  #receive(buffer) {
    const frame = readFrame(buffer);
    if (!frame) return;
    const received = Object.assign(frame, { connection: this.#connection, start: this.#start });
    // Another config: it was on its way when we sent our last `start`. The server may still count it as in flight.
    if (frame.configId !== this.#config?.id) return this.ack(received);
    this.#hasFrame = true;
    this.#options.on?.frame?.(received);
  }

  #beat() {
    if (this.#unanswered >= DEAD_AFTER_PINGS) return this.#lose(NO_ANSWER);
    this.#ping();
    this.#tell();
    this.#after(BEAT_MS, () => this.#beat());
  }

  #ping() {
    this.#unanswered += 1;
    this.#send(pingMessage(this.#clock.nowUs()));
  }

  /** @param {string} text */
  #send(text) {
    const OPEN = 1; // WebSocket.OPEN, also where the class is a fake
    if (this.#socket?.readyState === OPEN) this.#socket.send(text);
  }

  #tell() {
    const status = this.#judge();
    if (this.#isClosed || (status.state === this.#status.state && status.why === this.#status.why)) return;
    this.#status = status;
    this.#options.on?.status?.(status);
  }

  /** @returns {Status} */
  #judge() {
    if (this.#lostWhy) return { state: 'lost', why: this.#lostWhy };
    if (this.#unanswered > SILENT_AFTER_PINGS) return { state: 'lost', why: NO_ANSWER };
    if (this.#error) return { state: 'no_signal', why: this.#error };
    const stream = this.#streams.find(({ id }) => id === (this.#config?.stream ?? this.#wanted)) ?? this.#streams[0];
    if (this.#isHelloDone && stream && stream.state !== 'live') return { state: 'no_signal', why: stream.why ?? '' };
    return { state: this.#hasFrame ? 'live' : 'connecting', why: '' };
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

const NO_ANSWER = 'the server does not answer';

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
    case 1013:
      return 'the server has too many viewers, or this one is too slow';
    default:
      return `the server closed the connection (${code})`;
  }
}

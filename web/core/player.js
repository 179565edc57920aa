/**
 * All views of a page: one object that runs in a worker, or on the page where there is none, and is told by messages.
 *
 * Views of the same server share a connection, each with a stream of its own; two of the same stream have two.
 */
import { systemClock } from './clock.js';
import { Connection } from './connection.js';
import { decodable } from './decoders/index.js';
import { Painter } from './painter.js';
import { View } from './view.js';

/** @typedef {import('./view.js').Choice} Choice */

/**
 * @typedef {{id: number, t: 'open', url: string, isNear: boolean, isPlaying: boolean, choice: Choice,
 *   canvas: HTMLCanvasElement | OffscreenCanvas}} Open
 */
/** @typedef {{id: number, t: 'choose', choice: Choice}} Choose */
/** @typedef {{id: number, t: 'pause' | 'play' | 'close'}} Plain */
/** @typedef {Open | Choose | Plain} Command what a player is told */

/** @typedef {{id: number, t: 'status', status: import('./channel.js').Status}} StatusTold */
/** @typedef {{id: number, t: 'streams', streams: import('./protocol.js').Stream[]}} StreamsTold */
/** @typedef {{id: number, t: 'config', config: import('./protocol.js').Config}} ConfigTold */
/** @typedef {{id: number, t: 'stats', stats: import('./tally.js').Stats}} StatsTold */
/** @typedef {{id: number, t: 'controls', controls: import('./protocol.js').Controls}} ControlsTold */
/** @typedef {{id: number, t: 'viewers', count: number}} ViewersTold */
/** @typedef {{id: number, t: 'failed', why: string}} FailedTold the canvas cannot be painted on */
/** @typedef {StatusTold | StreamsTold | ConfigTold | StatsTold | ControlsTold | ViewersTold | FailedTold} Told */

/** Numbers that change faster cannot be read. */
const STATS_EVERY_MS = 250;

export class Player {
  #tell;
  #clock;
  #inWorker;
  /** @type {Map<number, View>} */
  #views = new Map();
  /** @type {Map<string, Connection[]>} */
  #connections = new Map();
  /** Commands wait until it is known what can be decoded. @type {Promise<readonly string[]>} */
  #decodable = decodable();
  /** @type {Promise<unknown>} */
  #turn = this.#decodable;
  /** @type {(() => void) | null} */
  #cancelStats = null;

  /**
   * @param {(told: Told) => void} tell
   * @param {{inWorker?: boolean, clock?: import('./clock.js').Clock}} [options]
   */
  constructor(tell, { inWorker = false, clock = systemClock } = {}) {
    this.#tell = tell;
    this.#inWorker = inWorker;
    this.#clock = clock;
  }

  /** Does what it is told, in order. @param {Command} command */
  handle(command) {
    this.#turn = this.#turn.then(async () => this.#do(command, await this.#decodable));
  }

  /** @param {Command} command @param {readonly string[]} decodable */
  #do(command, decodable) {
    const { id } = command;
    if (command.t === 'open') return this.#open(command, decodable);
    const view = this.#views.get(id);
    if (!view) return;
    if (command.t === 'choose') view.choose(command.choice);
    else if (command.t === 'pause') view.pause();
    else if (command.t === 'play') view.play();
    else this.#close(id, view);
  }

  /** @param {Open} command @param {readonly string[]} decodable */
  #open({ id, url, isNear, isPlaying, choice, canvas }, decodable) {
    let painter;
    try {
      painter = new Painter(canvas);
    } catch (error) {
      return this.#tell({ id, t: 'failed', why: String(error) });
    }
    /** @type {View} */
    const view = new View(painter, this.#connection(url, choice), choice, {
      status: (status) => this.#tell({ id, t: 'status', status }),
      streams: (streams) => this.#tell({ id, t: 'streams', streams }),
      config: (config) => this.#tell({ id, t: 'config', config }),
      controls: (controls) => this.#tell({ id, t: 'controls', controls }),
      viewers: (count) => this.#tell({ id, t: 'viewers', count }),
      taken: () => view.move(this.#newConnection(url)),
    }, { decodable, isNear, clock: this.#clock, inWorker: this.#inWorker });
    this.#views.set(id, view);
    if (!isPlaying) view.pause();
    view.open();
    this.#cancelStats ??= this.#clock.after(STATS_EVERY_MS, () => this.#tellStats());
  }

  /** @param {number} id @param {View} view */
  #close(id, view) {
    const { connection } = view;
    view.close();
    this.#views.delete(id);
    if (connection.channels.length > 0) return;
    for (const [url, all] of this.#connections) this.#connections.set(url, all.filter((other) => other !== connection));
  }

  /** One that is there already may have this stream too, and says so later. @param {string} url @param {Choice} choice */
  #connection(url, choice) {
    const isNamed = choice.stream !== undefined && choice.stream !== null && choice.stream !== '';
    const shared = this.#connections.get(url)?.find(({ channels }) => channels.length > 0);
    return isNamed && shared ? shared : this.#newConnection(url);
  }

  /** @param {string} url */
  #newConnection(url) {
    const connection = new Connection({ url, clock: this.#clock });
    this.#connections.set(url, [...(this.#connections.get(url) ?? []), connection]);
    return connection;
  }

  #tellStats() {
    for (const [id, view] of this.#views) this.#tell({ id, t: 'stats', stats: view.stats });
    this.#cancelStats = this.#views.size > 0 ? this.#clock.after(STATS_EVERY_MS, () => this.#tellStats()) : null;
  }
}

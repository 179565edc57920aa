/**
 * `<eyelet-view>`: a live camera as an element, for any page.
 *
 * Belongs here: attributes, properties, events, keys, and when there is traffic. The parts are in files of their own.
 * Described in `docs/ref/element.md`.
 */
import { choiceOf, serverOf, turnOf, wantsImage } from './attributes.js';
import { createBar } from './bar.js';
import { icon } from './icons.js';
import { actOf } from './keys.js';
import { make } from './make.js';
import { createMenu } from './menu.js';
import { createNotice, WORDS } from './notice.js';
import { Picture } from './picture.js';
import { download, takeSnapshot } from './snapshot.js';
import { createStatistics } from './statistics.js';
import { STYLE } from './style.js';

/** @typedef {import('../channel.js').Status} Status */
/** @typedef {import('../protocol.js').Stream} Stream */
/** @typedef {import('../tally.js').Stats} Stats */

/** Time without a movement after which the bar leaves. */
const IDLE_AFTER_MS = 2500;
/** Failed attempts to get a WebSocket, without one that worked, after which pictures are taken by plain HTTP. */
const ATTEMPTS = 3;
/** @type {CSSStyleSheet | undefined} */
let sheet;
function style() {
  if (!sheet) {
    sheet = new CSSStyleSheet();
    sheet.replaceSync(STYLE);
  }
  return sheet;
}

export class EyeletView extends HTMLElement {
  static observedAttributes = ['src', 'stream', 'format', 'maxfps', 'max-latency', 'rotate', 'flip', 'controls', 'paused'];

  #root = make('div', { class: 'root connecting', part: 'root' });
  #picture = new Picture((told) => this.#hear(told));
  #notice = createNotice();
  #statistics = createStatistics();
  #menu = createMenu({
    format: (format) => this.setAttribute('format', format),
    rendition: (rendition) => this.#chooseRendition(rendition),
    rotate: () => this.turnClockwise(),
    mirror: () => this.#toggleFlip(),
  });
  #bar = createBar({
    togglePause: () => this.#togglePause(),
    toggleStatistics: () => this.toggleStatistics(),
    toggleMenu: () => this.toggleMenu(),
    snapshot: () => this.saveSnapshot(),
    toggleFull: () => this.toggleFull(),
  });
  #ratio = new CSSStyleSheet();
  /** @type {Status} */
  #status = { state: 'connecting', why: '' };
  /** @type {Stats | null} */
  #stats = null;
  /** @type {Stream[]} */
  #streams = [];
  /** @type {import('../protocol.js').Config | null} */
  #config = null;
  /** A derived stream that is shown in the place of the camera's own; its id. */
  #rendition = '';
  /** Whether a WebSocket has worked since `src` was set. */
  #hasWorked = false;
  /** Whether the worker failed, so that the page has to do it. */
  #onPage = false;
  #isInSight = true;
  #isOpen = false;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #idle;
  #sight = new IntersectionObserver(([entry]) => {
    this.#isInSight = entry.isIntersecting;
    this.#play();
  });
  #onVisibility = () => this.#play();
  #onFull = () => this.#showFull();

  constructor() {
    super();
    const shadow = this.attachShadow({ mode: 'open' });
    shadow.adoptedStyleSheets = [style(), this.#ratio];
    const pauseMark = icon('play');
    pauseMark.setAttribute('class', 'pause-mark');
    this.#root.append(this.#picture.element, this.#notice.element, pauseMark, this.#statistics.element);
    shadow.append(this.#root);
    this.addEventListener('keydown', (event) => this.handleKey(event));
    for (const type of ['pointermove', 'pointerdown', 'focusin']) this.addEventListener(type, () => this.#wake());
    this.#picture.element.addEventListener('dblclick', () => this.hasAttribute('controls') && this.toggleFull());
  }

  connectedCallback() {
    if (!this.hasAttribute('tabindex') && this.hasAttribute('controls')) this.tabIndex = 0;
    document.addEventListener('visibilitychange', this.#onVisibility);
    document.addEventListener('fullscreenchange', this.#onFull);
    this.#sight.observe(this);
    this.#isOpen = true;
    this.#open();
    this.#wake();
  }

  disconnectedCallback() {
    document.removeEventListener('visibilitychange', this.#onVisibility);
    document.removeEventListener('fullscreenchange', this.#onFull);
    this.#sight.disconnect();
    this.#isOpen = false;
    this.#picture.close();
  }

  /** @param {string} name @param {string | null} before @param {string | null} now */
  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    if (name === 'rotate' || name === 'flip') this.#turn();
    else if (name === 'controls') this.#showControls();
    else if (!this.#isOpen) return;
    else if (name === 'src') this.#open();
    else if (name === 'paused') this.#showPaused();
    else this.#choose(name);
    if (name === 'rotate' || name === 'flip' || name === 'format') this.#tell('change', null);
  }

  /** How it is. */
  get status() {
    return this.#status;
  }

  /** The newest numbers, null before the first. */
  get stats() {
    return this.#stats;
  }

  /** What the server has. */
  get streams() {
    return this.#streams;
  }

  /** What is shown, null before it is known. */
  get config() {
    return this.#config;
  }

  /** The camera that is shown, also where a rendition of it is. @returns {Stream | null} */
  get camera() {
    const wanted = this.getAttribute('stream') ?? '';
    const found = this.#streams.find(({ name, id }) => name === wanted || String(id) === wanted) ?? null;
    const stream = wanted === '' ? (this.#streams[0] ?? null) : found;
    return this.#streams.find(({ id }) => id === stream?.of) ?? stream;
  }

  /** The address of the server, up to the last `/`. */
  get server() {
    return serverOf(this);
  }

  get isStatisticsShown() {
    return !this.#statistics.element.hidden;
  }

  pause() {
    this.setAttribute('paused', '');
  }

  play() {
    this.removeAttribute('paused');
  }

  /** The picture as it is seen, turned and mirrored. @param {string} [type] `image/png`, `image/jpeg`, `image/webp` */
  snapshot(type) {
    return takeSnapshot(this.#picture.surface, turnOf(this), type);
  }

  /** The same as a download, named after the camera. */
  async saveSnapshot() {
    try {
      download(await this.snapshot(), this.camera?.name ?? '');
    } catch (error) {
      this.#tell('error', String(error));
    }
  }

  turnClockwise() {
    const rotate = (turnOf(this).rotate + 90) % 360;
    if (rotate === 0) this.removeAttribute('rotate');
    else this.setAttribute('rotate', String(rotate));
  }

  toggleStatistics() {
    this.#statistics.element.hidden = this.isStatisticsShown;
    this.#bar.showStatistics(this.isStatisticsShown);
    if (this.#stats) this.#statistics.show(this.#stats);
  }

  toggleMenu() {
    const { element } = this.#menu;
    element.hidden = !element.hidden;
    this.#bar.showMenu(!element.hidden);
    if (element.hidden) this.#bar.settings.focus();
    else element.querySelector('select')?.focus();
  }

  /** The whole screen; the whole window where a browser has the screen for videos only, as on an iPhone. */
  async toggleFull() {
    if (document.fullscreenElement === this) return document.exitFullscreen();
    try {
      await this.requestFullscreen();
    } catch {
      this.toggleAttribute('full');
      this.#showFull();
    }
  }

  /**
   * Does what a key says; a page may hand on those that are pressed elsewhere on it.
   *
   * @param {KeyboardEvent} event
   */
  handleKey(event) {
    if (!this.hasAttribute('controls')) return;
    const act = actOf(event, this.#keys);
    if (!act || act() === false) return;
    event.preventDefault();
    this.#wake();
  }

  /** @type {import('./keys.js').Acts} */
  #keys = {
    ' ': () => this.#togglePause(),
    k: () => this.#togglePause(),
    i: () => this.toggleStatistics(),
    o: () => this.toggleMenu(),
    s: () => this.saveSnapshot(),
    f: () => this.toggleFull(),
    r: () => this.turnClockwise(),
    m: () => this.#toggleFlip(),
    escape: () => this.#escape(),
  };

  #togglePause() {
    this.toggleAttribute('paused');
  }

  #toggleFlip() {
    this.toggleAttribute('flip');
  }

  #escape() {
    if (!this.#menu.element.hidden) this.toggleMenu();
    else if (this.hasAttribute('full')) this.toggleFull();
    else return false;
  }

  #open() {
    this.#hasWorked = false;
    this.#picture.useImage(wantsImage(this));
    this.#picture.open({
      server: this.server,
      isPlaying: this.#isWatched,
      onPage: this.#onPage || this.hasAttribute('no-worker'),
      choice: choiceOf(this, this.#rendition),
    });
    this.#turn();
    this.#showPaused();
  }

  /** @param {string} name of the attribute that has changed */
  #choose(name) {
    if (name === 'stream' || name === 'format') this.#rendition = '';
    this.#picture.useImage(wantsImage(this));
    this.#picture.choose(choiceOf(this, this.#rendition));
    this.#showMenu();
  }

  /** @param {string} rendition */
  #chooseRendition(rendition) {
    this.#rendition = rendition;
    this.#picture.choose(choiceOf(this, this.#rendition));
    this.#showMenu();
  }

  get #isWatched() {
    return !document.hidden && this.#isInSight && !this.hasAttribute('paused');
  }

  #play() {
    if (this.#isOpen) this.#picture.play(this.#isWatched);
  }

  #showPaused() {
    const isPaused = this.hasAttribute('paused');
    this.#root.classList.toggle('paused', isPaused);
    this.#bar.showPaused(isPaused);
    this.#showAge();
    this.#play();
  }

  #turn() {
    const turn = turnOf(this);
    this.#picture.turn(turn);
    this.#menu.showTurn(turn.flip);
    this.#showRatio();
  }

  #showRatio() {
    const { width, height } = this.#config ?? { width: 4, height: 3 };
    const ratio = turnOf(this).rotate % 180 ? height / width : width / height;
    this.#ratio.replaceSync(`:host { --ratio: ${ratio}; }`);
  }

  #showControls() {
    if (this.hasAttribute('controls')) this.#root.append(this.#menu.element, this.#bar.element);
    else [this.#menu.element, this.#bar.element].forEach((element) => element.remove());
  }

  #showFull() {
    this.#bar.showFull(document.fullscreenElement === this || this.hasAttribute('full'));
    this.#wake();
  }

  #showMenu() {
    const { camera } = this;
    if (!camera) return;
    this.#menu.show(camera, this.#streams, { format: this.getAttribute('format') || 'auto', rendition: this.#rendition });
  }

  #showAge() {
    const { latencyMs } = this.#stats ?? { latencyMs: null };
    const isLive = this.#status.state === 'live';
    if (this.hasAttribute('paused')) this.#bar.showAge('Paused');
    else if (isLive && latencyMs !== null && !this.#picture.isByImage) this.#bar.showAge(`Live, ${latencyMs.toFixed(0)} ms`);
    else this.#bar.showAge(WORDS[this.#status.state]);
  }

  #wake() {
    this.#root.classList.remove('idle');
    clearTimeout(this.#idle);
    this.#idle = setTimeout(() => this.#root.classList.toggle('idle', this.#status.state === 'live'), IDLE_AFTER_MS);
  }

  /** @param {import('../player.js').Told} told */
  #hear(told) {
    switch (told.t) {
      case 'status':
        return this.#showStatus(told.status);
      case 'streams':
        this.#streams = told.streams;
        this.#hasWorked = true;
        this.#picture.label(`Camera picture: ${this.camera?.name ?? 'unknown'}`);
        this.#showMenu();
        return this.#tell('streams', told.streams);
      case 'config':
        this.#config = told.config;
        this.#showRatio();
        return this.#tell('config', told.config);
      case 'stats':
        this.#stats = told.stats;
        if (this.isStatisticsShown) this.#statistics.show(told.stats);
        this.#showAge();
        if (!this.#hasWorked && told.stats.reconnects >= ATTEMPTS) this.#picture.useImage(true);
        return this.#tell('stats', told.stats);
      case 'controls':
        return this.#tell('controls', told.controls);
      case 'viewers':
        return this.#tell('viewers', told.count);
      case 'failed':
        return this.#fail();
    }
  }

  /** There is no painting where it was tried: on the page then, or as an image. */
  #fail() {
    if (this.#onPage) return this.#picture.useImage(true);
    this.#onPage = true;
    this.#open();
  }

  /** @param {Status} status */
  #showStatus(status) {
    this.#status = status;
    if (this.#picture.isByImage && status.state === 'lost' && !wantsImage(this)) this.#picture.useImage(false);
    const had = this.#root.classList.contains('has-picture') || status.state === 'live';
    for (const state of Object.keys(WORDS)) this.#root.classList.toggle(state, state === status.state);
    this.#root.classList.toggle('has-picture', had);
    this.#notice.show(status);
    this.#showAge();
    this.#tell('status', status);
  }

  /** @param {string} type @param {unknown} detail */
  #tell(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}

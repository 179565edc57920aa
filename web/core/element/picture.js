/** The picture itself: a canvas, or an image where no canvas can be had, turned as it was asked for. */
import { canPaintInWorker, show } from '../remote.js';
import { make } from './make.js';

/** @typedef {import('../player.js').Told} Told */
/** @typedef {import('./snapshot.js').Turn} Turn */

/**
 * @typedef {object} Options
 * @property {URL} server its address, up to the last `/`
 * @property {boolean} isPlaying
 * @property {boolean} onPage do not use a worker
 * @property {import('../view.js').Choice} choice
 */

/** Time before an image that failed is asked for again. */
const IMAGE_AGAIN_MS = 2000;

/** Whether the server is on this machine, where copying is cheap. @param {URL} server */
const isNear = ({ hostname }) => /^(localhost|.+\.localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);

export class Picture {
  element = make('div', { class: 'picture', part: 'picture' });
  #canvas = make('canvas', { role: 'img', part: 'canvas' });
  #image = make('img', { alt: '' });
  #listen;
  /** @type {ReturnType<typeof show> | null} */
  #shown = null;
  /** @type {Options | null} */
  #options = null;
  #byImage = false;

  /** @param {(told: Told) => void} listen */
  constructor(listen) {
    this.#listen = listen;
    this.#image.addEventListener('load', () => this.#tellImage({ state: 'live', why: '' }));
    this.#image.addEventListener('error', () => this.#loseImage());
  }

  /** Shows a stream from now on. @param {Options} options */
  open(options) {
    this.close();
    this.#options = options;
    // A canvas that was given to a worker stays there, so that each stream's life has its own.
    this.#canvas = make('canvas', { role: 'img', part: 'canvas', 'aria-label': this.#canvas.getAttribute('aria-label') ?? 'Camera picture' });
    this.element.replaceChildren(this.#canvas, this.#image);
    const { server, isPlaying, onPage, choice } = options;
    this.#shown = show(
      this.#canvas,
      {
        url: new URL('-/ws', server).href.replace(/^http/, 'ws'),
        isNear: isNear(server),
        isPlaying: isPlaying && !this.#byImage,
        inWorker: !onPage && canPaintInWorker(),
        choice,
      },
      this.#listen,
    );
    if (this.#byImage) this.#startImage();
  }

  close() {
    this.#shown?.close();
    this.#shown = null;
    this.#stopImage();
  }

  /** @param {import('../view.js').Choice} choice */
  choose(choice) {
    if (this.#options) this.#options.choice = { ...this.#options.choice, ...choice };
    this.#shown?.choose(choice);
    if (this.#byImage) this.#startImage();
  }

  /** @param {boolean} isPlaying */
  play(isPlaying) {
    if (this.#options) this.#options.isPlaying = isPlaying;
    if (!this.#byImage) isPlaying ? this.#shown?.play() : this.#shown?.pause();
    else if (isPlaying) this.#startImage();
    else this.#stopImage();
  }

  /** Takes the pictures by plain HTTP, for networks that let no WebSocket through; or no longer. @param {boolean} byImage */
  useImage(byImage) {
    if (this.#byImage === byImage) return;
    this.#byImage = byImage;
    if (!this.#options?.isPlaying) return;
    if (byImage) {
      this.#shown?.pause();
      this.#startImage();
    } else {
      this.#stopImage();
      this.#shown?.play();
    }
  }

  get isByImage() {
    return this.#byImage;
  }

  /** What is seen, for a snapshot. */
  get surface() {
    return this.#byImage ? this.#image : this.#canvas;
  }

  /** @param {string} name */
  label(name) {
    this.#canvas.setAttribute('aria-label', name);
    this.#image.alt = name;
  }

  /** @param {Turn} turn */
  turn({ rotate, flip }) {
    this.element.classList.toggle('sideways', rotate % 180 !== 0);
    this.element.style.setProperty('--turn', `rotate(${rotate}deg)`);
    this.element.style.setProperty('--flip', `scaleX(${flip ? -1 : 1})`);
  }

  #startImage() {
    if (!this.#options) return;
    const { server, choice } = this.#options;
    const url = new URL('-/stream.mjpg', server);
    // Chromium shows a picture only when the next one's head has come.
    url.searchParams.set('advance', '1');
    if (choice.stream !== undefined && choice.stream !== null && choice.stream !== '') {
      url.searchParams.set('stream', String(choice.stream));
    }
    if (choice.maxfps) url.searchParams.set('fps', String(choice.maxfps));
    this.element.classList.add('by-image');
    if (this.#image.src !== url.href) this.#image.src = url.href;
  }

  #stopImage() {
    this.element.classList.remove('by-image');
    this.#image.removeAttribute('src');
  }

  #loseImage() {
    if (!this.#image.getAttribute('src')) return;
    this.#image.removeAttribute('src');
    setTimeout(() => this.#byImage && this.#options?.isPlaying && this.#startImage(), IMAGE_AGAIN_MS);
    this.#listen({ id: 0, t: 'status', status: { state: 'lost', why: 'no pictures come' } });
  }

  /** @param {import('../channel.js').Status} status */
  #tellImage(status) {
    if (this.#byImage && this.#image.src) this.#listen({ id: 0, t: 'status', status });
  }
}

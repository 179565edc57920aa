/** The place of the pictures: one large, or all of them side by side over one connection. */
import { make } from '../core/element/make.js';

/** @typedef {import('../core/protocol.js').Stream} Stream */
/** @typedef {import('../core/element/element.js').EyeletView} EyeletView */
/** @typedef {import('./memory.js').Kept} Kept */

/**
 * @typedef {object} Events
 * @property {(streams: Stream[]) => void} streams
 * @property {(status: import('../core/channel.js').Status) => void} status of the first picture
 * @property {(count: number) => void} viewers
 * @property {(changed: {stream: number, controls: any[]}) => void} controls
 * @property {(view: EyeletView, camera: Stream) => void} change how a picture is shown was changed by hand
 * @property {(camera: Stream) => void} choose one of many
 */

export class Stage {
  #element;
  #on;
  /** @type {EyeletView[]} */
  #views = [];

  /** @param {HTMLElement} element @param {Events} on */
  constructor(element, on) {
    this.#element = element;
    this.#on = on;
  }

  /** The one that keys act on. */
  get first() {
    return this.#views[0];
  }

  /** Before it is known what the server has. @param {URLSearchParams} parameters of the page */
  showFirst(parameters) {
    const view = this.#make({ format: parameters.get('format'), stream: parameters.get('stream') });
    this.#put([view], [view]);
  }

  /** @param {Stream} camera @param {Kept} kept */
  showOne(camera, kept) {
    let view = this.#views[0];
    if (this.#views.length !== 1) this.#put([(view = this.#make({ stream: camera.name }))], [view]);
    const wanted = view.getAttribute('stream');
    // The first one of the server need not be named, and a change would ask for it once more.
    if (wanted !== camera.name && !(view.camera?.id === camera.id)) view.setAttribute('stream', camera.name);
    set(view, 'rotate', kept.rotate ?? null);
    view.toggleAttribute('flip', Boolean(kept.flip));
    if (!new URLSearchParams(location.search).has('format')) set(view, 'format', kept.format ?? null);
  }

  /** @param {Stream[]} cameras */
  showAll(cameras) {
    const names = cameras.map(({ name }) => name);
    if (this.#views.length > 1 && this.#views.every((view, i) => view.getAttribute('stream') === names[i])) return;
    const views = names.map((stream) => this.#make({ stream, isTile: true }));
    const tiles = views.map((view, i) => {
      const open = make('button', { type: 'button', class: 'tile-name' }, names[i]);
      open.addEventListener('click', () => this.#on.choose(cameras[i]));
      view.addEventListener('dblclick', () => this.#on.choose(cameras[i]));
      return make('div', { class: 'tile' }, view, open);
    });
    this.#put(views, tiles);
  }

  /** @param {{stream: string | null, format?: string | null, isTile?: boolean}} options */
  #make({ stream, format, isTile = false }) {
    const view = /** @type {EyeletView} */ (document.createElement('eyelet-view'));
    set(view, 'stream', stream);
    set(view, 'format', format ?? null);
    view.toggleAttribute('controls', !isTile);
    const listen = (/** @type {string} */ type, /** @type {(detail: any) => void} */ act) =>
      view.addEventListener(type, (event) => view === this.first && act(/** @type {CustomEvent} */ (event).detail));
    listen('status', this.#on.status);
    listen('viewers', this.#on.viewers);
    listen('streams', (streams) => this.#on.streams(streams));
    view.addEventListener('controls', (event) => this.#on.controls(/** @type {CustomEvent} */ (event).detail));
    view.addEventListener('change', () => view.camera && this.#on.change(view, view.camera));
    view.addEventListener('config', () => this.#showRatio());
    view.addEventListener('change', () => this.#showRatio());
    return view;
  }

  /** @param {EyeletView[]} views @param {HTMLElement[]} elements */
  #put(views, elements) {
    this.#views = views;
    this.#element.replaceChildren(...elements);
    this.#showRatio();
  }

  /** A single picture is as large as the stage allows, which only the page knows. */
  #showRatio() {
    const { config } = this.first ?? {};
    if (!config) return;
    const isSideways = Number(this.first.getAttribute('rotate') ?? 0) % 180 !== 0;
    const ratio = isSideways ? config.height / config.width : config.width / config.height;
    this.#element.style.setProperty('--ratio', String(ratio));
  }
}

/** @param {HTMLElement} element @param {string} name @param {string | null} value */
function set(element, name, value) {
  if (value === element.getAttribute(name)) return;
  if (value === null) element.removeAttribute(name);
  else element.setAttribute(name, value);
}

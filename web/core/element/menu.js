/** The settings of one picture: format, quality, and how it is turned. */
import { icon } from './icons.js';
import { make } from './make.js';

/** @typedef {import('../protocol.js').Stream} Stream */

/** For people. @type {Record<string, string>} */
const NAMES = { auto: 'Automatic', raw: 'Raw', jpeg: 'JPEG', h264: 'H.264', mjpeg: 'JPEG, without WebSocket' };

/**
 * @typedef {object} Actions
 * @property {(format: string) => void} format
 * @property {(rendition: string) => void} rendition a derived stream's id; empty for the whole picture
 * @property {() => void} rotate
 * @property {() => void} mirror
 */

/** @param {string} title @param {(value: string) => void} act */
function choice(title, act) {
  const select = make('select');
  select.addEventListener('change', () => act(select.value));
  return { row: make('label', {}, make('span', {}, title), select), select };
}

/** @param {HTMLSelectElement} select @param {[string, string][]} options @param {string} value */
function fill(select, options, value) {
  const all = options.some(([known]) => known === value) ? options : [...options, /** @type {[string, string]} */ ([value, value])];
  select.replaceChildren(...all.map(([known, name]) => new Option(name, known, false, known === value)));
}

/** @param {Actions} actions */
export function createMenu(actions) {
  const format = choice('Format', actions.format);
  const quality = choice('Quality', actions.rendition);
  const rotate = make('button', { type: 'button', title: 'Rotate (r)' }, icon('rotate'), 'Rotate');
  const mirror = make('button', { type: 'button', title: 'Mirror (m)', 'aria-pressed': 'false' }, icon('mirror'), 'Mirror');
  rotate.addEventListener('click', actions.rotate);
  mirror.addEventListener('click', actions.mirror);
  const element = make(
    'section', { class: 'menu', part: 'menu', 'aria-label': 'Settings', hidden: true },
    format.row, quality.row, make('div', { class: 'pair' }, rotate, mirror),
  );
  return {
    element,
    /** @param {boolean} isFlipped */
    showTurn: (isFlipped) => mirror.setAttribute('aria-pressed', String(isFlipped)),
    /**
     * @param {Stream} camera
     * @param {Stream[]} streams all of the server
     * @param {{format: string, rendition: string}} chosen
     */
    show(camera, streams, chosen) {
      const offered = [...new Set(camera.formats.map(({ format }) => (Object.hasOwn(NAMES, format) ? format : 'raw')))];
      fill(format.select, ['auto', ...offered, 'mjpeg'].map((name) => [name, NAMES[name]]), chosen.format);
      const renditions = streams.filter(({ of, formats }) => of === camera.id && formats[0]?.format === 'jpeg');
      // The default JPEG stream is the whole picture, which is there anyhow.
      quality.row.hidden = renditions.length < 2;
      fill(quality.select, [['', 'Whole picture'], ...renditions.map(nameRendition)], chosen.rendition);
    },
  };
}

/** @param {Stream} stream @returns {[string, string]} */
const nameRendition = ({ id, name, formats: [{ width, height }] }) => [String(id), `${width} × ${height}, ${name}`];

/** The bar of buttons at the foot of the picture. */
import { icon } from './icons.js';
import { make } from './make.js';

/**
 * @typedef {object} Actions
 * @property {() => void} togglePause
 * @property {() => void} toggleStatistics
 * @property {() => void} toggleMenu
 * @property {() => void} snapshot
 * @property {() => void} toggleFull
 */

/**
 * @param {string} name
 * @param {import('./icons.js').Icon} picture
 * @param {string} key
 * @param {() => void} act
 */
function button(name, picture, key, act) {
  const made = make('button', { type: 'button', part: 'button', 'aria-label': name, title: `${name} (${key})`, 'aria-keyshortcuts': key });
  made.append(icon(picture));
  made.addEventListener('click', act);
  return made;
}

/** @param {HTMLElement} made @param {string} name @param {import('./icons.js').Icon} picture */
function rename(made, name, picture) {
  made.setAttribute('aria-label', name);
  made.title = `${name} (${made.getAttribute('aria-keyshortcuts')})`;
  made.replaceChildren(icon(picture));
}

/** @param {Actions} actions */
export function createBar(actions) {
  const pause = button('Pause', 'pause', 'Space', actions.togglePause);
  const age = make('span', { class: 'age', part: 'age', title: 'From the camera to this picture' });
  const statistics = button('Details', 'statistics', 'i', actions.toggleStatistics);
  const settings = button('Settings', 'settings', 'o', actions.toggleMenu);
  const snapshot = button('Snapshot', 'snapshot', 's', actions.snapshot);
  const full = button('Full screen', 'full', 'f', actions.toggleFull);
  statistics.setAttribute('aria-pressed', 'false');
  settings.setAttribute('aria-expanded', 'false');
  const element = make('div', { class: 'bar', part: 'bar', role: 'toolbar', 'aria-label': 'Picture' });
  element.append(pause, age, make('span', { class: 'room' }), statistics, settings, snapshot, full);
  return {
    element,
    settings,
    /** @param {boolean} isPaused */
    showPaused: (isPaused) => rename(pause, isPaused ? 'Play' : 'Pause', isPaused ? 'play' : 'pause'),
    /** @param {boolean} isFull */
    showFull: (isFull) => rename(full, isFull ? 'Leave full screen' : 'Full screen', isFull ? 'window' : 'full'),
    /** @param {boolean} isShown */
    showStatistics: (isShown) => statistics.setAttribute('aria-pressed', String(isShown)),
    /** @param {boolean} isShown */
    showMenu: (isShown) => settings.setAttribute('aria-expanded', String(isShown)),
    /** @param {string} text how live it is, in a word or a number */
    showAge: (text) => (age.textContent = text),
  };
}

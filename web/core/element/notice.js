/** What lies over the picture when it is not live: how it is, and why. */
import { make } from './make.js';

/** @typedef {import('../channel.js').Status} Status */

/** For people. @type {Record<Status['state'], string>} */
export const WORDS = {
  connecting: 'Connecting',
  live: 'Live',
  no_signal: 'No signal',
  lost: 'Connection lost',
  refused: 'Refused',
};

const LENS = `<svg class="lens" viewBox="0 0 64 64" aria-hidden="true"><circle class="track" cx="32" cy="32" r="26"/>
<circle class="sweep" cx="32" cy="32" r="26"/><circle class="iris" cx="32" cy="32" r="9"/>
<path class="slash" d="M13.6 13.6 50.4 50.4"/></svg>`;

/**
 * Makes a sentence of a message, which has neither capital nor full stop, and its objects in backticks.
 *
 * @param {string} why
 */
export function sentence(why) {
  const text = why.replaceAll('`', '');
  return text && text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}

export function createNotice() {
  const what = make('p', { class: 'what' }, WORDS.connecting);
  const why = make('p', { class: 'why' });
  const element = make('div', { class: 'notice', part: 'notice', role: 'status' });
  element.innerHTML = LENS; // a constant
  element.append(what, why);
  return {
    element,
    /** @param {Status} status */
    show({ state, why: reason }) {
      what.textContent = WORDS[state];
      why.textContent = state === 'lost' ? `${sentence(reason)} Trying again.` : sentence(reason);
    },
  };
}

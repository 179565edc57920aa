/**
 * The page at `/`: puts one view on the page, shows how it is, and listens to buttons and keys.
 *
 * All pictures and connections are the business of `../core`.
 */
import { FORMATS } from '../core/decoders/index.js';
import { View } from '../core/view.js';

/** @typedef {import('../core/client.js').Status} Status */
/** @typedef {import('../core/protocol.js').Stream} Stream */

const WORDS = { connecting: 'Connecting', live: 'Live', no_signal: 'No signal', lost: 'Lost' };
/** Numbers that change faster cannot be read. */
const READOUT_EVERY_MS = 250;
/** Time without a movement after which the bar leaves a full screen. */
const IDLE_AFTER_MS = 2500;

/** @type {<T extends HTMLElement = HTMLElement>(id: string) => T} */
const element = (id) => {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return /** @type {any} */ (found);
};

const root = document.documentElement;
const canvas = /** @type {HTMLCanvasElement} */ (element('canvas'));
const picture = element('picture');
const snapshot = /** @type {HTMLAnchorElement} */ (element('snapshot'));
const select = /** @type {HTMLSelectElement} */ (element('streams'));
const parameters = new URLSearchParams(location.search);

/** @type {Stream[]} */
let streams = [];
/** The stream that the page shows; the first one until somebody chooses. */
let chosen = parameters.get('stream');

const view = new View(canvas, {
  url: new URL('../ws', import.meta.url).href.replace(/^http/, 'ws'),
  formats: preferredFormats(),
  on: { status: showStatus, hello: ({ streams: offered }) => showStreams(offered), config: showConfig },
});

/** What `?format=` names; else raw pixels on this machine, where copying is cheap, and JPEG across a network. */
function preferredFormats() {
  const wanted = parameters.get('format');
  if (wanted && FORMATS.includes(wanted)) return [wanted];
  const isThisMachine = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(location.hostname);
  const raw = FORMATS.filter((format) => format !== 'jpeg');
  return isThisMachine ? [...raw, 'jpeg'] : ['jpeg', ...raw];
}

/** @param {Status} status */
function showStatus({ state, why }) {
  document.body.dataset.state = state;
  element('badge-text').textContent = WORDS[state];
  element('badge').title = sentence(why);
  element('what').textContent = state === 'lost' ? 'Connection lost' : WORDS[state];
  element('why').textContent = state === 'lost' ? `${sentence(why)} Trying again.` : sentence(why);
  if (state === 'live') picture.classList.add('has-picture');
}

/**
 * Makes a sentence of a message, which has neither capital nor full stop, and its objects in backticks.
 *
 * @param {string} why
 */
function sentence(why) {
  const text = why.replaceAll('`', '');
  return text && text[0].toUpperCase() + text.slice(1) + (/[.!?]$/.test(text) ? '' : '.');
}

/** @param {Stream[]} offered */
function showStreams(offered) {
  // A stream that is made of another is the same picture in another form.
  streams = offered.filter(({ of }) => of === undefined);
  const current = streams.find(({ id }) => String(id) === chosen) ?? streams[0];
  select.replaceChildren(...streams.map(({ id, name }) => new Option(name, String(id))));
  element('picker').hidden = streams.length < 2;
  element('name').hidden = streams.length > 1;
  if (current) show(current);
}

/** @param {Stream} stream */
function show({ id, name }) {
  view.select(id);
  select.value = String(id);
  document.title = name;
  element('name').textContent = name;
  canvas.setAttribute('aria-label', `Camera picture: ${name}`);
  const url = new URL('../snapshot.png', import.meta.url);
  if (streams.length > 1) url.searchParams.set('stream', String(id));
  snapshot.href = url.href;
  snapshot.download = `${name.replace(/[^\p{L}\p{N}]+/gu, '-').replace(/^-|-$/g, '') || 'eyelet'}.png`;
}

/** @param {import('../core/protocol.js').Config} config */
function showConfig({ width, height, format, fourcc }) {
  picture.style.setProperty('--ratio', String(width / height));
  picture.classList.toggle('is-tall', height > width);
  element('size').textContent = `${width} × ${height}`;
  element('format').textContent = fourcc || format;
}

function showStats() {
  if (element('readout').hidden) return;
  const { fps, latencyMs, bytesPerSecond, drawn, dropped, corrupt } = view.stats;
  element('fps').textContent = `${fps.toFixed(1)} fps`;
  element('latency').textContent = latencyMs === null ? '–' : `${latencyMs.toFixed(latencyMs < 10 ? 1 : 0)} ms`;
  element('data').textContent = `${((bytesPerSecond * 8) / 1e6).toFixed(1)} Mbit/s`;
  element('drawn').textContent = String(drawn);
  element('dropped').textContent = corrupt > 0 ? `${dropped}, ${corrupt} corrupt` : String(dropped);
}

function toggleInfo() {
  const readout = element('readout');
  readout.hidden = !readout.hidden;
  element('info').setAttribute('aria-pressed', String(!readout.hidden));
  showStats();
}

async function toggleFull() {
  if (document.fullscreenElement) return document.exitFullscreen();
  try {
    await root.requestFullscreen();
  } catch {
    // Phones that have it for videos only, and frames that may not: fill the window instead.
    showFull(!root.classList.contains('is-full'));
  }
}

/** @param {boolean} isFull */
function showFull(isFull) {
  root.classList.toggle('is-full', isFull);
  element('full').setAttribute('aria-pressed', String(isFull));
  wake();
}

/** @type {ReturnType<typeof setTimeout> | undefined} */
let idle;
function wake() {
  root.classList.remove('is-idle');
  clearTimeout(idle);
  if (root.classList.contains('is-full')) idle = setTimeout(() => root.classList.add('is-idle'), IDLE_AFTER_MS);
}

/** @type {Record<string, () => void>} */
const KEYS = { i: toggleInfo, f: toggleFull, s: () => snapshot.click() };

document.addEventListener('keydown', (event) => {
  wake();
  if (event.ctrlKey || event.altKey || event.metaKey || event.repeat || event.target === select) return;
  const key = event.key.toLowerCase();
  if (Object.hasOwn(KEYS, key)) KEYS[key]();
});
element('info').addEventListener('click', toggleInfo);
element('full').addEventListener('click', toggleFull);
picture.addEventListener('dblclick', toggleFull);
document.addEventListener('pointermove', wake);
document.addEventListener('pointerdown', wake);
document.addEventListener('fullscreenchange', () => showFull(document.fullscreenElement !== null));

select.addEventListener('change', () => {
  const stream = streams.find(({ id }) => String(id) === select.value);
  if (!stream) return;
  chosen = select.value;
  parameters.set('stream', chosen);
  history.replaceState(null, '', `?${parameters}`);
  show(stream);
});

document.addEventListener('visibilitychange', () => (document.hidden ? view.pause() : view.play()));
if (document.hidden) view.pause();
view.open();
setInterval(showStats, READOUT_EVERY_MS);

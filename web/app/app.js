/**
 * The page at `/`: which cameras are on it, what is said about them, and the panels beside them.
 *
 * All pictures and connections are the business of `<eyelet-view>`.
 */
import '../eyelet.js';
import { ControlsPanel, fetchControls } from './controls.js';
import { keep, recall } from './memory.js';
import { createShare, lines } from './share.js';
import { Stage } from './stage.js';

/** @typedef {import('../core/protocol.js').Stream} Stream */
/** @typedef {import('../core/channel.js').Status} Status */

/**
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
function element(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no element #${id}`);
  return /** @type {T} */ (found);
}

/** @type {Record<Status['state'], string>} */
const WORDS = { connecting: 'Connecting', live: 'Live', no_signal: 'No signal', lost: 'Lost', refused: 'Refused' };
/** The address that this page was opened by, with the last `/`. */
const HOME = new URL('.', location.href).href;

const parameters = new URLSearchParams(location.search);
const select = /** @type {HTMLSelectElement} */ (element('cameras'));

/** Every camera of the server, without what is made of them. @type {Stream[]} */
let cameras = [];
/** @type {ControlsPanel | null} */
let controls = null;
/** Which panel is open. @type {'controls' | 'share' | null} */
let panel = null;

const stage = new Stage(element('stage'), {
  streams: showStreams,
  status: showStatus,
  viewers: showViewers,
  controls: ({ controls: changed }) => controls?.hear(changed),
  change: (view, camera) => keep(camera.name, {
    rotate: view.getAttribute('rotate'), flip: view.hasAttribute('flip'), format: view.getAttribute('format'),
  }),
  choose: (camera) => choose(camera.name, false),
});

/** @param {Stream[]} offered */
function showStreams(offered) {
  cameras = offered.filter(({ of }) => of === undefined);
  element('grid').hidden = cameras.length < 2;
  element('picker').hidden = cameras.length < 2;
  // The picker says it too; a page has a heading all the same.
  element('name').classList.toggle('unseen', cameras.length > 1);
  show();
}

/** The camera that is looked at; null where all are, or one that is not there. @returns {Stream | null} */
function current() {
  const wanted = parameters.get('stream');
  if (isGrid()) return null;
  return (wanted ? cameras.find(({ name, id }) => name === wanted || String(id) === wanted) : cameras[0]) ?? null;
}

const isGrid = () => parameters.has('grid') && cameras.length > 1;

/** Puts on the page what the address says. */
function show() {
  const camera = current();
  document.body.classList.toggle('is-grid', isGrid());
  element('grid').setAttribute('aria-pressed', String(isGrid()));
  if (isGrid()) stage.showAll(cameras);
  else if (camera) stage.showOne(camera, recall(camera.name));
  select.replaceChildren(...(isGrid() ? [new Option('All cameras', '')] : []), ...cameras.map(({ name }) => new Option(name)));
  select.value = camera?.name ?? '';
  document.title = camera?.name ?? (isGrid() ? 'All cameras' : 'Eyelet');
  element('name').textContent = document.title;
  findControls(camera);
  if (panel === 'share') openPanel('share');
}

/** @param {string} name of a camera @param {boolean} grid */
function choose(name, grid) {
  if (grid) parameters.set('grid', '');
  else parameters.delete('grid');
  if (name) parameters.set('stream', name);
  history.replaceState(null, '', `?${parameters}`.replace('grid=', 'grid'));
  show();
}

/** @param {Status} status */
function showStatus({ state, why }) {
  document.body.dataset.state = state;
  element('badge-text').textContent = WORDS[state];
  element('badge').title = why;
  if (state === 'lost') showSession();
}

/** Where the server has users, there is a way in or out; who may not even watch any more is led to it. */
async function showSession() {
  const answer = await fetch('-/api/session').catch(() => null);
  if (answer?.status === 401) location.reload();
  if (!answer?.ok) return;
  const { user, has_users: hasUsers } = await answer.json();
  const button = /** @type {HTMLButtonElement} */ (element('session'));
  button.hidden = !hasUsers;
  button.formMethod = user ? 'post' : 'get';
  button.formAction = user ? '-/logout' : '-/login';
  button.title = button.ariaLabel = user ? 'Log out' : 'Log in';
}

/** @param {number} count */
function showViewers(count) {
  const viewers = element('viewers');
  viewers.hidden = count < 2;
  viewers.textContent = `${count} viewers`;
}

/** Which camera `controls` belong to, or will when the answer comes. @type {string | null} */
let controlled = null;

/** @param {Stream | null} camera */
async function findControls(camera) {
  const name = camera?.name ?? null;
  if (name === controlled) return;
  controlled = name;
  controls = null;
  element('controls').hidden = true;
  if (panel === 'controls') closePanel();
  if (!camera) return;
  const { controls: all, writable } = await fetchControls(HOME, camera.id);
  if (controlled !== name || all.length === 0) return;
  controls = new ControlsPanel(HOME, camera, all, writable);
  element('controls').hidden = false;
}

/** @param {'controls' | 'share'} which */
function openPanel(which) {
  panel = which;
  element('panel').hidden = false;
  element('panel-title').textContent = which === 'controls' ? 'Camera' : 'Use it elsewhere';
  const camera = current() ?? cameras[0];
  const content = which === 'controls'
    ? (controls ? [controls.element] : [])
    : createShare(lines(HOME, cameras.length > 1 ? camera.name : null, camera?.name ?? 'Eyelet'));
  element('panel-body').replaceChildren(...content);
  showPanelButtons();
}

function closePanel() {
  element('panel').hidden = true;
  panel = null;
  showPanelButtons();
}

function showPanelButtons() {
  for (const which of ['controls', 'share']) element(which).setAttribute('aria-expanded', String(panel === which));
}

/** @param {'controls' | 'share'} which */
function togglePanel(which) {
  if (element(which).hidden) return;
  if (panel !== which) {
    openPanel(which);
    element('panel-close').focus();
  } else {
    closePanel();
    element(which).focus();
  }
}

const toggleGrid = () => {
  if (!element('grid').hidden) choose(current()?.name ?? '', !isGrid());
};

element('grid').addEventListener('click', toggleGrid);
element('controls').addEventListener('click', () => togglePanel('controls'));
element('share').addEventListener('click', () => togglePanel('share'));
element('panel-close').addEventListener('click', () => panel && togglePanel(panel));
select.addEventListener('change', () => choose(select.value, false));

/** @type {Record<string, () => void>} */
const KEYS = { g: toggleGrid, c: () => togglePanel('controls'), l: () => togglePanel('share') };

document.addEventListener('keydown', (event) => {
  const target = /** @type {HTMLElement} */ (event.target);
  if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
  if (event.key === 'Escape' && panel) return togglePanel(panel);
  if (target.matches('input, select, textarea')) return;
  const key = event.key.toLowerCase();
  if (Object.hasOwn(KEYS, key)) KEYS[key]();
  else if (!target.closest('eyelet-view') && !(key === ' ' && target.matches('button, a'))) stage.first?.handleKey(event);
});

showSession();
stage.showFirst(parameters);

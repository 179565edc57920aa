import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import './browser-globals.js';
import { Player } from '../core/player.js';
import { FakeClock } from './fake-clock.js';
import { FakeSocket } from './fake-socket.js';
import { config, frame, hello } from './messages.js';

/** @type {import('../core/player.js').Told[]} */
let told;
/** @type {Player} */
let player;
/** @type {FakeClock} */
let clock;
const globals = /** @type {any} */ (globalThis);
const { WebSocket } = globals;

beforeEach(() => {
  FakeSocket.reset();
  globals.WebSocket = FakeSocket;
  clock = new FakeClock();
  told = [];
  player = new Player((what) => told.push(what), { clock });
});

afterEach(() => Object.assign(globals, { WebSocket }));

/** Lets the player do what it was told. */
const settle = () => new Promise((resolve) => setTimeout(resolve, 0));

/** @param {number} id @param {string | null} stream @param {object} [context] */
async function open(id, stream, context = { putImageData() {}, drawImage() {} }) {
  const canvas = /** @type {any} */ ({ width: 1, height: 1, getContext: () => context });
  player.handle({ id, t: 'open', url: 'ws://x', isNear: true, isPlaying: true, choice: { stream }, canvas });
  await settle();
}

test('views of one server that name their streams share a connection', async () => {
  await open(1, 'camera 0');
  await open(2, 'camera 1');
  FakeSocket.last.say(hello({}, {}));
  assert.equal(FakeSocket.all.length, 1);
  assert.deepEqual(FakeSocket.last.sent.filter(({ t }) => t === 'start').map(({ stream }) => stream), [0, 1]);
});

test('a view of the same stream gets a connection of its own', async () => {
  await open(1, 'camera 0');
  FakeSocket.last.say(hello({}, {}));
  await open(2, '0');
  await settle();
  assert.equal(FakeSocket.all.length, 2);
  FakeSocket.last.say(hello({}, {}));
  assert.deepEqual(FakeSocket.all.map(({ tags }) => tags), [['start'], ['start']]);
});

test('a view of whatever is first does not disturb those that know what they want', async () => {
  await open(1, 'camera 0');
  await open(2, null);
  assert.equal(FakeSocket.all.length, 2);
});

test('each view is told what is its own', async () => {
  await open(1, 'camera 0');
  await open(2, 'camera 1');
  FakeSocket.last.say(hello({}, {}));
  FakeSocket.last.say(config({ id: 7, stream: 1 }));
  FakeSocket.last.deliver(frame({ configId: 7 }));
  const states = told.flatMap((what) => (what.t === 'status' ? [`${what.id} ${what.status.state}`] : []));
  assert.deepEqual(states, ['2 live']);
  clock.advance(250);
  const drawn = told.flatMap((what) => (what.t === 'stats' ? [[what.id, what.stats.drawn]] : []));
  assert.deepEqual(drawn, [[1, 0], [2, 1]]);
});

test('the last view of a connection closes it, and nothing is told any more', async () => {
  await open(1, 'camera 0');
  await open(2, 'camera 1');
  player.handle({ id: 1, t: 'close' });
  await settle();
  assert.equal(FakeSocket.last.readyState, 0);
  player.handle({ id: 2, t: 'close' });
  await settle();
  assert.equal(FakeSocket.last.readyState, 2);
  clock.advance(250);
  assert.equal(clock.pending, 0);
  await open(3, 'camera 0');
  assert.equal(FakeSocket.all.length, 2);
});

test('a canvas that cannot be painted on is told', async () => {
  await open(1, null, /** @type {any} */ (null));
  assert.deepEqual(told, [{ id: 1, t: 'failed', why: 'Error: the canvas has no 2d context' }]);
});

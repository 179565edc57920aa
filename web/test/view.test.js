import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import './browser-globals.js';
import { Connection } from '../core/connection.js';
import { Painter } from '../core/painter.js';
import { View } from '../core/view.js';
import { FakeClock } from './fake-clock.js';
import { FakeSocket } from './fake-socket.js';
import { config, frame, hello } from './messages.js';

/** Bitmaps that wait to be decoded. @type {{resolve: (bitmap: any) => void, reject: (why: Error) => void}[]} */
let decoding;
/** What was painted. @type {any[]} */
let painted;
/** @type {FakeClock} */
let clock;
/** @type {View} */
let view;

const globals = /** @type {any} */ (globalThis);
const { createImageBitmap } = globals;
const DECODABLE = ['yuyv', 'jpeg', 'h264'];

/** A view on the first stream. @param {import('../core/view.js').Choice} [choice] */
function watch(choice = {}) {
  const context = {
    putImageData: (/** @type {any} */ image) => painted.push(image),
    drawImage: (/** @type {any} */ bitmap) => painted.push(bitmap),
  };
  const canvas = /** @type {any} */ ({ width: 1, height: 1, getContext: () => context });
  const connection = new Connection({ url: 'ws://x', clock, WebSocket: /** @type {any} */ (FakeSocket) });
  view = new View(new Painter(canvas), connection, choice, {}, { decodable: DECODABLE, isNear: true, clock });
  view.open();
  FakeSocket.last.say(hello());
}

beforeEach(() => {
  FakeSocket.reset();
  decoding = [];
  painted = [];
  clock = new FakeClock();
  globals.createImageBitmap = () => new Promise((resolve, reject) => decoding.push({ resolve, reject }));
  watch();
});

afterEach(() => {
  Object.assign(globals, { createImageBitmap });
});

/** Lets promises settle. */
const settle = () => new Promise((resolve) => setImmediate(resolve));
const acks = () => FakeSocket.last.sent.filter(({ t }) => t === 'ack').map(({ seq }) => seq);
const bitmap = () => ({ width: 4, height: 2, close: mock.fn() });

test('a raw frame is painted and acknowledged before the next message', () => {
  FakeSocket.last.say(config());
  FakeSocket.last.deliver(frame({ sequence: 5n }));
  assert.equal(painted.length, 1);
  assert.deepEqual(acks(), [5]);
  assert.equal(view.stats.drawn, 1);
});

test('a torn frame is counted and acknowledged, not painted', () => {
  FakeSocket.last.say(config());
  FakeSocket.last.deliver(frame({ payload: new Uint8Array(15) }));
  assert.equal(painted.length, 0);
  assert.deepEqual(acks(), [1]);
  assert.equal(view.stats.corrupt, 1);
});

test('bitmaps that come out of order are painted forwards only, and all are closed and acknowledged', async () => {
  FakeSocket.last.say(config({ format: 'jpeg' }));
  FakeSocket.last.deliver(frame({ sequence: 1n }));
  FakeSocket.last.deliver(frame({ sequence: 2n }));
  const [older, newer] = [bitmap(), bitmap()];
  decoding[1].resolve(newer);
  await settle();
  assert.deepEqual(acks(), [2]);
  decoding[0].resolve(older);
  await settle();
  assert.deepEqual(painted, [newer]);
  assert.deepEqual([older.close.mock.callCount(), newer.close.mock.callCount()], [1, 1]);
  assert.deepEqual(acks(), [2, 1]);
});

test('a broken JPEG is counted and acknowledged', async () => {
  FakeSocket.last.say(config({ format: 'jpeg' }));
  FakeSocket.last.deliver(frame());
  decoding[0].reject(new Error('not a JPEG'));
  await settle();
  assert.equal(view.stats.corrupt, 1);
  assert.deepEqual(acks(), [1]);
});

test('a bitmap of the format before is closed, not painted', async () => {
  FakeSocket.last.say(config({ format: 'jpeg' }));
  FakeSocket.last.deliver(frame());
  FakeSocket.last.say(config({ id: 2 }));
  const late = bitmap();
  decoding[0].resolve(late);
  await settle();
  assert.deepEqual(painted, []);
  assert.equal(late.close.mock.callCount(), 1);
});

test('a frame that is too old is not painted while there are younger ones, and acknowledged', () => {
  FakeSocket.last.say(config());
  FakeSocket.last.say({ t: 'pong', c: 0, s: 9_000_000 });
  FakeSocket.last.deliver(frame({ sequence: 1n, capturedUs: 8_990_000n }));
  clock.advance(50);
  FakeSocket.last.deliver(frame({ sequence: 2n, capturedUs: 7_900_000n }));
  assert.deepEqual([painted.length, view.stats.skipped, acks()], [1, 1, [1, 2]]);
  clock.advance(1100); // all are old: better late than never
  FakeSocket.last.deliver(frame({ sequence: 3n, capturedUs: 8_000_000n }));
  assert.equal(painted.length, 2);
});

/** A second in which so many frames came and were left out. @param {number} received @param {number} dropped of all */
function pass(received, dropped) {
  for (let i = 0; i < received; i++) FakeSocket.last.deliver(frame({ sequence: BigInt(clock.nowUs() + i), dropped }));
  clock.advance(1000);
  FakeSocket.last.say({ t: 'pong', c: clock.nowUs(), s: clock.nowUs() });
}

const wanted = () => FakeSocket.last.sent.filter(({ t }) => t === 'start').map(({ formats }) => formats[0]);

test('a link that does not carry raw pictures gets lighter ones, step by step', () => {
  FakeSocket.last.say(config());
  for (let second = 1; second <= 2; second++) pass(10, second * 20);
  assert.deepEqual(wanted(), ['yuyv'], 'two bad seconds are chance');
  pass(10, 60);
  assert.deepEqual(wanted(), ['yuyv', 'jpeg']);
});

test('a link that carries what is asked for is left alone, and a limited rate is no loss', () => {
  FakeSocket.last.say(config());
  for (let second = 1; second <= 6; second++) pass(29, second);
  assert.deepEqual(wanted(), ['yuyv']);
  watch({ maxfps: 10 });
  FakeSocket.last.say(config());
  for (let second = 1; second <= 6; second++) pass(10, second * 20);
  assert.deepEqual(wanted(), ['yuyv']);
});

test('a format that was chosen by hand stays', () => {
  watch({ format: 'yuyv' });
  FakeSocket.last.say(config());
  for (let second = 1; second <= 6; second++) pass(5, second * 25);
  assert.deepEqual(wanted(), ['yuyv']);
  view.choose({ format: 'jpeg' });
  assert.deepEqual(wanted(), ['yuyv', 'jpeg']);
  assert.equal(FakeSocket.all.length, 2, 'no new connection'); // one of `beforeEach`
});

test('latency is the age of what was captured, by the server clock', () => {
  FakeSocket.last.say(config());
  clock.advance(100);
  FakeSocket.last.say({ t: 'pong', c: 100_000, s: 9_100_000 });
  FakeSocket.last.deliver(frame({ capturedUs: 9_080_000n }));
  assert.equal(view.stats.latencyMs, 20);
});

test('dropped frames add up over starts, connections and the end of 32 bits', () => {
  FakeSocket.last.say(config());
  FakeSocket.last.deliver(frame({ dropped: 4 }));
  view.choose({});
  FakeSocket.last.say(config({ id: 2 }));
  FakeSocket.last.deliver(frame({ configId: 2, dropped: 10 }));
  FakeSocket.last.say(config({ id: 3 })); // the camera changed: no start, no new count
  FakeSocket.last.deliver(frame({ configId: 3, dropped: 10 }));
  FakeSocket.last.hangUp(1006);
  clock.advance(400);
  FakeSocket.last.say(hello());
  FakeSocket.last.say(config());
  FakeSocket.last.deliver(frame({ dropped: 1 }));
  assert.equal(view.stats.dropped, 15);
  FakeSocket.last.deliver(frame({ dropped: 2 ** 32 - 1 }));
  const nearTheEnd = view.stats.dropped;
  FakeSocket.last.deliver(frame({ dropped: 2 }));
  assert.equal(view.stats.dropped, nearTheEnd + 3);
});

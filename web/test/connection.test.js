import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { Channel } from '../core/channel.js';
import { Connection } from '../core/connection.js';
import { FakeClock } from './fake-clock.js';
import { FakeSocket } from './fake-socket.js';
import { config, frame, hello } from './messages.js';

/** @type {FakeClock} */
let clock;
/** @type {string[]} */
let states;
/** @type {import('../core/channel.js').Frame[]} */
let frames;

beforeEach(() => {
  FakeSocket.reset();
  clock = new FakeClock();
  states = [];
  frames = [];
});

const connect = () =>
  new Connection({
    url: 'ws://camera/-/ws',
    clock,
    random: () => 0.5, // the middle of the jitter
    WebSocket: /** @type {any} */ (FakeSocket),
  });

/**
 * @param {{stream?: number | string, maxfps?: number, on?: import('../core/channel.js').Events, isPaused?: boolean}} [more]
 * @param {Connection} [connection]
 */
function open({ on, isPaused = false, ...wishes } = {}, connection = connect()) {
  const channel = new Channel(connection, { formats: ['yuyv'], ...wishes }, {
    status: ({ state, why }) => states.push(why ? `${state}: ${why}` : state),
    frame: (received) => frames.push(received),
    ...on,
  });
  if (isPaused) channel.pause();
  channel.open();
  return channel;
}

/** A channel that watches. */
function watch() {
  const channel = open();
  FakeSocket.last.say(hello());
  FakeSocket.last.say(config());
  FakeSocket.last.deliver(frame({ sequence: 1n }));
  return channel;
}

/** The server answers every ping of the next seconds. @param {number} seconds */
function passAnswered(seconds) {
  for (let i = 0; i < seconds; i++) {
    clock.advance(1000);
    FakeSocket.last.say({ t: 'pong', c: clock.nowUs(), s: clock.nowUs() });
  }
}

test('asks for the subprotocol, starts after hello, and is live with the first frame', () => {
  const client = open({ stream: 1 });
  assert.equal(FakeSocket.last.protocol, 'eyelet.v1');
  assert.equal(FakeSocket.last.binaryType, 'arraybuffer');
  assert.deepEqual(FakeSocket.last.sent, []);
  FakeSocket.last.say(hello({}, {}));
  assert.deepEqual(FakeSocket.last.sent[0], { t: 'start', stream: 1, formats: ['yuyv'], window: 2 });
  FakeSocket.last.say(config({ stream: 1 }));
  assert.equal(client.status.state, 'connecting');
  FakeSocket.last.deliver(frame());
  assert.deepEqual(states, ['live']);
});

test('a stream chosen while the streams are told is the only one that is started', () => {
  const client = open({ on: { streams: () => client.wish({ stream: 1 }) } });
  FakeSocket.last.say(hello({}, {}));
  assert.deepEqual(FakeSocket.last.tags, ['start']);
  assert.equal(FakeSocket.last.sent[0].stream, 1);
});

test('each frame is acknowledged once its owner says so', () => {
  const client = watch();
  FakeSocket.last.deliver(frame({ sequence: 2n ** 60n + 1n }));
  assert.deepEqual(FakeSocket.last.tags, ['start']);
  for (const received of frames) client.ack(received);
  assert.deepEqual(FakeSocket.last.texts.slice(-2), [
    '{"t":"ack","seq":1,"stream":0}', '{"t":"ack","seq":1152921504606846977,"stream":0}',
  ]);
});

test('frames of an unknown config and other messages are ignored', () => {
  watch();
  FakeSocket.last.deliver(frame({ configId: 2, sequence: 2n }));
  FakeSocket.last.deliver(frame({ type: 9 }));
  FakeSocket.last.deliver(new ArrayBuffer(3));
  FakeSocket.last.say({ t: 'later' });
  assert.equal(frames.length, 1);
  assert.deepEqual(states, ['live']);
});

test('frames of the config before are acknowledged and not shown', () => {
  watch();
  FakeSocket.last.say(config({ id: 2, width: 8 }));
  FakeSocket.last.deliver(frame({ sequence: 2n }));
  assert.equal(frames.length, 1);
  assert.deepEqual(FakeSocket.last.sent.at(-1), { t: 'ack', seq: 2, stream: 0 }, 'or the picture stops');
});

test('after a change of stream nothing of the old one is shown or acknowledged', () => {
  const client = open();
  FakeSocket.last.say(hello({}, {}));
  FakeSocket.last.say(config());
  FakeSocket.last.deliver(frame({ sequence: 1n }));
  client.wish({ stream: 1 });
  assert.equal(client.status.state, 'connecting');
  FakeSocket.last.deliver(frame({ sequence: 2n })); // was on its way
  assert.equal(frames.length, 1);
  client.ack(frames[0]); // was being decoded
  assert.deepEqual(FakeSocket.last.tags, ['start', 'stop', 'start']);
  FakeSocket.last.say(config({ id: 2, stream: 1 }));
  FakeSocket.last.deliver(frame({ configId: 2, sequence: 900n }));
  assert.equal(frames.length, 2);
  assert.ok(frames[1].start > frames[0].start);
  assert.equal(client.status.state, 'live');
});

test('other wishes for the same stream start it again, without a stop', () => {
  const client = watch();
  client.wish({ formats: ['jpeg'], maxfps: 5 });
  assert.deepEqual(FakeSocket.last.tags, ['start', 'start']);
  assert.deepEqual(FakeSocket.last.sent.at(-1), { t: 'start', stream: 0, formats: ['jpeg'], window: 2, maxfps: 5 });
});

test('over a long distance as many frames as a round trip holds are asked for', () => {
  const client = watch();
  for (let i = 0; i < 5; i++) {
    clock.advance(200);
    FakeSocket.last.say({ t: 'pong', c: clock.nowUs() - 100_000, s: clock.nowUs() });
  }
  client.fitWindow();
  assert.equal(FakeSocket.last.sent.filter(({ t }) => t === 'start').at(-1).window, 4);
  client.fitWindow();
  assert.deepEqual(FakeSocket.last.tags, ['start', 'start'], 'once is enough');
});

test('a new config of the same stream keeps the frames before it countable', () => {
  const client = watch();
  FakeSocket.last.say(config({ id: 2, width: 8 }));
  client.ack(frames[0]);
  assert.deepEqual(FakeSocket.last.tags, ['start', 'ack']);
});

test('a frame of an earlier connection is never acknowledged on the next', () => {
  const client = watch();
  FakeSocket.last.hangUp(1006);
  clock.advance(250);
  FakeSocket.last.say(hello());
  FakeSocket.last.say(config());
  client.ack(frames[0]); // its JPEG was long in decoding
  assert.deepEqual(FakeSocket.last.tags, ['start']);
});

test('a state of a newer server counts as no picture', () => {
  watch();
  FakeSocket.last.say({ t: 'state', stream: 0, state: 'asleep' });
  assert.deepEqual(states, ['live', 'no_signal']);
});

test('no signal says why, and the picture comes back', () => {
  watch();
  FakeSocket.last.say({ t: 'state', stream: 0, state: 'no_signal', why: 'unplugged' });
  FakeSocket.last.say({ t: 'state', stream: 5, state: 'no_signal', why: 'another stream' });
  FakeSocket.last.say({ t: 'state', stream: 0, state: 'live' });
  assert.deepEqual(states, ['live', 'no_signal: unplugged', 'live']);
});

test('a stream without signal is known from hello', () => {
  open();
  FakeSocket.last.say(hello({ state: 'no_signal', why: 'no such device' }));
  assert.deepEqual(states, ['no_signal: no such device']);
});

test('an error is shown until a config comes, and explains the close that follows', () => {
  open();
  FakeSocket.last.say(hello());
  FakeSocket.last.say({ t: 'error', code: 'format', message: 'no common format' });
  FakeSocket.last.hangUp(4000);
  assert.deepEqual(states, ['refused: no common format', 'lost: no common format']);
});

test('comes back with growing delays and watches again', () => {
  const client = watch();
  FakeSocket.last.hangUp(1001);
  assert.equal(client.status.why, 'the server has stopped');
  for (const delayMs of [250, 500, 1000, 2000, 4000, 8000, 8000]) {
    assert.equal(clock.nextMs, delayMs);
    clock.advance(delayMs);
    FakeSocket.last.hangUp(1006);
    assert.equal(client.status.state, 'lost');
  }
  clock.advance(8000);
  assert.equal(client.status.state, 'lost', 'a try alone changes nothing');
  FakeSocket.last.say(hello());
  FakeSocket.last.say(config());
  FakeSocket.last.deliver(frame());
  assert.equal(client.status.state, 'live');
  assert.equal(FakeSocket.all.length, 9);
});

test('the delay starts anew only after a connection that lasted', () => {
  watch();
  FakeSocket.last.hangUp(1006);
  clock.advance(250);
  FakeSocket.last.say(hello());
  clock.advance(500);
  FakeSocket.last.hangUp(1006); // a server that greets and falls over
  assert.equal(clock.nextMs, 500);
  clock.advance(500);
  FakeSocket.last.say(hello());
  passAnswered(3);
  FakeSocket.last.hangUp(1006);
  assert.equal(clock.nextMs, 250);
});

test('a connection that never came is lost, and says so', () => {
  open();
  FakeSocket.last.hangUp(1006);
  assert.deepEqual(states, ['lost: the server does not answer']);
});

test('a close reason of the server is told', () => {
  watch();
  FakeSocket.last.hangUp(1013, 'too far behind');
  assert.equal(states.at(-1), 'refused: too far behind');
});

test('a silent server is noticed, and its return as well', () => {
  const client = watch();
  clock.advance(3000);
  assert.equal(client.status.state, 'live');
  clock.advance(1000);
  assert.equal(client.status.state, 'lost');
  assert.equal(FakeSocket.all.length, 1, 'a slow link keeps its connection');
  FakeSocket.last.deliver(frame({ sequence: 2n }));
  assert.equal(client.status.state, 'live');
});

test('a dead connection is given up and replaced', () => {
  watch();
  const dead = FakeSocket.last;
  clock.advance(12_000);
  assert.equal(FakeSocket.all.length, 2);
  assert.equal(dead.readyState, 2);
  dead.hangUp(1006); // the browser notices at last
  dead.deliver(frame({ sequence: 3n }));
  assert.equal(FakeSocket.all.length, 2);
  assert.equal(frames.length, 1);
});

test('the first pings follow each other, then one a second', () => {
  open();
  FakeSocket.last.say(hello());
  for (let i = 0; i < 10; i++) FakeSocket.last.say({ t: 'pong', c: 0, s: 0 });
  assert.equal(FakeSocket.last.pings.length, 5);
  passAnswered(2);
  assert.equal(FakeSocket.last.pings.length, 7);
});

test('while nobody looks there is no traffic', () => {
  const client = watch();
  client.pause();
  client.pause();
  const said = FakeSocket.last.sent.length;
  clock.advance(60_000);
  assert.equal(FakeSocket.last.sent.length, said);
  assert.equal(clock.pending, 0);
  client.play();
  assert.deepEqual(FakeSocket.last.tags, ['start', 'pause', 'play']);
  clock.advance(1000);
  assert.equal(client.status.state, 'live');
});

test('while nobody looks a lost connection waits, then comes back at once', () => {
  const client = watch();
  client.pause();
  FakeSocket.last.hangUp(1001);
  clock.advance(60_000);
  assert.equal(FakeSocket.all.length, 1);
  client.play();
  assert.equal(FakeSocket.all.length, 2);
});

test('a stream chosen while nobody looks is started when somebody does', () => {
  const client = open();
  FakeSocket.last.say(hello({}, {}));
  client.pause();
  client.wish({ stream: 1 });
  client.play();
  assert.deepEqual(FakeSocket.last.tags, ['start', 'pause', 'stop', 'start']);
  client.pause();
  client.play();
  assert.deepEqual(FakeSocket.last.tags.slice(4), ['pause', 'play']);
});

test('whoever looks again does not wait for a long delay', () => {
  const client = watch();
  for (let i = 0; i < 6; i++) {
    FakeSocket.last.hangUp(1006);
    clock.advance(8000);
  }
  client.pause();
  client.play();
  FakeSocket.last.hangUp(1006);
  assert.equal(clock.nextMs, 250);
});

test('opened where nobody looks, it connects when somebody does', () => {
  const client = open({ isPaused: true });
  assert.equal(FakeSocket.all.length, 0);
  client.play();
  assert.equal(FakeSocket.all.length, 1);
});

test('paused between connecting and hello, it starts when somebody looks', () => {
  const client = open();
  client.pause();
  FakeSocket.last.say(hello());
  assert.deepEqual(FakeSocket.last.tags, []);
  client.play();
  assert.deepEqual(FakeSocket.last.tags, ['start']);
});

test('after close nothing is told and nothing comes back', () => {
  const client = watch();
  const socket = FakeSocket.last;
  client.close();
  socket.hangUp(1000);
  client.pause();
  client.play();
  clock.advance(60_000);
  assert.equal(FakeSocket.all.length, 1);
  assert.deepEqual(states, ['live']);
});

test('a stream is found by name, by id, or is the first; an unknown one is refused', () => {
  const byName = open({ stream: 'camera 1' });
  FakeSocket.last.say(hello({}, {}));
  assert.equal(byName.stream, 1);
  const byId = open({ stream: '1' });
  FakeSocket.last.say(hello({}, {}));
  assert.equal(byId.stream, 1);
  const unknown = open({ stream: 'attic' });
  FakeSocket.last.say(hello({}, {}));
  assert.deepEqual(unknown.status, { state: 'refused', why: 'there is no stream `attic`' });
  assert.deepEqual(FakeSocket.last.tags, []);
});

test('two streams share a socket, each with frames, acknowledgements and pauses of its own', () => {
  const connection = connect();
  /** @type {Record<string, bigint[]>} */
  const got = { left: [], right: [] };
  const left = open({ stream: 0, on: { frame: (frame) => (got.left.push(frame.sequence), left.ack(frame)) } }, connection);
  const right = open({ stream: 1, on: { frame: (frame) => (got.right.push(frame.sequence), right.ack(frame)) } }, connection);
  FakeSocket.last.say(hello({}, {}));
  FakeSocket.last.say(config({ id: 1, stream: 0 }));
  FakeSocket.last.say(config({ id: 2, stream: 1 }));
  FakeSocket.last.deliver(frame({ configId: 1, sequence: 5n }));
  FakeSocket.last.deliver(frame({ configId: 2, sequence: 9n }));
  assert.equal(FakeSocket.all.length, 1);
  assert.deepEqual(got, { left: [5n], right: [9n] });
  assert.deepEqual(FakeSocket.last.sent.slice(-2), [{ t: 'ack', seq: 5, stream: 0 }, { t: 'ack', seq: 9, stream: 1 }]);
  left.pause();
  assert.deepEqual(FakeSocket.last.sent.at(-1), { t: 'pause', stream: 0 });
  clock.advance(1000);
  assert.ok(clock.pending > 0, 'the other one is still looked at');
  left.close();
  assert.deepEqual(FakeSocket.last.sent.filter(({ t }) => t === 'stop'), [{ t: 'stop', stream: 0 }]);
  assert.equal(FakeSocket.last.readyState, 1);
  right.close();
  assert.equal(FakeSocket.last.readyState, 2, 'the last one closes the socket');
});

test('a stream that another channel of the connection has is told, not started twice', () => {
  const connection = connect();
  open({}, connection);
  let taken = 0;
  const second = open({ stream: 'camera 0', on: { taken: () => (taken += 1) } }, connection);
  FakeSocket.last.say(hello());
  assert.equal(taken, 1);
  assert.deepEqual(FakeSocket.last.tags, ['start']);
  second.move(connect());
  FakeSocket.last.say(hello());
  assert.equal(FakeSocket.all.length, 2);
  assert.equal(second.stream, 0);
});

test('news of the camera and of the server reach whom they concern', () => {
  const connection = connect();
  /** @type {unknown[]} */
  const told = [];
  open({ stream: 0, on: { controls: ({ controls }) => told.push(controls[0].id), viewers: (n) => told.push(n) } }, connection);
  open({ stream: 1, on: { controls: () => told.push('not mine') } }, connection);
  FakeSocket.last.say(hello({}, {}));
  FakeSocket.last.say({ t: 'controls', stream: 0, controls: [{ id: 'brightness', value: 3 }] });
  FakeSocket.last.say({ t: 'viewers', count: 4 });
  assert.deepEqual(told, ['brightness', 4]);
});

test('a decoder that lost its footing asks for a key frame of its stream', () => {
  const client = watch();
  client.wantKey();
  assert.deepEqual(FakeSocket.last.sent.at(-1), { t: 'key', stream: 0 });
});

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { create, isSupported } from '../core/decoders/h264.js';

const globals = /** @type {any} */ (globalThis);
/** Every decoder that was made. @type {FakeDecoder[]} */
let made;
/** What became of each frame, in order. @type {string[]} */
let ends;
/** @type {import('../core/decoders/index.js').Decoder} */
let decoder;

class FakeDecoder {
  static isConfigSupported = async (/** @type {any} */ config) => ({ supported: config.codec.startsWith('avc1') });
  state = 'unconfigured';
  /** @type {any[]} */
  chunks = [];
  /** @param {{output: (picture: any) => void, error: (error: Error) => void}} on */
  constructor(on) {
    this.on = on;
    made.push(this);
  }
  /** @param {object} config */
  configure(config) {
    this.config = config;
    this.state = 'configured';
  }
  /** @param {any} chunk */
  decode(chunk) {
    this.chunks.push(chunk);
  }
  close() {
    this.state = 'closed';
  }
  /** Gives out what came in as the n-th. @param {number} n */
  give(n) {
    const picture = { timestamp: this.chunks[n].timestamp, displayWidth: 4, displayHeight: 2, close: () => ends.push('closed') };
    this.on.output(picture);
  }
}

const FORMAT = { format: 'h264', fourcc: 'H264', width: 4, height: 2, stride: 0, fps: 30, matrix: 'bt601', range: 'limited', codec: 'avc1.42E01F' };
const KEY = 1;
const GAP = 2;
let sequence = 0n;

/** @param {number} flags */
const decode = (flags) => decoder.decode(/** @type {any} */ ({ sequence: (sequence += 1n), flags, payload: new Uint8Array(3) }));

beforeEach(() => {
  made = [];
  ends = [];
  sequence = 0n;
  globals.VideoDecoder = FakeDecoder;
  globals.EncodedVideoChunk = class {
    /** @param {object} init */
    constructor(init) {
      Object.assign(this, init);
    }
  };
  decoder = create(FORMAT, {
    pixels: () => assert.fail('pixels'),
    image: (frame) => ends.push(`image ${frame.sequence}`),
    corrupt: (frame) => ends.push(`corrupt ${frame.sequence}`),
    skipped: (frame) => ends.push(`skipped ${frame.sequence}`),
    wantKey: () => ends.push('key'),
  });
});

afterEach(() => {
  delete globals.VideoDecoder;
  delete globals.EncodedVideoChunk;
});

test('it is supported where WebCodecs is', async () => {
  assert.equal(await isSupported(), true);
  delete globals.VideoDecoder;
  assert.equal(await isSupported(), false);
});

test('it begins with a key frame, and asks for one', () => {
  decode(0);
  decode(KEY);
  decode(0);
  assert.deepEqual(ends, ['skipped 1', 'key']);
  assert.deepEqual(made[0].chunks.map(({ type }) => type), ['key', 'delta']);
  assert.deepEqual(made[0].config, {
    codec: 'avc1.42E01F', optimizeForLatency: true,
    colorSpace: { matrix: 'smpte170m', primaries: 'bt709', transfer: 'iec61966-2-1', fullRange: false },
  });
});

test('a picture is handed over in the callback, and closed after it', () => {
  decode(KEY);
  made[0].give(0);
  assert.deepEqual(ends, ['image 1', 'closed']);
});

test('after a gap nothing is decoded before the next key frame', () => {
  decode(KEY);
  decode(GAP);
  decode(0);
  decode(KEY | GAP);
  assert.deepEqual(ends, ['skipped 2', 'key', 'skipped 3', 'key']);
  assert.equal(made[0].chunks.length, 2);
});

test('an error gives up what is inside, and a new decoder goes on with a key frame', () => {
  decode(KEY);
  decode(0);
  made[0].on.error(new Error('broken'));
  assert.deepEqual(ends, ['corrupt 1', 'corrupt 2', 'key']);
  decode(0);
  decode(KEY);
  assert.equal(made.length, 2);
  made[0].on.error(new Error('late')); // of the one before
  made[1].give(0);
  assert.deepEqual(ends.slice(3), ['skipped 3', 'key', 'image 4', 'closed']);
});

test('one that never comes to an end is replaced', () => {
  decode(KEY);
  for (let i = 0; i < 30; i++) decode(0);
  assert.equal(ends.filter((end) => end.startsWith('corrupt')).length, 30);
  assert.equal(ends.at(-2), 'skipped 31');
});

test('what is inside at the end is skipped, so that all are acknowledged', () => {
  decode(KEY);
  decoder.close();
  assert.deepEqual(ends, ['skipped 1']);
  assert.equal(made[0].state, 'closed');
});

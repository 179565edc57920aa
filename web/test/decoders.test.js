import assert from 'node:assert/strict';
import { test } from 'node:test';
import './browser-globals.js';
import { createDecoder, decodable } from '../core/decoders/index.js';
import { CODES, MATRICES, RANGES, rgbOf, triples } from './reference.js';

/** @typedef {[number, number, number]} Triple */

/**
 * Packs a picture given by its colours at each place, as a camera does: chroma of the even column and row.
 *
 * @type {Record<string, (width: number, height: number, at: (x: number, y: number) => Triple) => number[]>}
 */
const PACK = {
  yuyv: (width, height, at) => pack422(width, height, at, ([y0, u, v], y1) => [y0, u, y1, v]),
  uyvy: (width, height, at) => pack422(width, height, at, ([y0, u, v], y1) => [u, y0, v, y1]),
  nv12(width, height, at) {
    const bytes = [];
    for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) bytes.push(at(x, y)[0]);
    for (let y = 0; y < height; y += 2) for (let x = 0; x < width; x += 2) bytes.push(at(x, y)[1], at(x, y)[2]);
    return bytes;
  },
};

/**
 * @param {number} width
 * @param {number} height
 * @param {(x: number, y: number) => Triple} at
 * @param {(left: Triple, y1: number) => number[]} order
 */
function pack422(width, height, at, order) {
  const bytes = [];
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x += 2) bytes.push(...order(at(x, y), at(Math.min(x + 1, width - 1), y)[0]));
  }
  return bytes;
}

/** @typedef {{rgba: Uint8ClampedArray, width: number, height: number}} Decoded */

/**
 * Decodes at once; null for a payload that is no whole picture.
 *
 * @param {string} format
 * @param {number} width
 * @param {number} height
 * @param {object} [more]
 * @returns {(bytes: Uint8Array<ArrayBuffer>) => Decoded | null}
 */
function decoder(format, width, height, more) {
  const stride = { nv12: width, grey: width, rgb24: width * 3, rgba: width * 4 }[format] ?? Math.ceil(width / 2) * 4;
  const described = { format, fourcc: format, width, height, stride, fps: 30, matrix: 'bt601', range: 'limited', ...more };
  /** @type {Decoded | null} */
  let decoded = null;
  const made = createDecoder(described, {
    pixels: (_, { data, ...size }) => (decoded = { rgba: data, ...size }),
    image: () => assert.fail('no image'),
    corrupt: () => (decoded = null),
    skipped: () => assert.fail('not skipped'),
    wantKey: () => {},
  });
  if (!made) assert.fail(`no decoder for ${format}`);
  return (payload) => {
    made.decode(/** @type {any} */ ({ payload, sequence: 1n, flags: 1 }));
    return decoded;
  };
}

/** @param {ReturnType<typeof decoder>} made @param {Uint8Array<ArrayBuffer>} bytes */
const decode = (made, bytes) => made(bytes) ?? assert.fail('corrupt');

/** @param {Uint8ClampedArray} rgba @param {number} pixel @param {readonly number[]} want @param {string} what */
function assertNear(rgba, pixel, want, what) {
  for (let i = 0; i < 3; i++) {
    const got = rgba[pixel * 4 + i];
    if (Math.abs(got - want[i]) > 1) assert.fail(`${what}: got ${rgba.slice(pixel * 4, pixel * 4 + 3)}, want ${want}`);
  }
  if (rgba[pixel * 4 + 3] !== 255) assert.fail(`${what}: alpha ${rgba[pixel * 4 + 3]}`);
}

for (const format of Object.keys(PACK)) {
  for (const matrix of MATRICES) {
    for (const range of RANGES) {
      test(`${format} ${matrix} ${range} is within one level of the exact colours, and seldom off`, () => {
        const all = [...triples()];
        // Two pixels by two of each colour, so that every layout carries its chroma.
        const bytes = PACK[format](all.length * 2, 2, (x) => all[x >> 1]);
        const { rgba } = decode(decoder(format, all.length * 2, 2, { matrix, range }), Uint8Array.from(bytes));
        let off = 0;
        all.forEach((triple, i) => {
          const want = rgbOf(...triple, matrix, range);
          off += want.filter((level, c) => level !== rgba[8 * i + c]).length;
          for (const pixel of [2 * i, 2 * i + 1, 2 * (i + all.length), 2 * (i + all.length) + 1]) {
            assertNear(rgba, pixel, want, `${triple}`);
          }
        });
        // A wrong rounding stays within a level, but moves about half of what is not clamped.
        assert.ok(off < 0.02 * 3 * all.length, `${off} of ${3 * all.length} levels are off by one`);
      });
    }
  }

  for (const [width, height] of [[1, 1], [2, 1], [1, 2], [3, 3], [5, 2], [4, 5], [7, 7]]) {
    test(`${format} ${width}x${height}: every pixel is where it belongs`, () => {
      /** @param {number} x @param {number} y @returns {Triple} */
      const at = (x, y) => [40 + 13 * x + 5 * y, 60 + 20 * (x >> 1) + 7 * (y >> 1), 200 - 20 * (x >> 1) - 3 * (y >> 1)];
      const bytes = Uint8Array.from(PACK[format](width, height, at));
      const { rgba, ...size } = decode(decoder(format, width, height), bytes);
      assert.deepEqual(size, { width, height });
      assert.equal(rgba.length, width * height * 4);
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          assertNear(rgba, y * width + x, rgbOf(...at(x, y), 'bt601', 'limited'), `pixel ${x},${y}`);
        }
      }
    });
  }
}

test('packed 4:2:2 gives the same at any alignment', () => {
  const bytes = PACK.yuyv(8, 2, (x, y) => [30 * x, 100 + y, 150]);
  const shifted = new Uint8Array(bytes.length + 1);
  shifted.set(bytes, 1);
  const aligned = decode(decoder('yuyv', 8, 2), Uint8Array.from(bytes)).rgba.slice();
  assert.deepEqual(decode(decoder('yuyv', 8, 2), shifted.subarray(1)).rgba, aligned);
});

test('packed 4:2:2 rows that end within a pair keep the chroma of the pair before', () => {
  const { rgba } = decode(decoder('yuyv', 3, 1, { stride: 6 }), Uint8Array.of(81, 90, 81, 240, 81, 90));
  for (let pixel = 0; pixel < 3; pixel++) assertNear(rgba, pixel, rgbOf(81, 90, 240, 'bt601', 'limited'), `${pixel}`);
});

for (const range of RANGES) {
  test(`grey ${range}`, () => {
    const { rgba } = decode(decoder('grey', CODES.length, 1, { range }), Uint8Array.from(CODES));
    CODES.forEach((code, i) => assertNear(rgba, i, rgbOf(code, 128, 128, 'bt601', range), `${code}`));
  });

  test(`rgb24 ${range}`, () => {
    const all = [...triples()];
    const { rgba } = decode(decoder('rgb24', all.length, 1, { range }), Uint8Array.from(all.flat()));
    /** @param {number} code */
    const level = (code) => rgbOf(code, 128, 128, 'bt601', range)[0];
    all.forEach((triple, i) => assertNear(rgba, i, triple.map(level), `${triple}`));
  });
}

for (const format of ['grey', 'rgb24']) {
  test(`${format} with odd sides: every pixel is where it belongs`, () => {
    const bytes = format === 'grey' ? 1 : 3;
    const payload = Uint8Array.from({ length: 5 * 3 * bytes }, (_, i) => i * 5);
    const { rgba } = decode(decoder(format, 5, 3, { range: 'full' }), payload);
    for (let pixel = 0; pixel < 15; pixel++) {
      const from = pixel * bytes;
      const want = [0, 1, 2].map((i) => payload[from + (bytes === 3 ? i : 0)]);
      assertNear(rgba, pixel, want, `pixel ${pixel}`);
    }
  });
}

test('a payload that is a byte short is refused, one that is longer is not', () => {
  for (const [format, bytes] of Object.entries({ yuyv: 16, uyvy: 16, nv12: 12, grey: 8, rgb24: 24, rgba: 32 })) {
    const made = decoder(format, 4, 2);
    assert.equal(made(new Uint8Array(bytes - 1)), null, format);
    assert.ok(made(new Uint8Array(bytes)), format);
    assert.ok(made(new Uint8Array(bytes + 9)), format);
  }
});

test('an unknown format has no decoder', async () => {
  for (const format of ['h265', '', 'constructor', '__proto__']) {
    const described = { format, fourcc: '', width: 2, height: 2, stride: 4, fps: 0, matrix: '', range: '' };
    assert.equal(createDecoder(described, /** @type {any} */ ({})), null, format);
  }
  const known = await decodable();
  assert.ok(known.includes('jpeg') && known.includes('yuyv'));
  assert.ok(!known.includes('h264'), 'Node.js has no WebCodecs');
});

test('rgba is taken as it is, with and without gaps', () => {
  const bytes = Uint8Array.from({ length: 4 * 2 * 4 }, (_, i) => i);
  assert.deepEqual([...decode(decoder('rgba', 4, 2), bytes).rgba], [...bytes]);
  const gaps = decode(decoder('rgba', 2, 2, { stride: 12 }), Uint8Array.from({ length: 24 }, (_, i) => i)).rgba;
  assert.deepEqual([...gaps], [0, 1, 2, 3, 4, 5, 6, 7, 12, 13, 14, 15, 16, 17, 18, 19]);
});

test('rows with gaps are those of the picture', () => {
  const codes = [81, 90, 81, 240];
  const bytes = Uint8Array.from([...codes, ...codes, 1, 2, 3, 4, ...codes, ...codes, 5, 6, 7, 8]);
  const { rgba } = decode(decoder('yuyv', 4, 2, { stride: 12 }), bytes);
  for (let pixel = 0; pixel < 8; pixel++) assertNear(rgba, pixel, [255, 0, 0], `${pixel}`);
});

test('RGB of unknown range is full', () => {
  const { rgba } = decode(decoder('rgb24', 1, 1, { range: 'unknown' }), Uint8Array.of(16, 128, 235));
  assert.deepEqual([...rgba], [16, 128, 235, 255]);
});

test('unknown colours are those of a webcam that says nothing', () => {
  const made = decoder('yuyv', 2, 1, { matrix: 'unknown', range: 'unknown' });
  const { rgba } = decode(made, Uint8Array.of(81, 90, 81, 240));
  assertNear(rgba, 0, [255, 0, 0], 'red');
});

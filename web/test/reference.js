/**
 * The exact colours in double precision, written from the recommendations and not from `core/colour.js`, so that both
 * cannot share a mistake. Source: ITU-R BT.601-7 2.5, BT.709-6 3, BT.2020-2 table 4, SMPTE 240M.
 */

/** Luma shares of red and blue. @type {Record<string, [number, number]>} */
const SHARES = {
  bt601: [0.299, 0.114],
  bt709: [0.2126, 0.0722],
  bt2020: [0.2627, 0.0593],
  smpte240m: [0.212, 0.087],
};

export const MATRICES = Object.keys(SHARES);
export const RANGES = ['limited', 'full'];

/** @param {number} level */
const toByte = (level) => Math.min(255, Math.max(0, Math.round(level * 255)));

/**
 * @param {number} y
 * @param {number} u
 * @param {number} v
 * @param {string} matrix
 * @param {string} range
 * @returns {[number, number, number]}
 */
export function rgbOf(y, u, v, matrix, range) {
  const [kr, kb] = SHARES[matrix];
  const luma = range === 'full' ? y / 255 : (y - 16) / 219;
  const pb = (u - 128) / (range === 'full' ? 255 : 224);
  const pr = (v - 128) / (range === 'full' ? 255 : 224);
  const red = luma + 2 * (1 - kr) * pr;
  const blue = luma + 2 * (1 - kb) * pb;
  const green = (luma - kr * red - kb * blue) / (1 - kr - kb);
  return [toByte(red), toByte(green), toByte(blue)];
}

/** Codes at the corners, at both limits of the limited range, around grey, and between. */
export const CODES = [
  0, 1, 15, 16, 17, 50, 81, 110, 127, 128, 129, 145, 170, 200, 210, 234, 235, 236, 239, 240, 241, 254, 255,
];

/** Every triple of those codes. @returns {Generator<[number, number, number]>} */
export function* triples() {
  for (const y of CODES) for (const u of CODES) for (const v of CODES) yield [y, u, v];
}

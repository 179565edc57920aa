/** The test picture's colour bars: eight of equal width, left to right, in the upper two thirds. */

/** @typedef {[number, number, number]} Triple */

/** @type {{name: string, rgb: Triple}[]} */
export const BARS = [
  { name: 'white', rgb: [255, 255, 255] },
  { name: 'yellow', rgb: [255, 255, 0] },
  { name: 'cyan', rgb: [0, 255, 255] },
  { name: 'green', rgb: [0, 255, 0] },
  { name: 'magenta', rgb: [255, 0, 255] },
  { name: 'red', rgb: [255, 0, 0] },
  { name: 'blue', rgb: [0, 0, 255] },
  { name: 'black', rgb: [0, 0, 0] },
];

/** @type {Record<string, [number, number]>} */
const LUMA_SHARES = { bt601: [0.299, 0.114], bt709: [0.2126, 0.0722] };

/**
 * The Y'CbCr codes of a colour in limited range.
 *
 * @param {Triple} rgb
 * @param {string} matrix
 * @returns {Triple}
 */
export function codesOf([red, green, blue], matrix) {
  const [kr, kb] = LUMA_SHARES[matrix];
  const y = kr * red + (1 - kr - kb) * green + kb * blue;
  return [
    Math.round(16 + (y * 219) / 255),
    Math.round(128 + ((((blue - y) / (2 * (1 - kb))) * 224) / 255)),
    Math.round(128 + ((((red - y) / (2 * (1 - kr))) * 224) / 255)),
  ];
}

/**
 * What the page of the article draws for these codes: its own formula, with the sign of green wrong and the range full,
 * as it was published.
 *
 * @param {Triple} codes
 * @returns {Triple}
 */
export function articleColours([y, cb, cr]) {
  const r = cr + ((cr * 103) >> 8) - 179;
  const g = ((cb * 88) >> 8) - 44 + ((cr * 183) >> 8) - 91;
  const b = cb + ((cb * 198) >> 8) - 227;
  /** @param {number} level */
  const clamp = (level) => Math.min(255, Math.max(0, level));
  return [clamp(y + r), clamp(y + g), clamp(y + b)];
}

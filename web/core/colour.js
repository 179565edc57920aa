/**
 * From Y'CbCr to R'G'B': the coefficients of each matrix and range, and the tables that the raw decoders add up.
 *
 * Source: ITU-R BT.601-7, BT.709-6, BT.2020-2 (non-constant luminance), SMPTE 240M; the names are those of V4L2.
 */

const BT601 = { kr: 0.299, kb: 0.114 };
/** The share of red and of blue in luma; green has the rest. */
const LUMA_SHARES = new Map([
  ['bt601', BT601],
  ['bt709', { kr: 0.2126, kb: 0.0722 }],
  ['bt2020', { kr: 0.2627, kb: 0.0593 }],
  ['smpte240m', { kr: 0.212, kb: 0.087 }],
]);

/**
 * @typedef {object} Coefficients `r = ys*(y-y0) + rv*v`, `g = ys*(y-y0) - gu*u - gv*v`, `b = ys*(y-y0) + bu*u`,
 *   with `u` and `v` less 128 and the results in 0..255
 * @property {number} y0 the code of black
 * @property {number} ys
 * @property {number} rv
 * @property {number} gu
 * @property {number} gv
 * @property {number} bu
 */

/**
 * Gives the coefficients of a stream.
 *
 * What is unknown is taken as BT.601 limited: what V4L2 says of a webcam that says nothing.
 *
 * @param {{matrix?: string, range?: string}} colours
 * @returns {Coefficients}
 */
export function coefficients({ matrix, range }) {
  const { kr, kb } = LUMA_SHARES.get(matrix ?? '') ?? BT601;
  const kg = 1 - kr - kb;
  const isFull = range === 'full';
  const chroma = isFull ? 1 : 255 / 224;
  return {
    y0: isFull ? 0 : 16,
    ys: isFull ? 1 : 255 / 219,
    rv: 2 * (1 - kr) * chroma,
    gu: ((2 * kb * (1 - kb)) / kg) * chroma,
    gv: ((2 * kr * (1 - kr)) / kg) * chroma,
    bu: 2 * (1 - kb) * chroma,
  };
}

/** The tables hold 64ths: three roundings of half a 64th cannot move a result by more than one level. */
const SCALE = 64;
/** Where zero lies in `clamp`; every sum of table entries stays within its 65536 places, as the tests show. */
const ZERO = 24576;

/**
 * @typedef {object} Tables red is `clamp[y[Y] + rv[V]]`, green `clamp[y[Y] + gu[U] + gv[V]]`, blue
 *   `clamp[y[Y] + bu[U]]`
 * @property {Int32Array} y
 * @property {Int32Array} rv
 * @property {Int32Array} gu
 * @property {Int32Array} gv
 * @property {Int32Array} bu
 * @property {Uint8ClampedArray} clamp scales down and clamps in one load
 */

/**
 * Makes the tables of a stream; 69 KiB.
 *
 * @param {{matrix?: string, range?: string}} colours
 * @returns {Tables}
 */
export function tables(colours) {
  const k = coefficients(colours);
  /** @param {(code: number) => number} entry */
  const table = (entry) => Int32Array.from({ length: 256 }, (_, code) => Math.round(entry(code) * SCALE));
  return {
    // Half a unit here rounds what `clamp` cuts off.
    y: table((code) => (code - k.y0) * k.ys + 0.5),
    rv: table((code) => (code - 128) * k.rv + ZERO / SCALE),
    gu: table((code) => (128 - code) * k.gu + ZERO / SCALE),
    gv: table((code) => (128 - code) * k.gv),
    bu: table((code) => (code - 128) * k.bu + ZERO / SCALE),
    clamp: Uint8ClampedArray.from({ length: 65536 }, (_, sum) => (sum - ZERO) >> 6),
  };
}

/**
 * The level of each luma code alone, for pictures without colour and for R'G'B' of limited range.
 *
 * @param {string} range
 * @returns {Uint8ClampedArray}
 */
export function levels(range) {
  const { y0, ys } = coefficients({ range });
  return Uint8ClampedArray.from({ length: 256 }, (_, code) => (code - y0) * ys);
}

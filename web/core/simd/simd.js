/**
 * Conversions to RGBA by WebAssembly SIMD: about ten times the speed of the tables.
 *
 * Whoever asks gets null where WebAssembly or its SIMD is refused (an old browser, a content security policy without
 * `wasm-unsafe-eval`) or a format does not fit, and uses the tables.
 */
import { coefficients } from '../colour.js';
import { KERNEL } from './kernel.js';

/** @typedef {import('../protocol.js').Format} Format */

/**
 * @typedef {object} Plane
 * @property {number} start the offset of its first row
 * @property {number} stride bytes from one row to the next
 * @property {number} step bytes of eight pixels
 * @property {number} [rowShift] the picture's row is shifted right by this for the plane's: 1 where two rows share one
 */

/**
 * @typedef {object} Layout where the codes of eight pixels are
 * @property {Plane} luma
 * @property {Plane | null} chroma none for a picture without colour
 * @property {(pixel: number) => number} y the offset of a pixel's code, of eight, in what `luma` has for them
 * @property {(pixel: number) => number} u the same in `chroma`, of an even pixel, for it and the next
 * @property {(pixel: number) => number} v
 */

/** @typedef {(payload: Uint8Array) => Uint8ClampedArray<ArrayBuffer>} Convert gives the same memory each time */

/** Outside of 16 bytes: a swizzle puts a zero there. */
const NOTHING = 255;
/** One value for all lanes of 16 bits. @param {number} value */
const lanes = (value) => new Uint8Array(new Int16Array(8).fill(value).buffer);
/** A swizzle of eight codes into the upper halves of lanes of 16 bits. @param {(lane: number) => number} place */
const swizzle = (place) => Uint8Array.from({ length: 16 }, (_, i) => (i % 2 ? place(i >> 1) : NOTHING));
/** The coefficients of luma and of chroma are multiplied by these; see `kernel.wat`. */
const ONE = 16384;
const CHROMA_ONE = 8192;
/** What the kernel adds, it adds in these parts of a code. */
const PARTS = 64;
/** Where the kernel has what it adds. */
const OFFSET = 144;
/** Where a block of chroma without colour lies, behind the constants. */
const NO_COLOUR = 160;
/** Where payloads are put. */
const INPUT = 176;
/** Blocks are read and written whole, beyond the last pixel. */
const OVERHANG = 64;
const PAGE = 65536;

/** `i16x8.q15mulr_sat_s`, and the relaxed one, which not every browser has; no other bytes of the kernel look so. */
const SATURATING = '\xfd\x82\x01';
const RELAXED = '\xfd\x91\x02';

/** @type {WebAssembly.Module | null | undefined} */
let kernel;

/** Compiles once; the module is so small that it may be done at once on a page as well. */
function compile() {
  if (kernel === undefined) {
    const code = KERNEL.replace(/\s*(..)/g, (_, byte) => String.fromCharCode(parseInt(byte, 16)));
    kernel = compiled(code.replaceAll(SATURATING, RELAXED)) ?? compiled(code);
  }
  return kernel;
}

/** @param {string} code */
function compiled(code) {
  try {
    return new WebAssembly.Module(Uint8Array.from(code, (letter) => letter.charCodeAt(0)));
  } catch {
    return null;
  }
}

/**
 * Memory for a payload and its picture, with the kernel over it.
 *
 * @param {number} payloadBytes
 * @param {Format} format
 */
function allocate(payloadBytes, { width, height }) {
  const module = compile();
  if (!module) return null;
  const { exports } = new WebAssembly.Instance(module);
  const memory = /** @type {WebAssembly.Memory} */ (exports.memory);
  const output = Math.ceil((INPUT + payloadBytes + OVERHANG) / 16) * 16;
  const outputBytes = width * height * 4;
  try {
    memory.grow(Math.ceil((output + outputBytes + OVERHANG) / PAGE));
  } catch {
    return null; // a picture too large for this browser
  }
  return {
    constants: new Uint8Array(memory.buffer, 0, INPUT),
    input: new Uint8Array(memory.buffer, INPUT, payloadBytes),
    output,
    rgba: new Uint8ClampedArray(/** @type {ArrayBuffer} */ (memory.buffer), output, outputBytes),
    run: /** @type {Record<'ycbcr' | 'rgb', (...numbers: number[]) => void>} */ (/** @type {unknown} */ (exports)),
  };
}

/**
 * Y'CbCr in any layout of eight bits. The width has to be even where pixels share chroma.
 *
 * @param {Format} format
 * @param {number} payloadBytes
 * @param {Layout} layout
 * @returns {Convert | null}
 */
export function createYcbcr(format, payloadBytes, layout) {
  const made = allocate(payloadBytes, format);
  if (!made) return null;
  const { constants, input, output, rgba, run } = made;
  const k = coefficients(format);
  /** @param {number} value */
  const chromaOf = (value) => lanes(Math.round(value * CHROMA_ONE));
  [
    swizzle(layout.y),
    swizzle((lane) => (lane < 4 ? layout.u(lane * 2) : layout.v((lane - 4) * 2))),
    lanes(Math.round(k.ys * ONE)),
    chromaOf(k.rv), chromaOf(k.gu), chromaOf(k.gv), chromaOf(k.bu),
  ].forEach((vector, i) => constants.set(vector, i * 16));
  constants.set(lanes(PARTS / 2 - Math.round(k.y0 * k.ys * PARTS)), OFFSET);
  constants.fill(128, NO_COLOUR);

  const { width, height } = format;
  const { luma, chroma } = layout;
  const blocks = Math.ceil(width / 16);
  return (payload) => {
    input.set(payload.byteLength === payloadBytes ? payload : payload.subarray(0, payloadBytes));
    // What a row's last block writes beyond its end, the next row writes again.
    for (let row = 0; row < height; row++) {
      const colours = chroma ? INPUT + chroma.start + (row >> (chroma.rowShift ?? 0)) * chroma.stride : NO_COLOUR;
      const from = INPUT + luma.start + row * luma.stride;
      run.ycbcr(from, colours, output + row * width * 4, blocks, luma.step, chroma?.step ?? 0);
    }
    return rgba;
  };
}

/**
 * R G B, three bytes a pixel, of full range.
 *
 * @param {Format} format
 * @param {number} payloadBytes
 * @param {number} stride
 * @returns {Convert | null}
 */
export function createRgb(format, payloadBytes, stride) {
  const made = allocate(payloadBytes, format);
  if (!made) return null;
  const { constants, input, output, rgba, run } = made;
  const ALPHA = 3;
  for (let i = 0; i < 16; i++) {
    constants[112 + i] = i % 4 === ALPHA ? NOTHING : (i >> 2) * 3 + (i % 4);
    constants[128 + i] = i % 4 === ALPHA ? 255 : 0;
  }
  const { width, height } = format;
  return (payload) => {
    input.set(payload.byteLength === payloadBytes ? payload : payload.subarray(0, payloadBytes));
    for (let row = 0; row < height; row++) {
      run.rgb(INPUT + row * stride, output + row * width * 4, Math.ceil(width / 4));
    }
    return rgba;
  };
}

/**
 * The decoders, one file each behind one small interface.
 *
 * To add one: write a file that exports a `create` of type `CreateDecoder`, and name it in the table below.
 */
import * as grey from './grey.js';
import * as jpeg from './jpeg.js';
import * as nv12 from './nv12.js';
import * as rgb24 from './rgb24.js';
import * as uyvy from './uyvy.js';
import * as yuyv from './yuyv.js';

/** @typedef {import('../protocol.js').Format} Format */

/**
 * @typedef {object} Pixels top row first, four bytes a pixel: R, G, B, 255; valid until the decoder is called again
 * @property {Uint8ClampedArray<ArrayBuffer>} rgba
 * @property {number} width
 * @property {number} height
 */

/**
 * @typedef {object} Decoder
 * @property {(payload: Uint8Array<ArrayBuffer>) => Pixels | Promise<ImageBitmap>} decode throws, or rejects, when the
 *   payload is not a whole picture; whoever gets a bitmap closes it. Promises may settle out of order.
 */

/** @typedef {(format: Format) => Decoder} CreateDecoder */

/** @type {Map<string, CreateDecoder>} */
const DECODERS = new Map([
  ['yuyv', yuyv.create],
  ['uyvy', uyvy.create],
  ['nv12', nv12.create],
  ['grey', grey.create],
  ['rgb24', rgb24.create],
  ['jpeg', jpeg.create],
]);

/** The names of the formats that can be decoded here. */
export const FORMATS = Object.freeze([...DECODERS.keys()]);

/**
 * Makes the decoder of a format.
 *
 * @param {Format} format
 * @returns {Decoder | null} null if there is none
 */
export const createDecoder = (format) => DECODERS.get(format.format)?.(format) ?? null;

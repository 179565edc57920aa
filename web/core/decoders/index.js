/**
 * The decoders, one file each behind one small interface.
 *
 * To add one: write a file that exports a `create` of type `CreateDecoder`, and name it in the table below.
 */
import * as grey from './grey.js';
import * as h264 from './h264.js';
import * as jpeg from './jpeg.js';
import * as nv12 from './nv12.js';
import * as rgb24 from './rgb24.js';
import * as rgba from './rgba.js';
import * as uyvy from './uyvy.js';
import * as yuyv from './yuyv.js';

/** @typedef {import('../protocol.js').Format} Format */
/** @typedef {import('../channel.js').Frame} Frame */

/**
 * @typedef {object} Output where a decoder's pictures go; each frame that it was given ends in exactly one call of the
 *   first four
 * @property {(frame: Frame, pixels: ImageData) => void} pixels valid until the decoder is called again
 * @property {(frame: Frame, image: ImageBitmap | VideoFrame, width: number, height: number) => void} image valid within
 *   the call; never an older one after a newer one
 * @property {(frame: Frame, why: string) => void} corrupt it is no picture
 * @property {(frame: Frame) => void} skipped it is too late, or refers to one that did not come
 * @property {() => void} wantKey nothing can be decoded before the next key frame
 */

/**
 * @typedef {object} Decoder
 * @property {(frame: Frame) => void} decode
 * @property {() => void} close what it still has is skipped
 */

/** @typedef {(format: Format, output: Output) => Decoder} CreateDecoder */

/** @type {Map<string, CreateDecoder>} */
const DECODERS = new Map([
  ['yuyv', yuyv.create],
  ['uyvy', uyvy.create],
  ['nv12', nv12.create],
  ['grey', grey.create],
  ['rgb24', rgb24.create],
  ['rgba', rgba.create],
  ['jpeg', jpeg.create],
  ['h264', h264.create],
]);

/**
 * The formats that this browser can decode: the raw ones, then those that travel lighter.
 *
 * @returns {Promise<string[]>}
 */
export async function decodable() {
  const hasH264 = await h264.isSupported();
  return [...DECODERS.keys()].filter((name) => name !== 'h264' || hasH264);
}

/**
 * Makes the decoder of a format.
 *
 * @type {(format: Format, output: Output) => Decoder | null} null if there is none
 */
export const createDecoder = (format, output) => DECODERS.get(format.format)?.(format, output) ?? null;

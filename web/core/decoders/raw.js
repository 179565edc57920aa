/** What the raw decoders share: the output pixels, the check that a payload is a whole picture, and the hand-over. */

/** Alpha 255 in the upper byte of a little-endian pixel; browsers run on little-endian machines only. */
export const OPAQUE = 0xff << 24;

/** @typedef {import('../simd/simd.js').Convert} Convert */

/**
 * Makes the output of a conversion by tables; allocated once and written again for each frame.
 *
 * @param {{width: number, height: number}} size
 * @returns {{rgba: Uint8ClampedArray<ArrayBuffer>, pixels: Int32Array}} the same memory twice; signed, because a u32
 *   read may leave the small integers of the engine and become a double
 */
export function raster({ width, height }) {
  const memory = new ArrayBuffer(width * height * 4);
  return { rgba: new Uint8ClampedArray(memory), pixels: new Int32Array(memory) };
}

/**
 * Makes a decoder of a conversion, which is done in the same turn.
 *
 * A payload that is shorter than the picture is corrupt: a torn picture is never shown.
 *
 * @param {import('./index.js').Format} format
 * @param {import('./index.js').Output} output
 * @param {number} wholeBytes of a payload
 * @param {Convert} convert
 * @returns {import('./index.js').Decoder}
 */
export function createRaw({ width, height }, output, wholeBytes, convert) {
  return {
    decode(frame) {
      const { payload } = frame;
      if (payload.byteLength < wholeBytes) output.corrupt(frame, `picture has ${payload.byteLength} of ${wholeBytes} bytes`);
      else output.pixels(frame, new ImageData(convert(payload), width, height));
    },
    close() {},
  };
}

/** What the raw decoders share: the output pixels and the check that a payload is a whole picture. */

/** Alpha 255 in the upper byte of a little-endian pixel; browsers run on little-endian machines only. */
export const OPAQUE = 0xff << 24;

/**
 * Makes the output of a decoder; allocated once and written again for each frame.
 *
 * @param {{width: number, height: number}} size
 * @returns {{picture: import('./index.js').Pixels, pixels: Int32Array}} the same memory twice; signed, because a u32
 *   read may leave the small integers of the engine and become a double
 */
export function raster({ width, height }) {
  const memory = new ArrayBuffer(width * height * 4);
  return { picture: { rgba: new Uint8ClampedArray(memory), width, height }, pixels: new Int32Array(memory) };
}

/**
 * @param {Uint8Array} payload
 * @param {number} wholeBytes
 * @throws {RangeError} if the payload is shorter; a torn picture is never shown
 */
export function checkWhole(payload, wholeBytes) {
  if (payload.byteLength < wholeBytes) {
    throw new RangeError(`picture has ${payload.byteLength} of ${wholeBytes} bytes`);
  }
}

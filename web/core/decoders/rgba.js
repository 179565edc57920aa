/** RGBA: what a canvas takes, without a conversion where rows have no gap. */
import { createRaw, raster } from './raw.js';

/** @type {import('./index.js').CreateDecoder} */
export function create(format, output) {
  const { width, height } = format;
  const rowBytes = format.stride || width * 4;
  const wholeBytes = rowBytes * (height - 1) + width * 4;
  if (rowBytes === width * 4) {
    return createRaw(format, output, wholeBytes, ({ buffer, byteOffset }) =>
      new Uint8ClampedArray(/** @type {ArrayBuffer} */ (buffer), byteOffset, wholeBytes));
  }
  const { rgba } = raster(format);
  return createRaw(format, output, wholeBytes, (payload) => {
    for (let row = 0; row < height; row++) {
      rgba.set(payload.subarray(row * rowBytes, row * rowBytes + width * 4), row * width * 4);
    }
    return rgba;
  });
}


/** RGB24: R G B for each pixel. The matrix means nothing here, the range does; unknown is full, as for all RGB. */
import { levels } from '../colour.js';
import { createRgb } from '../simd/simd.js';
import { OPAQUE, createRaw, raster } from './raw.js';

/** @type {import('./index.js').CreateDecoder} */
export function create(format, output) {
  const rowBytes = format.stride || format.width * 3;
  const wholeBytes = rowBytes * format.height;
  const fast = format.range === 'limited' ? null : createRgb(format, wholeBytes, rowBytes);
  return createRaw(format, output, wholeBytes, fast ?? byTable(format, rowBytes));
}

/** @param {import('./index.js').Format} format @param {number} rowBytes @returns {import('./raw.js').Convert} */
function byTable(format, rowBytes) {
  const { width, height } = format;
  const { rgba, pixels } = raster(format);
  const level = levels(format.range === 'limited' ? 'limited' : 'full');
  return (payload) => {
    let at = 0;
    for (let row = 0; row < height; row++) {
      for (let x = 0, from = row * rowBytes; x < width; x++, from += 3) {
        const red = level[payload[from]];
        const green = level[payload[from + 1]];
        const blue = level[payload[from + 2]];
        pixels[at++] = OPAQUE | (blue << 16) | (green << 8) | red;
      }
    }
    return rgba;
  };
}

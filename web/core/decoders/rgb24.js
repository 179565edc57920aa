/** RGB24: R G B for each pixel. The matrix means nothing here, the range does; unknown is full, as for all RGB. */
import { levels } from '../colour.js';
import { OPAQUE, checkWhole, raster } from './raster.js';

/** @type {import('./index.js').CreateDecoder} */
export function create(format) {
  const { width, height } = format;
  const rowBytes = format.stride || width * 3;
  const { picture, pixels } = raster(format);
  const level = levels(format.range === 'limited' ? 'limited' : 'full');

  return {
    decode(payload) {
      checkWhole(payload, rowBytes * height);
      let at = 0;
      for (let row = 0; row < height; row++) {
        for (let x = 0, from = row * rowBytes; x < width; x++, from += 3) {
          const red = level[payload[from]];
          const green = level[payload[from + 1]];
          const blue = level[payload[from + 2]];
          pixels[at++] = OPAQUE | (blue << 16) | (green << 8) | red;
        }
      }
      return picture;
    },
  };
}

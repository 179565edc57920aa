/** GREY: one byte of luma for each pixel, as infrared and machine cameras send it. */
import { levels } from '../colour.js';
import { OPAQUE, checkWhole, raster } from './raster.js';

/** @type {import('./index.js').CreateDecoder} */
export function create(format) {
  const { width, height } = format;
  const rowBytes = format.stride || width;
  const { picture, pixels } = raster(format);
  const colours = Int32Array.from(levels(format.range), (level) => OPAQUE | (level * 0x010101));

  return {
    decode(payload) {
      checkWhole(payload, rowBytes * height);
      for (let row = 0; row < height; row++) {
        const from = row * rowBytes;
        const to = row * width;
        for (let x = 0; x < width; x++) pixels[to + x] = colours[payload[from + x]];
      }
      return picture;
    },
  };
}

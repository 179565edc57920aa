/** GREY: one byte of luma for each pixel, as infrared and machine cameras send it. */
import { levels } from '../colour.js';
import { createYcbcr } from '../simd/simd.js';
import { OPAQUE, createRaw, raster } from './raw.js';

/** @type {import('./index.js').CreateDecoder} */
export function create(format, output) {
  const rowBytes = format.stride || format.width;
  const wholeBytes = rowBytes * format.height;
  return createRaw(format, output, wholeBytes, fast(format, rowBytes, wholeBytes) ?? byTable(format, rowBytes));
}

/** @param {import('./index.js').Format} format @param {number} rowBytes @param {number} wholeBytes */
const fast = (format, rowBytes, wholeBytes) =>
  createYcbcr(format, wholeBytes, {
    luma: { start: 0, stride: rowBytes, step: 8 },
    chroma: null,
    y: (pixel) => pixel,
    u: () => 0,
    v: () => 0,
  });

/** @param {import('./index.js').Format} format @param {number} rowBytes @returns {import('./raw.js').Convert} */
function byTable(format, rowBytes) {
  const { width, height } = format;
  const { rgba, pixels } = raster(format);
  const colours = Int32Array.from(levels(format.range), (level) => OPAQUE | (level * 0x010101));
  return (payload) => {
    for (let row = 0; row < height; row++) {
      const from = row * rowBytes;
      const to = row * width;
      for (let x = 0; x < width; x++) pixels[to + x] = colours[payload[from + x]];
    }
    return rgba;
  };
}

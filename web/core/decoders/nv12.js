/** NV12: a plane of luma, then a plane of U V pairs, one for each square of two by two pixels. */
import { tables } from '../colour.js';
import { createYcbcr } from '../simd/simd.js';
import { OPAQUE, createRaw, raster } from './raw.js';

/** @type {import('./index.js').CreateDecoder} */
export function create(format, output) {
  const { width, height } = format;
  const rowBytes = format.stride || width;
  // With an odd width the last pair belongs to one column alone, so a row of pairs is a byte longer than one of luma.
  const chroma = { start: rowBytes * height, stride: Math.ceil(rowBytes / 2) * 2, step: 8, rowShift: 1 };
  const wholeBytes = chroma.start + chroma.stride * Math.ceil(height / 2);
  const fast = createYcbcr(format, wholeBytes, {
    luma: { start: 0, stride: rowBytes, step: 8 },
    chroma,
    y: (pixel) => pixel,
    u: (pixel) => pixel & ~1,
    v: (pixel) => pixel | 1,
  });
  return createRaw(format, output, wholeBytes, fast ?? byTable(format, rowBytes, chroma));
}

/**
 * @param {import('./index.js').Format} format
 * @param {number} rowBytes
 * @param {{start: number, stride: number}} chroma
 * @returns {import('./raw.js').Convert}
 */
function byTable(format, rowBytes, chroma) {
  const { width, height } = format;
  const { rgba, pixels } = raster(format);
  const { y, rv, gu, gv, bu, clamp } = tables(format);
  return (payload) => {
    let at = 0;
    for (let row = 0; row < height; row++) {
      const lumaRow = row * rowBytes;
      const chromaRow = chroma.start + (row >> 1) * chroma.stride;
      for (let x = 0; x < width; x++) {
        const luma = y[payload[lumaRow + x]];
        const u = payload[chromaRow + (x & ~1)];
        const v = payload[chromaRow + (x | 1)];
        pixels[at++] = OPAQUE | (clamp[luma + bu[u]] << 16) | (clamp[luma + gu[u] + gv[v]] << 8) | clamp[luma + rv[v]];
      }
    }
    return rgba;
  };
}

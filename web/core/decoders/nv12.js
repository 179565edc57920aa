/** NV12: a plane of luma, then a plane of U V pairs, one for each square of two by two pixels. */
import { tables } from '../colour.js';
import { OPAQUE, checkWhole, raster } from './raster.js';

/** @type {import('./index.js').CreateDecoder} */
export function create(format) {
  const { width, height } = format;
  const rowBytes = format.stride || width;
  // With an odd width the last pair belongs to one column alone, so a row of pairs is a byte longer than one of luma.
  const chromaRowBytes = Math.ceil(rowBytes / 2) * 2;
  const chromaStart = rowBytes * height;
  const wholeBytes = chromaStart + chromaRowBytes * Math.ceil(height / 2);
  const { picture, pixels } = raster(format);
  const { y, rv, gu, gv, bu, clamp } = tables(format);

  return {
    decode(payload) {
      checkWhole(payload, wholeBytes);
      let at = 0;
      for (let row = 0; row < height; row++) {
        const lumaRow = row * rowBytes;
        const chromaRow = chromaStart + (row >> 1) * chromaRowBytes;
        for (let x = 0; x < width; x++) {
          const luma = y[payload[lumaRow + x]];
          const u = payload[chromaRow + (x & ~1)];
          const v = payload[chromaRow + (x | 1)];
          pixels[at++] =
            OPAQUE | (clamp[luma + bu[u]] << 16) | (clamp[luma + gu[u] + gv[v]] << 8) | clamp[luma + rv[v]];
        }
      }
      return picture;
    },
  };
}

/** YUYV, the usual raw format of webcams: Y0 U Y1 V for two pixels. */
import { createPacked422 } from './packed422.js';

/** @type {import('./index.js').CreateDecoder} */
export const create = (format) => createPacked422(format, { y0: 0, u: 1, y1: 2, v: 3 });

/** UYVY, the usual raw format of capture cards: U Y0 V Y1 for two pixels. */
import { createPacked422 } from './yuyv.js';

/** @type {import('./index.js').CreateDecoder} */
export const create = (format, output) => createPacked422(format, output, { u: 0, y0: 1, v: 2, y1: 3 });

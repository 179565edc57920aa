/** UYVY, the usual raw format of capture cards: U Y0 V Y1 for two pixels. */
import { createPacked422 } from './packed422.js';

/** @type {import('./index.js').CreateDecoder} */
export const create = (format) => createPacked422(format, { u: 0, y0: 1, v: 2, y1: 3 });

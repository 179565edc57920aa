/**
 * JPEG: the browser decodes it, off the thread that asks.
 *
 * `createImageBitmap` works on plain http too and costs no more than the alternatives. A broken picture rejects; UVC
 * cameras do send some.
 */

/** @type {import('./index.js').CreateDecoder} */
export const create = () => ({
  decode: (payload) => createImageBitmap(new Blob([payload], { type: 'image/jpeg' })),
});

/**
 * JPEG: the browser decodes it, off the thread that asks.
 *
 * `createImageBitmap` works on plain http too and costs no more than the alternatives. A broken picture rejects; UVC
 * cameras do send some. Several may be decoded at once, and end in any order.
 */

/** @type {import('./index.js').CreateDecoder} */
export function create(_format, output) {
  /** The newest that was handed over. Invariant: never goes back. */
  let newest = -1n;
  let isClosed = false;
  return {
    async decode(frame) {
      try {
        const bitmap = await createImageBitmap(new Blob([frame.payload], { type: 'image/jpeg' }));
        if (isClosed || frame.sequence <= newest) {
          output.skipped(frame);
        } else {
          newest = frame.sequence;
          output.image(frame, bitmap, bitmap.width, bitmap.height);
        }
        bitmap.close();
      } catch (error) {
        output.corrupt(frame, String(error));
      }
    },
    close() {
      isClosed = true;
    },
  };
}

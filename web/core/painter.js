/** A canvas that pictures are put on: on a page, or in a worker. */

export class Painter {
  #canvas;
  #context;

  /**
   * @param {HTMLCanvasElement | OffscreenCanvas} canvas gets the size of what is painted
   * @throws {Error} where it has no 2d context
   */
  constructor(canvas) {
    this.#canvas = canvas;
    const context = canvas.getContext('2d', { alpha: false });
    if (!context) throw new Error('the canvas has no 2d context');
    this.#context = /** @type {CanvasRenderingContext2D | OffscreenCanvasRenderingContext2D} */ (context);
  }

  /** @param {ImageData} pixels */
  pixels(pixels) {
    this.#resize(pixels.width, pixels.height);
    this.#context.putImageData(pixels, 0, 0);
  }

  /** @param {ImageBitmap | VideoFrame} image @param {number} width @param {number} height */
  image(image, width, height) {
    this.#resize(width, height);
    this.#context.drawImage(image, 0, 0, width, height);
  }

  /** Only when it differs, as setting the size clears the canvas. @param {number} width @param {number} height */
  #resize(width, height) {
    if (this.#canvas.width !== width) this.#canvas.width = width;
    if (this.#canvas.height !== height) this.#canvas.height = height;
  }
}

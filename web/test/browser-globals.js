/** What a browser has and Node.js has not, as far as the decoders need it. */

class FakeImageData {
  /** @param {Uint8ClampedArray} data @param {number} width @param {number} height */
  constructor(data, width, height) {
    if (data.length !== width * height * 4) throw new Error(`${data.length} bytes for ${width}x${height}`);
    Object.assign(this, { data, width, height });
  }
}

const globals = /** @type {any} */ (globalThis);
globals.ImageData ??= FakeImageData;

/** The tables, which take over where WebAssembly is refused: every test of the decoders once more, without it. */
const globals = /** @type {any} */ (globalThis);
globals.WebAssembly = { Module: class { constructor() { throw new Error('refused'); } } };
await import('./decoders.test.js');

/** The player in a worker of its own: a page that is busy does not delay the picture. */
import { Player } from './player.js';

// The types are those of a page, whose `postMessage` wants an origin.
const scope = /** @type {Pick<Worker, 'postMessage' | 'onmessage'>} */ (/** @type {unknown} */ (globalThis));
const player = new Player((told) => scope.postMessage(told), { inWorker: true });
scope.onmessage = ({ data }) => player.handle(data);

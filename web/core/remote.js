/**
 * The page's end of the player: one worker for all views of the page, or the same player on the page where a browser
 * has no worker that paints.
 */
/** @typedef {import('./player.js').Command} Command */
/** @typedef {import('./player.js').Told} Told */
/** @typedef {(told: Told) => void} Listener */

const WORKER = new URL('./worker.js', import.meta.url);

/** @type {Map<number, Listener>} */
const listeners = new Map();
let count = 0;
/** @typedef {(command: Command, transfer?: Transferable[]) => void} Say */
/** To the worker, and to the player on the page; each made when it is wanted first. @type {Say | undefined} */
let sayThere;
/** @type {Say | undefined} */
let sayHere;

/** @param {Told} told */
const hear = (told) => listeners.get(told.id)?.(told);

/** Whether a worker can paint: Safari before 16.4 cannot. */
export const canPaintInWorker = () =>
  typeof Worker === 'function' &&
  typeof OffscreenCanvas === 'function' &&
  'transferControlToOffscreen' in HTMLCanvasElement.prototype;

/** @returns {Worker} */
function startWorker() {
  // A page of another site may not start a worker from here, but one of its own that imports from here.
  const isForeign = WORKER.origin !== location.origin;
  const url = isForeign
    ? URL.createObjectURL(new Blob([`import ${JSON.stringify(WORKER.href)};`], { type: 'text/javascript' }))
    : WORKER.href;
  const worker = new Worker(url, { type: 'module' });
  worker.onmessage = ({ data }) => hear(data);
  return worker;
}

/** @returns {Say} */
function connectWorker() {
  const worker = startWorker();
  worker.onerror = () => listeners.forEach((listen, id) => listen({ id, t: 'failed', why: 'the worker did not start' }));
  return (command, transfer = []) => worker.postMessage(command, transfer);
}

/** Loads all that a worker would, only where there is none. @returns {Say} */
function connectHere() {
  const player = import('./player.js').then(({ Player }) => new Player(hear));
  return async (command) => (await player).handle(command);
}

/**
 * Shows a stream on a canvas, which belongs to the player from then on.
 *
 * @param {HTMLCanvasElement} canvas
 * @param {{url: string, isNear: boolean, isPlaying: boolean, inWorker: boolean, choice: import('./view.js').Choice}} options
 * @param {Listener} listen
 */
export function show(canvas, { inWorker, ...options }, listen) {
  const id = (count += 1);
  listeners.set(id, listen);
  const tell = inWorker ? (sayThere ??= connectWorker()) : (sayHere ??= connectHere());
  const surface = inWorker ? canvas.transferControlToOffscreen() : canvas;
  tell({ id, t: 'open', ...options, canvas: surface }, inWorker ? [/** @type {OffscreenCanvas} */ (surface)] : []);
  return {
    /** @param {import('./view.js').Choice} choice */
    choose: (choice) => tell({ id, t: 'choose', choice }),
    pause: () => tell({ id, t: 'pause' }),
    play: () => tell({ id, t: 'play' }),
    close() {
      tell({ id, t: 'close' });
      listeners.delete(id);
    },
  };
}

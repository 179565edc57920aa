/**
 * A server that a test holds in its hands: the page's files, and `eyelet.v1` with pictures made on the spot.
 *
 * For what the real one cannot be made to do at will: lose a signal, send a broken JPEG, offer many streams, be slow.
 */
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';
import { WebSocketServer } from 'ws';
import { BARS, codesOf } from './bars.mjs';

/** @typedef {import('../../web/core/protocol.js').Format} Format */

const WEB = fileURLToPath(new URL('../../web/', import.meta.url));
/** The policy that the real server sends. */
export const POLICY =
  "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; img-src 'self' blob: data:; connect-src 'self'";
/** @type {Record<string, string>} */
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css' };

const nowUs = () => BigInt(Math.round(performance.now() * 1000));

/** Bytes of a pixel pair, a pixel or a plane, for each format. @type {Record<string, (format: Format) => number>} */
const STRIDES = { yuyv: (f) => f.width * 2, uyvy: (f) => f.width * 2, rgb24: (f) => f.width * 3, rgba: (f) => f.width * 4 };

/** @param {Partial<Format>} [more] @returns {Format} */
export function makeFormat(more = {}) {
  const format = {
    format: 'yuyv', fourcc: 'YUYV', width: 640, height: 480, stride: 0, fps: 10, matrix: 'bt601', range: 'limited',
    ...more,
  };
  return { ...format, stride: STRIDES[format.format]?.(format) ?? format.width };
}

/**
 * Draws the test picture: bars, and below them a white block that moves with the sequence.
 *
 * @param {Format} format
 * @param {number} sequence
 */
export function drawBars({ format, width, height, matrix }, sequence) {
  const bars = BARS.map(({ rgb }) => ({ rgb, codes: codesOf(rgb, matrix) }));
  const barsHeight = Math.floor((height * 2) / 3);
  /** @param {number} x @param {number} y */
  const at = (x, y) => {
    if (y < barsHeight) return bars[Math.floor((x * 8) / width)];
    return Math.floor((x * 32) / width) === sequence % 32 ? bars[0] : bars[7];
  };
  const pixels = width * height;
  const bytes = Buffer.alloc({ rgb24: pixels * 3, rgba: pixels * 4, grey: pixels, nv12: (pixels * 3) / 2 }[format] ?? pixels * 2);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const { rgb, codes } = at(x, y);
      if (format === 'rgb24') bytes.set(rgb, i * 3);
      else if (format === 'rgba') bytes.set([...rgb, 255], i * 4);
      else if (format === 'uyvy') bytes.set([codes[1 + (x & 1)], codes[0]], i * 2);
      else if (format === 'yuyv') bytes.set([codes[0], codes[1 + (x & 1)]], i * 2);
      else bytes[i] = codes[0];
      if (format === 'nv12') bytes[pixels + (y >> 1) * width + x] = codes[1 + (x & 1)];
    }
  }
  return bytes;
}

/**
 * @typedef {object} FakeStream
 * @property {string} name
 * @property {Format} format
 * @property {(sequence: number) => Buffer} [draw] the payload; the bars without it
 * @property {string} [why] no signal from the start
 * @property {number} [of] the stream that it is made of
 */

/** @typedef {import('../../web/app/controls.js').Control} Control */

/** One of each kind that the page knows. @type {() => Control[]} */
export const makeControls = () => [
  { id: 'brightness', name: 'Brightness', type: 'integer', min: -64, max: 64, step: 1, default: 0, value: 0, group: 'user' },
  { id: 'auto_exposure', name: 'Auto Exposure', type: 'menu', default: 0, value: 0, group: 'camera',
    menu: [{ value: 0, name: 'Auto' }, { value: 1, name: 'Manual' }] },
  { id: 'exposure', name: 'Exposure', type: 'integer', min: 1, max: 5000, step: 1, default: 150, value: 150,
    inactive: true, group: 'camera' },
  { id: 'mirror', name: 'Mirror', type: 'boolean', default: false, value: false, group: 'user' },
  { id: 'reset_motion', name: 'Reset motion', type: 'button', group: 'user' },
  { id: 'secret', name: 'Something new', type: 'matrix' },
];

/**
 * @typedef {object} Options
 * @property {number} [port]
 * @property {Control[]} [controls] of the first stream
 * @property {boolean} [refusesSockets] as a proxy that knows no WebSocket
 * @property {string} [policy]
 * @property {string} [allowed] a site that may watch, or `*`
 */

/**
 * @param {FakeStream[]} streams
 * @param {Options} [options]
 */
export async function startFakeServer(streams = [{ name: 'Workshop', format: makeFormat() }], options = {}) {
  const { port = 0, controls = [], refusesSockets = false, policy = POLICY, allowed } = options;
  /**
   * What the pages said, in order; the most frames that were in flight of a stream; how many sockets there were; what
   * was asked of the controls.
   *
   * @type {{said: any[], mostInFlight: number, sockets: number, asked: string[]}}
   */
  const seen = { said: [], mostInFlight: 0, sockets: 0, asked: [] };
  /** What a test wants every page to be told now. @type {Set<(message: object) => void>} */
  const listeners = new Set();
  /** @param {object} message */
  const sayAll = (message) => listeners.forEach((say) => say(message));

  /** @param {import('node:http').IncomingMessage} request */
  async function answerControls(request) {
    let text = '';
    for await (const chunk of request) text += chunk;
    const wanted = request.method === 'PUT' ? JSON.parse(text) : {};
    if (request.method !== 'GET') seen.asked.push(`${request.method} ${text}`);
    /** @type {Record<string, string>} */
    const errors = {};
    for (const control of controls) {
      if (request.method === 'DELETE') control.value = control.default;
      if (!Object.hasOwn(wanted, control.id)) continue;
      if (control.id === 'brightness' && Number(wanted.brightness) > 60) errors.brightness = 'brightness takes -64 to 60';
      else control.value = wanted[control.id];
    }
    for (const control of controls) {
      if (control.id === 'exposure') control.inactive = controls.find(({ id }) => id === 'auto_exposure')?.value === 0;
    }
    if (request.method !== 'GET') sayAll({ t: 'controls', stream: 0, controls });
    return { stream: 0, name: streams[0].name, controls, ...(Object.keys(errors).length > 0 ? { errors } : {}) };
  }

  const http = createServer(async (request, response) => {
    const url = new URL(request.url ?? '/', 'http://fake');
    if (url.pathname === '/-/api/controls') {
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify(await answerControls(request)));
    }
    if (url.pathname === '/-/api/session') {
      response.writeHead(200, { 'content-type': 'application/json' });
      return response.end(JSON.stringify({ user: null, rights: null, has_users: false }));
    }
    if (url.pathname === '/-/stream.mjpg') return sendImages(response, streams[Number(url.searchParams.get('stream') ?? 0)]);
    const file = url.pathname === '/' ? 'app/index.html' : url.pathname.replace(/^\/-\//, '');
    try {
      const body = await readFile(WEB + file);
      const type = TYPES[file.split('.').pop() ?? ''] ?? 'application/octet-stream';
      response.writeHead(200, {
        'content-type': type, 'content-security-policy': policy, 'cache-control': 'no-cache',
        'access-control-allow-origin': '*', 'cross-origin-resource-policy': 'cross-origin',
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  const sockets = new WebSocketServer({
    server: http, path: '/-/ws', perMessageDeflate: false,
    verifyClient: (/** @type {{origin: string, req: import('node:http').IncomingMessage}} */ { origin, req }) =>
      !refusesSockets && (!origin || allowed === '*' || origin === allowed || new URL(origin).host === req.headers.host),
  });

  sockets.on('connection', (socket) => {
    /** @param {object} message */
    const say = (message) => socket.send(JSON.stringify(message));
    seen.sockets += 1;
    let configId = 0;
    /** What this client has started. @type {Map<number, ReturnType<typeof start>>} */
    const started = new Map();
    listeners.add(say);
    say({
      t: 'hello', v: 1, server: 'fake',
      streams: streams.map(({ name, format, why, of }, id) => ({
        id, name, of, state: why ? 'no_signal' : 'live', why, formats: [format],
      })),
    });

    /** @param {number} id of a stream */
    function start(id) {
      const { format, draw, why } = streams[id];
      const config = (configId = (configId + 1) % 256);
      let sequence = 0;
      let dropped = 0;
      /** @type {Set<number>} */
      const inFlight = new Set();
      const state = { isPlaying: true, inFlight, stop: () => clearInterval(timer) };
      const send = () => {
        sequence += 1;
        if (!state.isPlaying || why) return;
        if (inFlight.size >= 2) return void (dropped += 1);
        inFlight.add(sequence);
        seen.mostInFlight = Math.max(seen.mostInFlight, inFlight.size);
        const header = Buffer.from([1, 1, config, 32, ...Buffer.alloc(28)]);
        header.writeUInt32LE(dropped, 4);
        header.writeBigUInt64LE(BigInt(sequence), 8);
        header.writeBigUInt64LE(nowUs(), 16);
        header.writeBigUInt64LE(nowUs(), 24);
        socket.send(Buffer.concat([header, draw?.(sequence) ?? drawBars(format, sequence)]));
      };
      say({ t: 'config', id: config, stream: id, ...format });
      const timer = setInterval(send, 1000 / format.fps);
      return state;
    }

    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      seen.said.push(message);
      if (message.t === 'ping') return say({ t: 'pong', c: message.c, s: Number(nowUs()) });
      const id = message.stream ?? 0;
      const stream = started.get(id);
      if (message.t === 'start') {
        stream?.stop();
        started.set(id, start(id));
      } else if (message.t === 'stop') {
        stream?.stop();
        started.delete(id);
      } else if (stream && message.t === 'ack') stream.inFlight.delete(message.seq);
      else if (stream && message.t === 'pause') stream.isPlaying = false;
      else if (stream && message.t === 'play') stream.isPlaying = true;
    });
    socket.on('close', () => {
      started.forEach((stream) => stream.stop());
      listeners.delete(say);
    });
  });

  await new Promise((resolve) => http.listen(port, '127.0.0.1', () => resolve(null)));
  const address = /** @type {import('node:net').AddressInfo} */ (http.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    seen,
    /** Tells every page. */
    say: sayAll,
    /** Stops at once, as a server that dies. */
    async stop() {
      for (const socket of sockets.clients) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/** JPEG pictures without end, for an `<img>`. @param {import('node:http').ServerResponse} response @param {FakeStream} stream */
function sendImages(response, { draw }) {
  response.writeHead(200, { 'content-type': 'multipart/x-mixed-replace;boundary=next' });
  let sequence = 0;
  response.write('--next\r\nContent-Type: image/jpeg\r\n\r\n');
  const timer = setInterval(() => {
    response.write(draw?.((sequence += 1)) ?? Buffer.alloc(0));
    response.write('\r\n--next\r\nContent-Type: image/jpeg\r\n\r\n');
  }, 100);
  response.on('close', () => clearInterval(timer));
}

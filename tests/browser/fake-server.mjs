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
export const POLICY = "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'";
/** @type {Record<string, string>} */
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css' };

const nowUs = () => BigInt(Math.round(performance.now() * 1000));

/** Bytes of a pixel pair, a pixel or a plane, for each format. @type {Record<string, (format: Format) => number>} */
const STRIDES = { yuyv: (f) => f.width * 2, uyvy: (f) => f.width * 2, rgb24: (f) => f.width * 3 };

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
  const bytes = Buffer.alloc({ rgb24: pixels * 3, grey: pixels, nv12: (pixels * 3) / 2 }[format] ?? pixels * 2);
  for (let y = 0, i = 0; y < height; y++) {
    for (let x = 0; x < width; x++, i++) {
      const { rgb, codes } = at(x, y);
      if (format === 'rgb24') bytes.set(rgb, i * 3);
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
 */

/**
 * @param {FakeStream[]} streams
 * @param {number} [port]
 */
export async function startFakeServer(streams = [{ name: 'Workshop', format: makeFormat() }], port = 0) {
  const http = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://fake').pathname;
    const file = path === '/' ? 'app/index.html' : path.replace(/^\/-\//, '');
    try {
      const body = await readFile(WEB + file);
      const type = TYPES[file.split('.').pop() ?? ''] ?? 'application/octet-stream';
      response.writeHead(200, { 'content-type': type, 'content-security-policy': POLICY, 'cache-control': 'no-cache' });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  const sockets = new WebSocketServer({ server: http, path: '/-/ws', perMessageDeflate: false });
  /**
   * What the pages said, in order; and the most frames that were in flight.
   *
   * @type {{said: any[], mostInFlight: number}}
   */
  const seen = { said: [], mostInFlight: 0 };
  /** What a test wants every page to be told now. @type {Set<(message: object) => void>} */
  const listeners = new Set();

  sockets.on('connection', (socket) => {
    /** @param {object} message */
    const say = (message) => socket.send(JSON.stringify(message));
    let stream = 0;
    let configId = 0;
    let sequence = 0;
    let dropped = 0;
    let isPlaying = false;
    /** @type {Set<number>} */
    const inFlight = new Set();
    listeners.add(say);
    say({
      t: 'hello', v: 1, server: 'fake',
      streams: streams.map(({ name, format, why }, id) => ({
        id, name, state: why ? 'no_signal' : 'live', why, formats: [format],
      })),
    });
    const send = () => {
      const { format, draw } = streams[stream];
      sequence += 1;
      if (!isPlaying || streams[stream].why) return;
      if (inFlight.size >= 2) return void (dropped += 1);
      inFlight.add(sequence);
      seen.mostInFlight = Math.max(seen.mostInFlight, inFlight.size);
      const header = Buffer.from([1, 1, configId, 32, ...Buffer.alloc(28)]);
      header.writeUInt32LE(dropped, 4);
      header.writeBigUInt64LE(BigInt(sequence), 8);
      header.writeBigUInt64LE(nowUs(), 16);
      header.writeBigUInt64LE(nowUs(), 24);
      socket.send(Buffer.concat([header, draw?.(sequence) ?? drawBars(format, sequence)]));
    };
    let timer = setInterval(send, 100);
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      seen.said.push(message);
      if (message.t === 'ping') say({ t: 'pong', c: message.c, s: Number(nowUs()) });
      else if (message.t === 'ack') inFlight.delete(message.seq);
      else if (message.t === 'pause') isPlaying = false;
      else if (message.t === 'play') isPlaying = true;
      else if (message.t === 'start') {
        stream = message.stream ?? 0;
        isPlaying = true;
        inFlight.clear();
        dropped = 0;
        say({ t: 'config', id: (configId = (configId + 1) % 256), stream, ...streams[stream].format });
        clearInterval(timer);
        timer = setInterval(send, 1000 / streams[stream].format.fps);
      }
    });
    socket.on('close', () => {
      clearInterval(timer);
      listeners.delete(say);
    });
  });

  await new Promise((resolve) => http.listen(port, '127.0.0.1', () => resolve(null)));
  const address = /** @type {import('node:net').AddressInfo} */ (http.address());
  return {
    url: `http://127.0.0.1:${address.port}`,
    port: address.port,
    seen,
    /** Tells every page. @param {object} message */
    say: (message) => listeners.forEach((say) => say(message)),
    /** Stops at once, as a server that dies. */
    async stop() {
      for (const socket of sockets.clients) socket.terminate();
      http.closeAllConnections();
      await new Promise((resolve) => http.close(resolve));
    },
  };
}

/**
 * The words of the subprotocol `eyelet.v1`: what the server says, what a client says, the 32 bytes before each frame.
 *
 * Belongs here: bytes and text in, values out, and back. Does not belong here: sockets, time, pictures.
 *
 * Every JSON message has a tag `t`. Unknown tags and unknown keys are ignored, so that both sides may grow.
 */

/** The WebSocket subprotocol that a client asks for; without it a server sends bare frames and no text. */
export const SUBPROTOCOL = 'eyelet.v1';

/** Flag of a frame that needs no earlier frame to be decoded. */
export const FLAG_KEY = 1;
/** Flag of a frame before which others were dropped for this viewer. */
export const FLAG_DISCONTINUITY = 2;

/** The value of the header's first byte for a frame; messages with another one are not for us. */
const TYPE_FRAME = 1;
/** Bytes of the header that this reader knows; a newer server may send more and says so in the header. */
const HEADER_BYTES = 32;
/** The longest canvas side that every browser in use can allocate; beyond it a picture would stay black. */
const MAX_SIDE_PX = 16384;

/**
 * @typedef {object} Format one way to see a stream
 * @property {string} format the decoder's name: `yuyv`, `jpeg`, …
 * @property {string} fourcc
 * @property {number} width in pixels
 * @property {number} height in pixels
 * @property {number} stride bytes from one row to the next, without padding; 0 where rows mean nothing
 * @property {number} fps frames in a second, 0 if unknown
 * @property {string} matrix `bt601`, `bt709`, `bt2020`; any other word means unknown
 * @property {string} range `limited` or `full`; any other word means unknown
 * @property {string} [codec] of `h264`, as WebCodecs names it: `avc1.42E01F`
 */
/** @typedef {number} StreamId */
/** @typedef {'live' | 'no_signal'} Signal any other word of a newer server means that there is no picture, too */
/**
 * @typedef {{id: StreamId, name: string, of?: StreamId, state: Signal, why?: string, formats: Format[]}} Stream
 *   `of` is the stream that it is made of; a camera's own has none
 */

/** @typedef {{t: 'hello', v: number, server: string, streams: Stream[]}} Hello */
/** @typedef {{t: 'config', id: number, stream: StreamId} & Format} Config */
/** @typedef {{t: 'state', stream: StreamId, state: Signal, why?: string}} State */
/** @typedef {{t: 'pong', c: number, s: number}} Pong */
/** @typedef {{t: 'error', code: string, message: string, stream?: StreamId}} ErrorMessage */
/** What a camera lets one set; see `Control` of the API. @typedef {{id: string} & Record<string, unknown>} Control */
/** @typedef {{t: 'controls', stream: StreamId, controls: Control[]}} Controls those that have changed */
/** @typedef {{t: 'viewers', count: number}} Viewers of the whole server */
/** @typedef {Hello | Config | State | Pong | ErrorMessage | Controls | Viewers} ServerMessage */

/**
 * @typedef {object} Frame
 * @property {number} flags `FLAG_KEY`, `FLAG_DISCONTINUITY`
 * @property {number} configId the `id` of the config message that describes it
 * @property {number} dropped frames that this viewer did not get since its `start`; wraps after 2^32
 * @property {bigint} sequence of the stream, always growing; its upper bits carry the owner's generation
 * @property {number} capturedUs when the camera took it, by the server's monotonic clock
 * @property {number} sentUs when the server sent it, by the same clock
 * @property {Uint8Array<ArrayBuffer>} payload a view of the message, not a copy
 */

/**
 * Reads a binary message.
 *
 * Layout, little endian: u8 type, u8 flags, u8 config id, u8 header length, u32 dropped, u64 sequence, u64 captured µs,
 * u64 sent µs. The payload starts where the header length says, so a longer header of a later version is skipped.
 *
 * @param {ArrayBuffer} buffer
 * @returns {Frame | null} null for what is no frame of ours
 */
export function readFrame(buffer) {
  if (buffer.byteLength < HEADER_BYTES) return null;
  const header = new DataView(buffer, 0, HEADER_BYTES);
  const headerBytes = header.getUint8(3);
  if (header.getUint8(0) !== TYPE_FRAME || headerBytes < HEADER_BYTES || headerBytes > buffer.byteLength) return null;
  return {
    flags: header.getUint8(1),
    configId: header.getUint8(2),
    dropped: header.getUint32(4, true),
    sequence: header.getBigUint64(8, true),
    // Microseconds stay exact in a double for 285 years of uptime.
    capturedUs: Number(header.getBigUint64(16, true)),
    sentUs: Number(header.getBigUint64(24, true)),
    payload: new Uint8Array(buffer, headerBytes),
  };
}

/**
 * Reads a text message.
 *
 * @param {string} text
 * @returns {ServerMessage | null} null for what we do not know or cannot use
 */
export function readMessage(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  if (value === null || typeof value !== 'object') return null;
  return isUsable(value) ? value : null;
}

/**
 * @param {any} value
 * @returns {value is ServerMessage}
 */
function isUsable(value) {
  switch (value.t) {
    case 'hello':
      return Array.isArray(value.streams) && value.streams.every(isStream);
    case 'config':
      return isId(value.stream) && Number.isInteger(value.id) && isSide(value.width) && isSide(value.height);
    case 'state':
      return isId(value.stream) && typeof value.state === 'string';
    case 'pong':
      return Number.isFinite(value.c) && Number.isFinite(value.s);
    case 'error':
      return typeof value.message === 'string';
    case 'controls':
      return isId(value.stream) && Array.isArray(value.controls) && value.controls.every(isControl);
    case 'viewers':
      return isId(value.count);
    default:
      return false;
  }
}

/** @param {any} value */
const isId = (value) => Number.isInteger(value) && value >= 0;
/** @param {any} value */
const isStream = (value) => value !== null && typeof value === 'object' && isId(value.id);
/** @param {any} value */
const isControl = (value) => value !== null && typeof value === 'object' && typeof value.id === 'string';
/** @param {any} value */
const isSide = (value) => Number.isInteger(value) && value > 0 && value <= MAX_SIDE_PX;

/**
 * Starts a stream beside those that are started, or anew with other wishes.
 *
 * @param {object} choice
 * @param {StreamId} [choice.stream] the first one without it
 * @param {string[]} [choice.formats] what the client can decode, best first
 * @param {number} [choice.window] frames in flight that the client will acknowledge
 * @param {number} [choice.maxfps]
 */
export const startMessage = (choice) => JSON.stringify({ t: 'start', ...choice });

/**
 * Says that this frame and those before it are done with: painted, or given up.
 *
 * @param {bigint} sequence written digit by digit, since a double holds 53 bits of it only
 * @param {StreamId} stream
 */
export const ackMessage = (sequence, stream) => `{"t":"ack","seq":${sequence},"stream":${stream}}`;

/** @param {number} clientUs comes back in the pong */
export const pingMessage = (clientUs) => JSON.stringify({ t: 'ping', c: clientUs });

/** Ends a stream. @param {StreamId} stream */
export const stopMessage = (stream) => JSON.stringify({ t: 'stop', stream });
/** Stops a stream's frames; the connection stays. @param {StreamId} stream */
export const pauseMessage = (stream) => JSON.stringify({ t: 'pause', stream });
/** Lets a stream's frames come again. @param {StreamId} stream */
export const playMessage = (stream) => JSON.stringify({ t: 'play', stream });
/** Wants a frame that can be decoded alone. @param {StreamId} stream */
export const keyMessage = (stream) => JSON.stringify({ t: 'key', stream });

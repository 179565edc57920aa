/** What a server says, for tests. */

/** @type {import('../core/protocol.js').Format} */
export const FORMAT = {
  format: 'yuyv',
  fourcc: 'YUYV',
  width: 4,
  height: 2,
  stride: 8,
  fps: 30,
  matrix: 'bt601',
  range: 'limited',
};

/** @param {Partial<import('../core/protocol.js').Stream>[]} streams */
export const hello = (...streams) => ({
  t: 'hello',
  v: 1,
  server: 'test',
  streams: (streams.length > 0 ? streams : [{}]).map((stream, id) => ({
    id,
    name: `camera ${id}`,
    state: 'live',
    formats: [FORMAT],
    ...stream,
  })),
});

/** @param {object} [changes] */
export const config = (changes) => ({ t: 'config', id: 1, stream: 0, ...FORMAT, ...changes });

/**
 * @param {{type?: number, flags?: number, configId?: number, headerBytes?: number, dropped?: number,
 *   sequence?: bigint, capturedUs?: bigint, sentUs?: bigint, payload?: Uint8Array}} [fields]
 * @returns {ArrayBuffer}
 */
export function frame(fields = {}) {
  const { headerBytes = 32, payload = new Uint8Array(16) } = fields;
  const bytes = new Uint8Array(Math.max(headerBytes, 32) + payload.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, fields.type ?? 1);
  view.setUint8(1, fields.flags ?? 1);
  view.setUint8(2, fields.configId ?? 1);
  view.setUint8(3, headerBytes);
  view.setUint32(4, fields.dropped ?? 0, true);
  view.setBigUint64(8, fields.sequence ?? 1n, true);
  view.setBigUint64(16, fields.capturedUs ?? 0n, true);
  view.setBigUint64(24, fields.sentUs ?? 0n, true);
  bytes.set(payload, Math.max(headerBytes, 32));
  return bytes.buffer;
}

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FLAG_DISCONTINUITY, FLAG_KEY, ackMessage, readFrame, readMessage, startMessage } from '../core/protocol.js';
import { config, frame, hello } from './messages.js';

test('the header is read byte by byte as it is laid down', () => {
  // Written by hand from the documentation, not by the helper, so that both cannot share a mistake.
  const bytes = Uint8Array.from([
    1, 3, 7, 32, 0x04, 0x03, 0x02, 0x01, // type, flags, config, header length, dropped
    0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01, // sequence
    0x40, 0x42, 0x0f, 0, 0, 0, 0, 0, // captured: 1 s
    0x80, 0x84, 0x1e, 0, 0x01, 0, 0, 0, // sent: 2 s + 2^32 µs
    9, 8, 7,
  ]);
  const { payload, ...header } = readFrame(bytes.buffer) ?? assert.fail('no frame');
  assert.deepEqual(header, {
    flags: FLAG_KEY | FLAG_DISCONTINUITY,
    configId: 7,
    dropped: 0x01020304,
    sequence: 0x0123456789abcdefn,
    capturedUs: 1_000_000,
    sentUs: 2_000_000 + 2 ** 32,
  });
  assert.deepEqual([...payload], [9, 8, 7]);
  assert.equal(payload.buffer, bytes.buffer, 'the payload is a view, not a copy');
});

test('a longer header of a later version is skipped', () => {
  const read = readFrame(frame({ headerBytes: 48, payload: Uint8Array.of(5, 6) }));
  assert.deepEqual([...(read?.payload ?? [])], [5, 6]);
});

test('an empty payload is a frame', () => {
  assert.equal(readFrame(frame({ payload: new Uint8Array(0) }))?.payload.length, 0);
});

test('what is no frame is ignored', () => {
  assert.equal(readFrame(new ArrayBuffer(0)), null);
  assert.equal(readFrame(frame().slice(0, 31)), null, 'shorter than a header');
  assert.equal(readFrame(frame({ type: 2 })), null, 'another type');
  assert.equal(readFrame(frame({ headerBytes: 31 })), null, 'a header shorter than its fields');
  assert.equal(readFrame(frame({ headerBytes: 255 }).slice(0, 254)), null, 'a header longer than the message');
});

test('known messages are read, with keys that we do not know', () => {
  for (const message of [
    hello(),
    config({ future: true }),
    { t: 'state', stream: 0, state: 'no_signal', why: 'unplugged' },
    { t: 'pong', c: 1, s: 2 },
    { t: 'error', code: 'format', message: 'no common format' },
  ]) {
    assert.deepEqual(readMessage(JSON.stringify(message)), message);
  }
});

test('what cannot be used is ignored', () => {
  for (const text of [
    '',
    '{',
    'null',
    '7',
    '[]',
    '{}',
    '{"t":"later"}',
    '{"t":"hello"}',
    '{"t":"hello","streams":[null]}',
    '{"t":"state","stream":0}',
    '{"t":"state","stream":"0","state":"live"}',
    '{"t":"pong","c":1}',
    '{"t":"error"}',
    '{"t":"viewers","count":-1}',
    '{"t":"controls","stream":0,"controls":[{}]}',
    JSON.stringify(config({ width: 0 })),
    JSON.stringify(config({ height: 1.5 })),
    JSON.stringify(config({ width: 100_000 })),
    JSON.stringify(config({ id: '1' })),
    JSON.stringify(config({ stream: null })),
  ]) {
    assert.equal(readMessage(text), null, text);
  }
});

test('a sequence beyond 53 bits is acknowledged digit by digit', () => {
  assert.equal(ackMessage(2n ** 53n + 1n, 3), '{"t":"ack","seq":9007199254740993,"stream":3}');
});

test('start leaves out what is not chosen', () => {
  assert.deepEqual(JSON.parse(startMessage({ stream: undefined, formats: ['jpeg'], window: 2 })), {
    t: 'start',
    formats: ['jpeg'],
    window: 2,
  });
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formats, LinkChoice } from '../core/choice.js';

const ALL = ['yuyv', 'nv12', 'jpeg', 'h264'];
const BAD = { received: 10, dropped: 20, wantedShare: 1, busyShare: 0.1, format: 'yuyv' };

test('near by it is raw first, over a network JPEG, and the raw ones last where the line is thin', () => {
  assert.deepEqual(formats('auto', ALL, new LinkChoice(true).lightest), ['yuyv', 'nv12', 'jpeg', 'h264']);
  assert.deepEqual(formats('auto', ALL, new LinkChoice(false).lightest), ['jpeg', 'h264', 'yuyv', 'nv12']);
  assert.deepEqual(formats('auto', ALL, 2)[0], 'h264');
  assert.deepEqual(formats('raw', ALL, 2), ['yuyv', 'nv12', 'jpeg', 'h264']);
  assert.deepEqual(formats('jpeg', ALL, 0), ['jpeg']);
});

test('three bad seconds in a row are needed', () => {
  const link = new LinkChoice(true);
  assert.equal(link.judge(BAD), false);
  assert.equal(link.judge(BAD), false);
  assert.equal(link.judge({ ...BAD, dropped: 0 }), false);
  assert.equal(link.judge(BAD), false);
  assert.equal(link.judge(BAD), false);
  assert.equal(link.judge(BAD), true);
  assert.equal(link.lightest, 1);
});

test('a viewer that is itself too slow is not helped by a lighter format', () => {
  const link = new LinkChoice(true);
  for (let i = 0; i < 9; i++) assert.equal(link.judge({ ...BAD, busyShare: 0.9 }), false);
});

test('below the lightest there is nothing', () => {
  const link = new LinkChoice(true);
  for (let i = 0; i < 9; i++) assert.equal(link.judge({ ...BAD, format: 'h264' }), false);
});

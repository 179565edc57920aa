import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Backoff } from '../core/backoff.js';

test('delays double from a quarter of a second to eight seconds', () => {
  const backoff = new Backoff(() => 0.5);
  const delays = Array.from({ length: 8 }, () => backoff.next());
  assert.deepEqual(delays, [250, 500, 1000, 2000, 4000, 8000, 8000, 8000]);
});

test('jitter is a quarter both ways and never above the cap', () => {
  const low = new Backoff(() => 0);
  const high = new Backoff(() => 0.999999);
  for (const nominal of [250, 500, 1000, 2000, 4000, 8000, 8000]) {
    assert.equal(low.next(), nominal * 0.75);
    const most = high.next();
    assert.ok(most > Math.min(nominal * 1.249, 7999) && most <= 8000, `${most} for ${nominal}`);
  }
});

test('after a reset it starts again', () => {
  const backoff = new Backoff(() => 0.5);
  backoff.next();
  backoff.next();
  backoff.reset();
  assert.equal(backoff.next(), 250);
});

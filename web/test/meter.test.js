import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Meter } from '../core/meter.js';

test('the rate is exact for even frames, and zero without any', () => {
  const meter = new Meter(2_000_000);
  assert.equal(meter.perSecond(0), 0);
  for (let i = 0; i <= 50; i++) meter.add(i * 40_000, 1000);
  assert.equal(meter.perSecond(2_000_000), 25);
  assert.equal(meter.sumPerSecond(2_000_000), 25_000);
});

test('the window forgets', () => {
  const meter = new Meter(1_000_000);
  meter.add(0, 1);
  meter.add(100_000, 2);
  meter.add(200_000, 300);
  assert.equal(meter.quantile(200_000, 0.5), 2);
  assert.equal(meter.quantile(1_150_000, 0.5), 300);
  assert.equal(meter.quantile(1_200_001, 0.5), null);
  assert.equal(meter.perSecond(1_200_001), 0);
});

test('a quantile is a value that was there', () => {
  const meter = new Meter(1_000_000);
  for (let i = 1; i <= 100; i++) meter.add(i, i);
  assert.equal(meter.quantile(100, 0.95), 96);
  assert.equal(meter.quantile(100, 1), 100);
});

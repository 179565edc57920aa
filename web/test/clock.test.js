import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ServerClock } from '../core/clock.js';

test('nothing is known before the first pong', () => {
  const clock = new ServerClock();
  assert.equal(clock.roundTripMs, null);
  assert.equal(clock.ageMs(0, 0), null);
});

test('the shortest round trip decides the offset', () => {
  const clock = new ServerClock();
  // The server is 1 s ahead. The slow answer spent 90 ms on its way back, and alone would be 40 ms wrong.
  clock.add(0, 1_010_000, 100_000);
  clock.add(200_000, 1_201_000, 202_000);
  assert.equal(clock.roundTripMs, 2);
  assert.equal(clock.ageMs(1_300_000, 320_000), 20);
});

test('a clock that steps back gives zero, not a negative age', () => {
  const clock = new ServerClock();
  clock.add(0, 500, 1000);
  assert.equal(clock.ageMs(5000, 4000), 0);
});

test('old samples are forgotten, so the offset follows a drifting clock', () => {
  const clock = new ServerClock();
  clock.add(0, 0, 0); // a perfect sample, long ago
  for (let i = 0; i < 16; i++) clock.add(0, 1_000_000, 10_000);
  assert.equal(clock.samples, 16);
  assert.equal(clock.roundTripMs, 10);
});

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { lines } from '../app/share.js';

test('every line has the address that the page was opened by', () => {
  for (const { title, text } of lines('http://cam.lan:9090/', null, 'Nest')) {
    assert.ok(text.includes('http://cam.lan:9090/'), title);
    assert.ok(!text.includes('stream='), title);
  }
});

test('of several cameras it is the one that is looked at, in names that each program takes', () => {
  const all = lines('https://cam.lan/', 'front door', 'front "door" <1>');
  const of = (/** @type {string} */ title) => all.find((line) => line.title.includes(title))?.text ?? assert.fail(title);
  assert.equal(of('Video'), 'https://cam.lan/-/stream.mjpg?stream=front+door');
  assert.match(of('Home Assistant'), /name: "front \\"door\\" <1>"/);
  assert.match(of('Mainsail'), /^\[webcam front-door-1-\]/);
  assert.match(of('On a page'), /<eyelet-view src="https:\/\/cam.lan\/" stream="front door" controls>/);
});

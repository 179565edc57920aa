/** The page at `/` of the real executable, with its test picture. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { BARS } from './bars.mjs';
import {
  assertColours, assertPicture, countFrames, launch, readBars, readMotion, screenshot, setHidden, until, untilState,
} from './browser.mjs';
import { startEyelet } from './eyelet.mjs';

const CANVAS = '#canvas';
const COLOURS = BARS.map(({ rgb }) => rgb);
/** Rounding to codes and back moves a full colour by up to two levels. */
const TOLERANCE = 2;

/** @type {Awaited<ReturnType<typeof launch>>} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** @param {string} [source] @param {string | number} [port] */
const run = (source = 'test:640x480@10', port = 0) =>
  startEyelet(['run', '--source', source, '--listen', `127.0.0.1:${port}`]);

for (const source of ['test:640x480@30', 'test:640x480@30?matrix=bt709']) {
  test(`the colour bars of ${source} are shown in their colours, and nothing complains`, async () => {
    const eyelet = await run(source);
    const { page, trouble } = await browser.open(eyelet.url);
    try {
      await untilState(page, 'live');
      assertColours(await readBars(page, CANVAS), COLOURS, TOLERANCE);
      assert.ok(await page.title(), 'the title is the name of the stream');
      assert.notEqual(await page.title(), 'Eyelet');
      await assertPicture(browser.context, await screenshot(page, source.includes('709') ? 'player-bt709' : 'player'));
      assert.deepEqual(trouble, []);
    } finally {
      await page.close();
      await eyelet.stop();
    }
  });
}

test('the picture moves', async () => {
  const eyelet = await run();
  const { page } = await browser.open(eyelet.url);
  try {
    await untilState(page, 'live');
    await page.keyboard.press('i');
    const drawn = () => page.locator('#drawn').textContent().then(Number);
    const first = await until('a frame to be counted', drawn, (count) => count > 0);
    const picture = await readMotion(page, CANVAS);
    await until('more frames', drawn, (count) => count >= first + 10);
    await until('other pixels', () => readMotion(page, CANVAS), (now) => now !== picture);
  } finally {
    await page.close();
    await eyelet.stop();
  }
});

test('the page says that the server is gone, and comes back with it', async () => {
  let eyelet = await run();
  const { page } = await browser.open(eyelet.url);
  try {
    await untilState(page, 'live');
    await eyelet.stop();
    await untilState(page, 'lost');
    assert.equal(await page.locator('#badge-text').textContent(), 'Lost');
    eyelet = await run('test:640x480@10', eyelet.port);
    await untilState(page, 'live');
    const picture = await readMotion(page, CANVAS);
    await until('a picture that moves again', () => readMotion(page, CANVAS), (now) => now !== picture);
  } finally {
    await page.close();
    await eyelet.stop();
  }
});

test('a hidden tab costs nothing, and continues when it is seen again', async () => {
  const eyelet = await run();
  const page = await browser.context.newPage();
  const count = countFrames(page);
  try {
    await page.goto(eyelet.url);
    await until('frames', () => count.frames, (frames) => frames > 5);
    await setHidden(page, true);
    await page.waitForTimeout(1000); // what was on its way arrives
    const before = count.frames;
    await page.waitForTimeout(2000); // twenty frames of the source
    assert.equal(count.frames, before);
    await setHidden(page, false);
    await until('frames again', () => count.frames, (frames) => frames > before + 5);
  } finally {
    await page.close();
    await eyelet.stop();
  }
});

test('keys: i for details, f for full screen, s for a snapshot', async () => {
  const eyelet = await run();
  const { page } = await browser.open(eyelet.url);
  try {
    await untilState(page, 'live');
    await page.keyboard.press('i');
    await until('the size', () => page.locator('#size').textContent(), (text) => text === '640 × 480');
    await page.keyboard.press('i');
    assert.equal(await page.locator('#readout').isVisible(), false);
    await page.keyboard.press('f');
    await until('full screen', () => page.evaluate(() => document.fullscreenElement !== null), Boolean);
    await page.keyboard.press('f');
    await until('the window', () => page.evaluate(() => document.fullscreenElement === null), Boolean);
    const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('s')]);
    const png = await readFile(await download.path());
    assert.equal(png.subarray(1, 4).toString(), 'PNG');
    await assertPicture(browser.context, png);
  } finally {
    await page.close();
    await eyelet.stop();
  }
});

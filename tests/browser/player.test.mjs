/** The page at `/` of the real executable, with its test picture. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { BARS } from './bars.mjs';
import {
  areNear, assertPicture, launch, readBars, readMotion, screenshot, setHidden, until, untilState,
} from './browser.mjs';
import { startEyelet } from './eyelet.mjs';

const VIEW = 'eyelet-view';
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
      // A machine that is too busy for raw frames is shown JPEG for a while.
      await until('its colours', () => readBars(page, VIEW), (bars) => areNear(bars, COLOURS, TOLERANCE));
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
    const drawn = () => page.locator('[data-name="drawn"]').textContent().then(Number);
    const first = await until('a frame to be counted', drawn, (count) => count > 0);
    const picture = await readMotion(page, VIEW);
    await until('more frames', drawn, (count) => count >= first + 10);
    await until('other pixels', () => readMotion(page, VIEW), (now) => now !== picture);
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
    const picture = await readMotion(page, VIEW);
    await until('a picture that moves again', () => readMotion(page, VIEW), (now) => now !== picture);
  } finally {
    await page.close();
    await eyelet.stop();
  }
});

test('a hidden tab costs nothing, and continues when it is seen again', async () => {
  const eyelet = await run();
  const { page } = await browser.open(eyelet.url);
  const sent = async () => (await (await fetch(`${eyelet.url}/-/api/status`)).json()).frames_sent;
  try {
    await until('frames', sent, (frames) => frames > 5);
    await setHidden(page, true);
    await page.waitForTimeout(1000); // what was on its way goes out
    const before = await sent();
    await page.waitForTimeout(2000); // twenty frames of the source
    assert.equal(await sent(), before);
    await setHidden(page, false);
    await until('frames again', sent, (frames) => frames > before + 5);
  } finally {
    await page.close();
    await eyelet.stop();
  }
});

test('the controls of the camera change its picture, and every page hears of it', async () => {
  const eyelet = await run();
  const { page, trouble } = await browser.open(eyelet.url);
  const { page: other } = await browser.open(eyelet.url);
  try {
    await untilState(page, 'live');
    await untilState(other, 'live');
    for (const opened of [page, other]) {
      await until('the button', () => opened.locator('#controls').isVisible(), Boolean);
      await opened.keyboard.press('c');
    }
    await page.getByLabel('Pattern').selectOption('Grey');
    const colours = () => readBars(page, VIEW);
    await until('a picture without colour', colours, (bars) => bars.every(([r, g, b]) => r === g && g === b));
    await until('the other page', () => other.getByLabel('Pattern').inputValue(), (value) => value === '2');
    await until('both are counted', () => other.locator('#viewers').textContent(), (said) => said === '2 viewers');
    await screenshot(page, 'player-controls');
    await other.getByRole('button', { name: 'Defaults' }).click();
    await until('colours', colours, (bars) => bars.some(([r, g]) => r !== g));
    assert.deepEqual(trouble, []);
  } finally {
    await page.close();
    await other.close();
    await eyelet.stop();
  }
});

test('H.264 is shown in its colours, each frame whole, and the page asks for it by hand', async (context) => {
  let eyelet;
  try {
    eyelet = await startEyelet(['run', '--source', 'test:640x480@30', '--stream', 'h264', '--listen', '127.0.0.1:0']);
  } catch (error) {
    if (!String(error).includes('--features')) throw error;
    return context.skip('this executable was built without the feature h264');
  }
  const { page, trouble } = await browser.open(eyelet.url);
  try {
    await untilState(page, 'live');
    await page.keyboard.press('o');
    await page.getByLabel('Format').selectOption('H.264');
    await page.keyboard.press('Escape');
    await page.keyboard.press('i');
    const format = () => page.locator('[data-name="format"]').textContent();
    await until('the codec', format, (said) => /^H264 avc1\.[0-9A-F]{6}$/.test(said ?? ''));
    await untilState(page, 'live');
    // Half-way between codes, and what an encoder at 1 Mbit/s leaves of a flat colour.
    await until('its colours', () => readBars(page, VIEW), (bars) => areNear(bars, COLOURS, 3));
    const sequences = await readSequences(page, 60);
    assert.equal(sequences.filter((sequence) => sequence === null).length, 0, `${sequences}`);
    assert.ok(sequences.every((sequence, i) => i === 0 || Number(sequence) > Number(sequences[i - 1])), `${sequences}`);
    const number = async (/** @type {string} */ name) =>
      Number.parseFloat((await page.locator(`[data-name="${name}"]`).textContent()) ?? '');
    assert.equal(await number('skipped'), 0);
    assert.ok((await number('data')) < 1.5, `${await number('data')} Mbit/s`);
    await page.keyboard.press('i');
    await assertPicture(browser.context, await screenshot(page, 'player-h264'));
    assert.deepEqual(trouble, []);
  } finally {
    await page.close();
    await eyelet.stop();
  }
});

/**
 * The numbers that the test picture has in its first row, of so many different pictures; null for one that is damaged.
 *
 * @param {import('playwright-core').Page} page
 * @param {number} count
 * @returns {Promise<(number | null)[]>}
 */
const readSequences = (page, count) =>
  page.evaluate(async (count) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector('eyelet-view')?.shadowRoot?.querySelector('canvas'));
    const context = new OffscreenCanvas(64, 1).getContext('2d', { willReadFrequently: true });
    /** @type {(number | null)[]} */
    const all = [];
    let last = -1;
    while (all.length < count) {
      await new Promise(requestAnimationFrame);
      context?.drawImage(canvas, 0, 0, 64, 1, 0, 0, 64, 1);
      const data = context?.getImageData(0, 0, 64, 1).data ?? [];
      const bits = Array.from({ length: 64 }, (_, bit) => Number(data[bit * 4 + 1] > 127));
      const sequence = bits.slice(0, 48).reduce((value, bit) => value * 2 + bit, 0);
      // CRC-16/CCITT-FALSE over the 48 bits.
      const sum = bits.slice(0, 48).reduce((crc, bit) => ((crc >> 15) ^ bit ? (crc << 1) ^ 0x1021 : crc << 1) & 0xffff, 0xffff);
      const isWhole = sum === bits.slice(48).reduce((value, bit) => value * 2 + bit, 0);
      if (sequence === last && isWhole) continue;
      all.push(isWhole ? sequence : null);
      last = sequence;
    }
    return all;
  }, count);

test('keys: i for details, f for full screen, s for a snapshot', async () => {
  const eyelet = await run();
  const { page } = await browser.open(eyelet.url);
  try {
    await untilState(page, 'live');
    await page.keyboard.press('i');
    await until('the size', () => page.locator('[data-name="size"]').textContent(), (text) => text === '640 × 480');
    await page.keyboard.press('i');
    assert.equal(await page.locator('.statistics').isVisible(), false);
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

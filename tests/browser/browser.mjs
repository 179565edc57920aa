/** Chromium for the tests: found on the machine, never downloaded, with a new profile each time. */
import assert from 'node:assert/strict';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { BARS } from './bars.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('./bars.mjs').Triple} Triple */

/** Everything waits on a condition with this deadline; a loaded machine may need most of it. */
const DEADLINE_MS = 30_000;

const FLAGS = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update',
];

/** Where screenshots go, for people to look at. */
const ARTEFACTS = process.env.EYELET_ARTEFACTS ?? fileURLToPath(new URL('artefacts/', import.meta.url));

function findChromium() {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable']) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // not here
      }
    }
  }
  throw new Error('no Chromium on PATH: install the package `chromium`');
}

/** @param {import('playwright-core').BrowserContextOptions} [options] */
export async function launch(options = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'eyelet-browser-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: findChromium(), headless: true, args: FLAGS, viewport: { width: 1280, height: 800 }, ...options,
  });
  return {
    context,
    /** A page, and what went wrong on it. */
    async open(/** @type {string} */ url) {
      const page = await context.newPage();
      const trouble = watchTrouble(page);
      await page.goto(url);
      return { page, trouble };
    },
    async close() {
      await context.close();
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
}

/**
 * Collects errors of the console, of scripts and of the content security policy.
 *
 * @param {Page} page
 * @returns {string[]}
 */
function watchTrouble(page) {
  /** @type {string[]} */
  const trouble = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') trouble.push(message.text());
  });
  page.on('pageerror', (error) => trouble.push(String(error)));
  return trouble;
}

/**
 * Asks until the answer is right.
 *
 * @template T
 * @param {string} what
 * @param {() => T | Promise<T>} ask
 * @param {(answer: T) => boolean} isRight
 * @returns {Promise<T>}
 */
export async function until(what, ask, isRight) {
  const deadline = Date.now() + DEADLINE_MS;
  for (;;) {
    const answer = await ask();
    if (isRight(answer)) return answer;
    if (Date.now() > deadline) assert.fail(`waited for ${what}, last was ${JSON.stringify(answer)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until the page is connecting, live, no_signal or lost. @param {Page} page @param {string} state */
export const untilState = (page, state) =>
  until(`state ${state}`, () => page.evaluate(() => document.body.dataset.state), (got) => got === state);

/**
 * Reads pixels of a canvas at places given as shares of its width and height.
 *
 * @param {Page} page
 * @param {string} selector
 * @param {[number, number][]} places
 * @returns {Promise<Triple[]>}
 */
export const readPixels = (page, selector, places) =>
  page.evaluate(
    ([selector, places]) => {
      const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector(selector));
      const copy = new OffscreenCanvas(canvas.width, canvas.height);
      const context = copy.getContext('2d', { willReadFrequently: true });
      context?.drawImage(canvas, 0, 0);
      return places.map(([x, y]) => {
        const pixel = context?.getImageData(Math.floor(x * canvas.width), Math.floor(y * canvas.height), 1, 1);
        return /** @type {Triple} */ ([...(pixel?.data ?? [])].slice(0, 3));
      });
    },
    /** @type {[string, [number, number][]]} */ ([selector, places]),
  );

/** The middle of each bar, between the rows that carry the stamp (every eighth). @param {Page} page @param {string} selector */
export const readBars = (page, selector) =>
  readPixels(page, selector, Array.from({ length: 8 }, (_, i) => [(i + 0.5) / 8, 0.344]));

/**
 * Sums up the lower third, where the test picture moves: another value is another picture.
 *
 * @param {Page} page
 * @param {string} selector
 * @returns {Promise<number>}
 */
export const readMotion = (page, selector) =>
  page.evaluate((selector) => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector(selector));
    const top = Math.ceil((canvas.height * 2) / 3);
    const copy = new OffscreenCanvas(canvas.width, canvas.height - top);
    const context = copy.getContext('2d', { willReadFrequently: true });
    context?.drawImage(canvas, 0, -top);
    const data = context?.getImageData(0, 0, copy.width, copy.height).data ?? [];
    let sum = 0;
    for (let i = 0; i < data.length; i++) sum = (Math.imul(sum, 31) + data[i]) | 0;
    return sum;
  }, selector);

/**
 * @param {Triple[]} got
 * @param {Triple[]} want
 * @param {number} tolerance levels of 255
 */
export function assertColours(got, want, tolerance) {
  want.forEach((rgb, i) => {
    const isNear = rgb.every((level, c) => Math.abs(level - got[i][c]) <= tolerance);
    assert.ok(isNear, `bar ${i}: got ${got[i]}, want ${rgb} within ${tolerance}`);
  });
}

/**
 * Saves what the page looks like when its transitions are done.
 *
 * @param {Page} page
 * @param {string} name
 * @returns {Promise<Buffer>}
 */
export function screenshot(page, name) {
  mkdirSync(ARTEFACTS, { recursive: true });
  return page.screenshot({ path: join(ARTEFACTS, `${name}.png`), animations: 'disabled' });
}

/** Makes the page believe that its tab is hidden, or seen again. @param {Page} page @param {boolean} isHidden */
export const setHidden = (page, isHidden) =>
  page.evaluate((isHidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
    const state = isHidden ? 'hidden' : 'visible';
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);

/** Counts the binary messages that the page's sockets receive from now on; before `goto` for all. @param {Page} page */
export function countFrames(page) {
  const count = { frames: 0 };
  page.on('websocket', (socket) => {
    socket.on('framereceived', ({ payload }) => {
      if (typeof payload !== 'string') count.frames += 1;
    });
  });
  return count;
}

/**
 * Asserts that an image is a picture and not an empty page: all the colours of the bars are in it, each often.
 *
 * @param {import('playwright-core').BrowserContext} context
 * @param {Buffer} png
 */
export async function assertPicture(context, png) {
  const page = await context.newPage();
  try {
    const counts = await page.evaluate(async ([base64, colours]) => {
      const image = new Image();
      image.src = `data:image/png;base64,${base64}`;
      await image.decode();
      const canvas = new OffscreenCanvas(image.width, image.height);
      const drawing = canvas.getContext('2d');
      drawing?.drawImage(image, 0, 0);
      const data = drawing?.getImageData(0, 0, image.width, image.height).data ?? [];
      const found = colours.map(() => 0);
      for (let i = 0; i < data.length; i += 4) {
        found.forEach((_, c) => {
          if (colours[c].every((level, k) => Math.abs(level - data[i + k]) <= 3)) found[c] += 1;
        });
      }
      return found.map((count) => count / (data.length / 4));
    }, /** @type {[string, Triple[]]} */ ([png.toString('base64'), BARS.map(({ rgb }) => rgb)]));
    counts.forEach((share, i) => assert.ok(share > 0.02, `${BARS[i].name} fills ${share} of the image`));
  } finally {
    await page.close();
  }
}

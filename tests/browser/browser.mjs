/** Chromium for the tests: found on the machine, never downloaded, with a new profile each time. */
import assert from 'node:assert/strict';
import { accessSync, constants, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';
import { BARS } from './bars.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** A page of Chromium or of Firefox. @typedef {Page | import('./firefox.mjs').FirefoxPage} AnyPage */
/** @typedef {import('./bars.mjs').Triple} Triple */

/** Everything waits on a condition with this deadline; a loaded machine may need most of it. */
const DEADLINE_MS = 30_000;

/** How every browser is started. */
export const FLAGS = [
  '--headless=new', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
  '--disable-background-networking', '--disable-component-update',
];

/** Where screenshots go, for people to look at. */
const ARTEFACTS = process.env.EYELET_ARTEFACTS ?? fileURLToPath(new URL('artefacts/', import.meta.url));

export function findChromium() {
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

/** Waits until the page is connecting, live, no_signal, lost or refused. @param {AnyPage} page @param {string} state */
export const untilState = (page, state) =>
  until(`state ${state}`, () => page.evaluate(() => document.body.dataset.state), (got) => got === state);

/**
 * Reads pixels of a canvas, or of that in an `<eyelet-view>`, at places given as shares of its width and height.
 *
 * @param {AnyPage} page
 * @param {string} selector
 * @param {[number, number][]} places
 * @returns {Promise<Triple[]>}
 */
export const readPixels = (page, selector, places) =>
  page.evaluate(
    ([selector, places]) => {
      const host = document.querySelector(selector);
      const canvas = /** @type {HTMLCanvasElement} */ (host?.shadowRoot?.querySelector('canvas') ?? host);
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

/**
 * The middle of each bar, between the rows that carry the stamp (every eighth).
 *
 * What a worker paints is seen by the page a little later, so that a black canvas is looked at again.
 *
 * @param {AnyPage} page
 * @param {string} selector
 */
export const readBars = (page, selector) =>
  until(
    'a picture',
    () => readPixels(page, selector, Array.from({ length: 8 }, (_, i) => [(i + 0.5) / 8, 0.344])),
    (bars) => bars.flat().some((level) => level > 0),
  );

/**
 * Sums up the lower third, where the test picture moves: another value is another picture.
 *
 * @param {AnyPage} page
 * @param {string} selector
 * @returns {Promise<number>}
 */
export const readMotion = (page, selector) =>
  page.evaluate((selector) => {
    const host = document.querySelector(selector);
    const canvas = /** @type {HTMLCanvasElement} */ (host?.shadowRoot?.querySelector('canvas') ?? host);
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
    assert.ok(areNear([got[i]], [rgb], tolerance), `bar ${i}: got ${got[i]}, want ${rgb} within ${tolerance}`);
  });
}

/** @param {Triple[]} got @param {Triple[]} want @param {number} tolerance levels of 255 */
export const areNear = (got, want, tolerance) =>
  want.every((rgb, i) => rgb.every((level, c) => Math.abs(level - got[i][c]) <= tolerance));

/**
 * Saves what the page looks like when its transitions are done.
 *
 * @param {Page} page
 * @param {string} name
 * @returns {Promise<Buffer>}
 */
export async function screenshot(page, name) {
  const png = await page.screenshot({ animations: 'disabled' });
  keepPicture(name, png);
  return png;
}

/** Saves a picture for people to look at. @param {string} name @param {Buffer} png */
export function keepPicture(name, png) {
  mkdirSync(ARTEFACTS, { recursive: true });
  writeFileSync(join(ARTEFACTS, `${name}.png`), png);
}

/** Makes the page believe that its tab is hidden, or seen again. @param {Page} page @param {boolean} isHidden */
export const setHidden = (page, isHidden) =>
  page.evaluate((isHidden) => {
    Object.defineProperty(document, 'hidden', { configurable: true, get: () => isHidden });
    const state = isHidden ? 'hidden' : 'visible';
    Object.defineProperty(document, 'visibilityState', { configurable: true, get: () => state });
    document.dispatchEvent(new Event('visibilitychange'));
  }, isHidden);

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

/** `/-/stream.mjpg` in an `<img>`, as OctoPrint and many a page have it: which picture it shows when no other follows. */
import assert from 'node:assert/strict';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, until } from './browser.mjs';
import { startEyelet } from './eyelet.mjs';

/** @typedef {import('playwright-core').Page} Page */

/** In this order, one frame each. */
const COLOURS = ['red', 'lime', 'blue', 'white', 'black'];
const NOTHING = 'nothing';

/** @type {Awaited<ReturnType<typeof launch>>} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

test('with advance=1 an <img> shows a picture when it has come, else only when the next one comes', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'eyelet-image-'));
  const clip = join(folder, 'clip.mjpeg');
  writeFileSync(clip, '');
  // A frame comes when the test appends one, and not before.
  const eyelet = await startEyelet([
    'run', '--source', `exec:tail -c +1 -f ${clip}?format=jpeg`, '--listen', '127.0.0.1:0',
    '--runtime-dir', join(folder, 'run'),
  ]);
  // A page of the same origin, as pixels of another's picture cannot be read; it may load what it likes.
  const blank = `${eyelet.url}/blank`;
  await browser.context.route(blank, (route) => route.fulfill({ contentType: 'text/html', body: '<!doctype html>' }));
  const { page } = await browser.open(blank);
  const status = async () => (await fetch(`${eyelet.url}/-/api/status`)).json();
  try {
    const pictures = await makePictures(page);
    await showImages(page, { plain: '/-/stream.mjpg', advanced: '/-/stream.mjpg?advance=1' });
    await until('both to watch', async () => (await status()).viewers, (viewers) => viewers === 2);
    for (const [number, colour] of COLOURS.entries()) {
      appendFileSync(clip, pictures[number]);
      await until('the picture at once', () => shown(page, 'advanced'), (got) => got === colour);
      const before = COLOURS[number - 1] ?? NOTHING;
      await until('the picture before', () => shown(page, 'plain'), (got) => got === before);
      // Both have been sent it long since, and no other: waiting brings nothing.
      await until('two of each', async () => (await status()).frames_sent, (sent) => sent === 2 * (number + 1));
      await page.evaluate(async () => {
        for (let i = 0; i < 30; i++) await new Promise(requestAnimationFrame);
      });
      assert.deepEqual([await shown(page, 'advanced'), await shown(page, 'plain')], [colour, before]);
    }
  } finally {
    await page.close();
    await eyelet.stop();
    rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
  }
});

/** A JPEG of each colour; the browser makes them, so that no encoder is needed. @param {Page} page */
async function makePictures(page) {
  const pictures = await page.evaluate(async (colours) => {
    const canvas = new OffscreenCanvas(64, 48);
    const drawing = canvas.getContext('2d');
    const jpegs = [];
    for (const colour of colours) {
      if (drawing) drawing.fillStyle = colour;
      drawing?.fillRect(0, 0, canvas.width, canvas.height);
      const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.95 });
      jpegs.push([...new Uint8Array(await blob.arrayBuffer())]);
    }
    return jpegs;
  }, COLOURS);
  return pictures.map((bytes) => Buffer.from(bytes));
}

/** @param {Page} page @param {Record<string, string>} sources by id */
const showImages = (page, sources) =>
  page.evaluate((sources) => {
    for (const [id, src] of Object.entries(sources)) document.body.append(Object.assign(new Image(), { id, src }));
  }, sources);

/** The colour that an image shows, by name. @param {Page} page @param {string} id */
const shown = (page, id) =>
  page.evaluate(
    ([id, colours, nothing]) => {
      const image = /** @type {HTMLImageElement} */ (document.getElementById(id));
      if (image.naturalWidth === 0) return nothing;
      const drawing = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
      if (!drawing) return 'no canvas';
      const pixelOf = (/** @type {() => void} */ draw) => {
        drawing.clearRect(0, 0, 1, 1);
        draw();
        return [...drawing.getImageData(0, 0, 1, 1).data];
      };
      const got = pixelOf(() => drawing.drawImage(image, 0, 0, 1, 1));
      const isNear = (/** @type {string} */ colour) => {
        const want = pixelOf(() => {
          drawing.fillStyle = colour;
          drawing.fillRect(0, 0, 1, 1);
        });
        return want.every((level, i) => Math.abs(level - got[i]) <= 8);
      };
      return colours.find(isNear) ?? `rgba(${got})`;
    },
    /** @type {[string, string[], string]} */ ([id, COLOURS, NOTHING]),
  );

/**
 * The experiment that this began with: its script and its page, unchanged, on the real executable.
 *
 * `EYELET_ARTICLE` names the folder that has the article's `eyetoy.pl` and `eyetoy.html`, which are not ours to
 * publish. The same test always runs with our own example in their spirit.
 */
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { BARS, articleColours, codesOf } from './bars.mjs';
import { assertColours, launch, readBars, readMotion, screenshot, until } from './browser.mjs';
import { startEyelet } from './eyelet.mjs';

const CANVAS = '#mystream';
const EXAMPLE = fileURLToPath(new URL('../../examples/perl/', import.meta.url));
const ARTICLE = process.env.EYELET_ARTICLE;
/** The command of the article, with the test picture for its camera; five frames a second, as each is copied to us. */
const COMMAND = [
  '--plugin', 'capture', '--v4l-capture', 'test:640x480@5', '--http-socket', '127.0.0.1:0', '--psgi', 'eyetoy.pl',
  '--mule', 'captureloop()',
];

/** @type {Awaited<ReturnType<typeof launch>>} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/** What the article's page makes of the bars, to the level: its formula decides, mistakes included. */
const AS_THE_ARTICLE = { colours: BARS.map(({ rgb }) => articleColours(codesOf(rgb, 'bt601'))), tolerance: 0, goodbye: 'goodbye' };
/** What they are. */
const AS_THEY_ARE = { colours: BARS.map(({ rgb }) => rgb), tolerance: 2, goodbye: '' };

/** @param {string} folder @param {string} name @param {typeof AS_THEY_ARE} expected */
async function watchEyetoy(folder, name, expected) {
  for (const file of ['eyetoy.pl', 'eyetoy.html']) assert.ok(existsSync(join(folder, file)), `no ${file} in ${folder}`);
  const eyelet = await startEyelet(COMMAND, { cwd: folder });
  const page = await browser.context.newPage();
  /** @type {string[]} */
  const alerts = [];
  page.on('dialog', (dialog) => {
    alerts.push(dialog.message());
    void dialog.dismiss().catch(() => {}); // the page may be gone
  });
  let isStopped = false;
  try {
    await page.goto(eyelet.url);
    await until('a picture', () => readBars(page, CANVAS), ([white]) => white[0] > 200);
    assertColours(await readBars(page, CANVAS), expected.colours, expected.tolerance);
    await screenshot(page, name);
    const picture = await readMotion(page, CANVAS);
    await until('a picture that moves', () => readMotion(page, CANVAS), (now) => now !== picture);
    assert.equal(alerts.length, 0, `the page complains: ${alerts}`);
    isStopped = true;
    await eyelet.stop();
    if (expected.goodbye) {
      await until('the page to say goodbye', () => alerts, (said) => said.includes(expected.goodbye));
    } else {
      await until('the page to say that it has ended', () => page.locator('body').innerText(), (text) => text.includes('has ended'));
    }
  } finally {
    await page.close();
    if (!isStopped) await eyelet.stop();
  }
}

test('the article: its script and its page, unchanged', {
  skip: ARTICLE ? false : "EYELET_ARTICLE is not set: it names the folder of the article's eyetoy.pl and eyetoy.html",
}, () => watchEyetoy(resolve(ARTICLE ?? ''), 'article', AS_THE_ARTICLE));

test('the example examples/perl/eyetoy.pl', () => watchEyetoy(EXAMPLE, 'example-eyetoy', AS_THEY_ARE));

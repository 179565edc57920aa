/** The page against a server that a test holds in its hands: what the real one cannot be made to do at will. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BARS } from './bars.mjs';
import {
  assertColours, assertPicture, launch, readBars, readMotion, screenshot, setHidden, until, untilState,
} from './browser.mjs';
import { makeFormat, startFakeServer } from './fake-server.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {Awaited<ReturnType<typeof startFakeServer>>} FakeServer */

const CANVAS = '#canvas';
const COLOURS = BARS.map(({ rgb }) => rgb);

/** @type {Awaited<ReturnType<typeof launch>>} */
let browser;
before(async () => {
  browser = await launch();
});
after(() => browser?.close());

/**
 * A server, a page on it, and both closed again.
 *
 * @param {string} name
 * @param {import('./fake-server.mjs').FakeStream[] | undefined} streams
 * @param {(page: Page, server: FakeServer, trouble: string[]) => Promise<void>} body
 */
const onPage = (name, streams, body) =>
  test(name, async () => {
    const server = await startFakeServer(streams);
    const { page, trouble } = await browser.open(server.url);
    try {
      await body(page, server, trouble);
    } finally {
      await page.close();
      await server.stop();
    }
  });

/** @param {Page} page @param {string} id */
const text = (page, id) => page.locator(`#${id}`).textContent();

for (const [fourcc, changes] of Object.entries({
  YUYV: { format: 'yuyv' },
  'YUYV of BT.709': { format: 'yuyv', matrix: 'bt709' },
  UYVY: { format: 'uyvy' },
  NV12: { format: 'nv12' },
  RGB3: { format: 'rgb24', range: 'full' },
})) {
  const streams = [{ name: 'Bars', format: makeFormat(changes) }];
  onPage(`${fourcc} is shown in its colours`, streams, async (page, _, trouble) => {
    await untilState(page, 'live');
    assertColours(await readBars(page, CANVAS), COLOURS, 2);
    assert.deepEqual(trouble, []);
  });
}

test('JPEG is shown, and a broken one between does no harm', async () => {
  const jpeg = await makeJpeg();
  const broken = jpeg.subarray(0, 20);
  const format = makeFormat({ format: 'jpeg', fourcc: 'JPEG', range: 'full' });
  const server = await startFakeServer([{ name: 'JPEG', format, draw: (n) => (n % 3 === 0 ? broken : jpeg) }]);
  const { page, trouble } = await browser.open(server.url);
  try {
    await untilState(page, 'live');
    await page.keyboard.press('i');
    const corrupt = () => text(page, 'dropped').then((said) => Number(/(\d+) corrupt/.exec(said ?? '')?.[1] ?? 0));
    await until('broken pictures to be counted', corrupt, (count) => count >= 3);
    assertColours(await readBars(page, CANVAS), COLOURS, 4);
    assert.deepEqual(trouble, []);
  } finally {
    await page.close();
    await server.stop();
  }
});

/** The browser makes one itself, so that no encoder is needed. */
async function makeJpeg() {
  const page = await browser.context.newPage();
  const bytes = await page.evaluate(async (colours) => {
    const canvas = new OffscreenCanvas(640, 480);
    const drawing = canvas.getContext('2d');
    colours.forEach((rgb, i) => {
      if (drawing) drawing.fillStyle = `rgb(${rgb})`;
      drawing?.fillRect(i * 80, 0, 80, 480);
    });
    const blob = await canvas.convertToBlob({ type: 'image/jpeg', quality: 0.95 });
    return [...new Uint8Array(await blob.arrayBuffer())];
  }, COLOURS);
  await page.close();
  return Buffer.from(bytes);
}

onPage('the picture moves, and the numbers are right', undefined, async (page) => {
  await untilState(page, 'live');
  await page.keyboard.press('i');
  const picture = await readMotion(page, CANVAS);
  await until('other pixels', () => readMotion(page, CANVAS), (now) => now !== picture);
  await until('frames', () => text(page, 'drawn'), (count) => Number(count) > 15);
  assert.equal(await text(page, 'size'), '640 × 480');
  assert.equal(await text(page, 'format'), 'YUYV');
  assert.match((await text(page, 'fps')) ?? '', /^\d+\.\d fps$/);
  await until('a latency', () => text(page, 'latency'), (said) => /^\d+(\.\d)? ms$/.test(said ?? ''));
  assert.equal(await page.title(), 'Workshop');
  assert.equal(await page.locator(CANVAS).getAttribute('aria-label'), 'Camera picture: Workshop');
  await assertPicture(browser.context, await screenshot(page, 'page'));
});

onPage('a lost signal greys the picture and says why, until it is back', undefined, async (page, server) => {
  await untilState(page, 'live');
  server.say({ t: 'state', stream: 0, state: 'no_signal', why: '`/dev/video0` was unplugged' });
  await untilState(page, 'no_signal');
  assert.equal(await text(page, 'what'), 'No signal');
  assert.equal(await text(page, 'why'), '/dev/video0 was unplugged.');
  await until('a grey picture', () => page.locator(CANVAS).evaluate((canvas) => getComputedStyle(canvas).filter),
    (filter) => filter.includes('grayscale(1)'));
  await screenshot(page, 'page-no-signal');
  server.say({ t: 'state', stream: 0, state: 'live' });
  await untilState(page, 'live');
});

test('the page says that the server is gone, and comes back with it', async () => {
  let server = await startFakeServer();
  const { page } = await browser.open(server.url);
  try {
    await untilState(page, 'live');
    await server.stop();
    await untilState(page, 'lost');
    await screenshot(page, 'page-lost');
    server = await startFakeServer(undefined, server.port);
    await untilState(page, 'live');
    const picture = await readMotion(page, CANVAS);
    await until('a picture that moves again', () => readMotion(page, CANVAS), (now) => now !== picture);
  } finally {
    await page.close();
    await server.stop();
  }
});

onPage('a hidden tab costs nothing', undefined, async (page, server) => {
  await untilState(page, 'live');
  await setHidden(page, true);
  await until('pause', () => server.seen.said.some(({ t }) => t === 'pause'), Boolean);
  await page.waitForTimeout(500); // what was on its way arrives
  const said = server.seen.said.length;
  await page.waitForTimeout(2000); // twenty frames, two pings
  assert.equal(server.seen.said.length, said, 'neither frames, which would be acknowledged, nor pings');
  await setHidden(page, false);
  await until('frames again', () => server.seen.said.length, (count) => count > said + 5);
});

onPage('a page that is busy gets the newest frames and never more than two ahead', undefined, async (page, server) => {
  await untilState(page, 'live');
  await page.keyboard.press('i');
  await page.evaluate(() => {
    setInterval(() => {
      const until = performance.now() + 400;
      while (performance.now() < until);
    }, 410);
  });
  await until('dropped frames', () => text(page, 'dropped'), (count) => Number(count) > 3);
  assert.ok(server.seen.mostInFlight <= 2, `${server.seen.mostInFlight} in flight`);
});

const TWO = [
  { name: 'Workshop', format: makeFormat() },
  { name: 'Front door', format: makeFormat({ format: 'grey', fourcc: 'GREY', width: 320, height: 240 }) },
];

onPage('several streams can be chosen, and the choice outlives a reload', TWO, async (page, server, trouble) => {
  await untilState(page, 'live');
  assert.equal(await page.locator('#picker').isVisible(), true);
  await page.getByLabel('Stream').selectOption('Front door');
  await untilState(page, 'live');
  const width = () => page.locator(CANVAS).evaluate((canvas) => /** @type {HTMLCanvasElement} */ (canvas).width);
  await until('the other picture', width, (px) => px === 320);
  assert.equal(await page.title(), 'Front door');
  await page.reload();
  await until('the other picture again', width, (px) => px === 320);
  assert.deepEqual(server.seen.said.filter(({ t }) => t === 'start').map(({ stream }) => stream), [0, 1, 1]);
  assert.match((await page.locator('#snapshot').getAttribute('href')) ?? '', /\/-\/snapshot\.png\?stream=1$/);
  assert.deepEqual(trouble, []);
});

onPage('one stream needs no choice', undefined, async (page) => {
  await untilState(page, 'live');
  assert.equal(await page.locator('#picker').isVisible(), false);
});

onPage('keys and buttons do the same', undefined, async (page) => {
  await untilState(page, 'live');
  const isShown = () => page.locator('#readout').isVisible();
  await page.keyboard.press('i');
  assert.equal(await isShown(), true);
  await page.getByRole('button', { name: 'Details' }).click();
  assert.equal(await isShown(), false);
  await page.keyboard.press('Control+i');
  assert.equal(await isShown(), false, 'keys of the browser stay its own');
  const isFull = () => page.evaluate(() => document.fullscreenElement !== null);
  await page.keyboard.press('f');
  await until('full screen', isFull, Boolean);
  await page.getByRole('button', { name: 'Full screen' }).click();
  await until('the window', isFull, (full) => !full);
});

onPage('a snapshot has the name of its stream', [{ name: 'Café: door 2', format: makeFormat() }], async (page) => {
  await untilState(page, 'live');
  await page.route('**/-/snapshot.png', (route) => route.fulfill({ contentType: 'image/png', body: 'not looked at' }));
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('s')]);
  assert.equal(download.suggestedFilename(), 'Café-door-2.png');
  assert.equal(new URL(download.url()).pathname, '/-/snapshot.png');
});

/** @type {[string, number, number][]} */
const SCREENS = [['phone', 390, 844], ['phone-across', 844, 390], ['small', 320, 568]];

for (const [name, width, height] of SCREENS) {
  onPage(`on a screen of ${width}x${height} everything is within reach`, undefined, async (page) => {
    await page.setViewportSize({ width, height });
    await untilState(page, 'live');
    await page.keyboard.press('i');
    await screenshot(page, `page-${name}`);
    const overflow = () => page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
    assert.equal(await overflow(), 0);
    for (const id of ['canvas', 'badge', 'info', 'snapshot', 'full', 'readout']) {
      const box = await page.locator(`#${id}`).boundingBox();
      assert.ok(box && box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, id);
    }
  });
}

/** The page against a server that a test holds in its hands: what the real one cannot be made to do at will. */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { after, before, test } from 'node:test';
import { BARS } from './bars.mjs';
import {
  assertColours, assertPicture, launch, readBars, readMotion, screenshot, setHidden, until, untilState,
} from './browser.mjs';
import { makeControls, makeFormat, startFakeServer } from './fake-server.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {Awaited<ReturnType<typeof startFakeServer>>} FakeServer */

const VIEW = 'eyelet-view';
const COLOURS = BARS.map(({ rgb }) => rgb);
const AXE = createRequire(import.meta.url).resolve('axe-core/axe.min.js');

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
 * @param {import('./fake-server.mjs').Options & {query?: string}} [options]
 */
const onPage = (name, streams, body, { query = '', ...options } = {}) =>
  test(name, async () => {
    const server = await startFakeServer(streams, options);
    const { page, trouble } = await browser.open(server.url + query);
    try {
      await body(page, server, trouble);
    } finally {
      await page.close();
      await server.stop();
    }
  });

/** A number of the details. @param {Page} page @param {string} name */
const detail = (page, name) => page.locator(`[data-name="${name}"]`).textContent();
/** An attribute of the first picture. @param {Page} page @param {string} name */
const attribute = (page, name) => page.locator(VIEW).first().getAttribute(name);

for (const [fourcc, changes] of Object.entries({
  YUYV: { format: 'yuyv' },
  'YUYV of BT.709': { format: 'yuyv', matrix: 'bt709' },
  UYVY: { format: 'uyvy' },
  NV12: { format: 'nv12' },
  RGB3: { format: 'rgb24', range: 'full' },
  RGBA: { format: 'rgba', range: 'full' },
})) {
  const streams = [{ name: 'Bars', format: makeFormat(changes) }];
  onPage(`${fourcc} is shown in its colours`, streams, async (page, _, trouble) => {
    await untilState(page, 'live');
    assertColours(await readBars(page, VIEW), COLOURS, 2);
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
    const corrupt = () => detail(page, 'skipped').then((said) => Number(/(\d+) corrupt/.exec(said ?? '')?.[1] ?? 0));
    await until('broken pictures to be counted', corrupt, (count) => count >= 3);
    assertColours(await readBars(page, VIEW), COLOURS, 4);
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
  const picture = await readMotion(page, VIEW);
  await until('other pixels', () => readMotion(page, VIEW), (now) => now !== picture);
  await until('frames', () => detail(page, 'drawn'), (count) => Number(count) > 15);
  assert.equal(await detail(page, 'size'), '640 × 480');
  assert.equal(await detail(page, 'format'), 'YUYV');
  assert.match((await detail(page, 'fps')) ?? '', /^\d+\.\d of \d+\.\d fps$/);
  await until('a latency', () => detail(page, 'latency'), (said) => /^\d+(\.\d)? ms, 95 % \d/.test(said ?? ''));
  assert.match((await detail(page, 'decode')) ?? '', /^\d+(\.\d)? ms$/, 'in a worker');
  assert.equal(await page.title(), 'Workshop');
  assert.equal(await page.getByRole('img', { name: 'Camera picture: Workshop' }).count(), 1);
  await screenshot(page, 'page-details');
  await page.keyboard.press('i');
  await assertPicture(browser.context, await screenshot(page, 'page'));
});

onPage('a lost signal greys the picture and says why, until it is back', undefined, async (page, server) => {
  await untilState(page, 'live');
  server.say({ t: 'state', stream: 0, state: 'no_signal', why: '`/dev/video0` was unplugged' });
  await untilState(page, 'no_signal');
  assert.equal(await page.locator('.what').textContent(), 'No signal');
  assert.equal(await page.locator('.why').textContent(), '/dev/video0 was unplugged.');
  await until('a grey picture', () => page.locator('canvas').evaluate((canvas) => getComputedStyle(canvas).filter),
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
    server = await startFakeServer(undefined, { port: server.port });
    await untilState(page, 'live');
    const picture = await readMotion(page, VIEW);
    await until('a picture that moves again', () => readMotion(page, VIEW), (now) => now !== picture);
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

onPage('a page that is busy shows every frame: the worker paints', undefined, async (page, server) => {
  await untilState(page, 'live');
  await page.evaluate(() => {
    setInterval(() => {
      const until = performance.now() + 400;
      while (performance.now() < until);
    }, 410);
  });
  const acks = () => server.seen.said.filter(({ t }) => t === 'ack').length;
  const before = acks();
  await page.waitForTimeout(3000); // thirty frames
  assert.ok(acks() - before > 15, `${acks() - before} frames, not what two a second would be`);
});

onPage('where the page itself paints and is busy, it gets the newest and never more than two', undefined, async (page, server) => {
  await page.evaluate(() => document.querySelector('eyelet-view')?.setAttribute('no-worker', ''));
  await page.evaluate(() => document.querySelector('eyelet-view')?.setAttribute('src', './'));
  await untilState(page, 'live');
  await page.keyboard.press('i');
  await until('the page', () => detail(page, 'decode'), (said) => (said ?? '').includes('on the page'));
  await page.evaluate(() => {
    setInterval(() => {
      const until = performance.now() + 400;
      while (performance.now() < until);
    }, 410);
  });
  await until('dropped frames', () => detail(page, 'dropped'), (count) => Number(count) > 3);
  assert.ok(server.seen.mostInFlight <= 2, `${server.seen.mostInFlight} in flight`);
});

/** @type {import('./fake-server.mjs').FakeStream[]} */
const TWO = [
  { name: 'Workshop', format: makeFormat() },
  { name: 'Front door', format: makeFormat({ format: 'grey', fourcc: 'GREY', width: 320, height: 240 }) },
];

onPage('several cameras can be chosen, and the choice outlives a reload', TWO, async (page, server, trouble) => {
  await untilState(page, 'live');
  assert.equal(await page.locator('#picker').isVisible(), true);
  await page.getByLabel('Camera', { exact: true }).selectOption('Front door');
  await untilState(page, 'live');
  const width = () => page.locator('canvas').evaluate((canvas) => /** @type {HTMLCanvasElement} */ (canvas).width);
  await until('the other picture', width, (px) => px === 320);
  assert.equal(await page.title(), 'Front door');
  await page.reload();
  await until('the other picture again', width, (px) => px === 320);
  const started = server.seen.said.filter(({ t }) => t === 'start').map(({ stream }) => stream);
  assert.deepEqual([...new Set(started)], [0, 1], `${started}`);
  assert.deepEqual(trouble, []);
});

onPage('all cameras are seen side by side over one socket', TWO, async (page, server, trouble) => {
  await untilState(page, 'live');
  const before = server.seen.sockets;
  await page.keyboard.press('g');
  await until('two pictures', () => page.locator(VIEW).count(), (count) => count === 2);
  /** @param {number} stream */
  const acks = (stream) => server.seen.said.filter((said) => said.t === 'ack' && said.stream === stream).length;
  const [first, second] = [acks(0), acks(1)];
  await until('frames of both', () => Math.min(acks(0) - first, acks(1) - second), (count) => count > 5);
  assert.ok(server.seen.sockets <= before + 1, `${server.seen.sockets} sockets`);
  await screenshot(page, 'page-grid');
  assert.equal(await page.title(), 'All cameras');
  await page.getByRole('button', { name: 'Front door' }).click();
  await until('one picture', () => page.locator(VIEW).count(), (count) => count === 1);
  await until('its title', () => page.title(), (title) => title === 'Front door');
  await untilState(page, 'live');
  assert.deepEqual(trouble, []);
});

onPage('a smaller picture can be chosen where the server makes one, and the camera stays the same', [
  { name: 'Workshop', format: makeFormat() },
  { name: 'Workshop-jpeg', format: makeFormat({ format: 'jpeg', fourcc: 'MJPG' }), of: 0 },
  { name: 'small', format: makeFormat({ format: 'jpeg', fourcc: 'MJPG', width: 320, height: 240 }), of: 0 },
], async (page, server) => {
  await untilState(page, 'live');
  await page.keyboard.press('o');
  await page.getByLabel('Quality').selectOption('320 × 240, small');
  const last = () => server.seen.said.filter(({ t }) => t === 'start').at(-1);
  await until('the rendition', last, (start) => start.stream === 2);
  assert.equal(await page.title(), 'Workshop');
  assert.equal(await page.locator('#picker').isVisible(), false, 'what is made of a camera is no camera');
  await page.getByLabel('Quality').selectOption('Whole picture');
  await until('the camera again', last, (start) => start.stream === 0);
  await page.getByLabel('Format').selectOption('Raw');
  await until('the format', last, (start) => start.formats[0] === 'yuyv');
  assert.equal(server.seen.sockets, 1, 'all over one connection');
});

onPage('a stream that is not there is refused, in words', undefined, async (page) => {
  await untilState(page, 'refused');
  assert.equal(await page.locator('.what').textContent(), 'Refused');
  assert.equal(await page.locator('.why').textContent(), 'There is no stream attic.');
  await screenshot(page, 'page-refused');
}, { query: '/?stream=attic' });

onPage('one camera needs no choice', undefined, async (page) => {
  await untilState(page, 'live');
  assert.equal(await page.locator('#picker').isVisible(), false);
  assert.equal(await page.locator('#grid').isVisible(), false);
});

onPage('keys and buttons do the same', undefined, async (page, server) => {
  await untilState(page, 'live');
  const isShown = () => page.locator('.statistics').isVisible();
  await page.keyboard.press('i');
  assert.equal(await isShown(), true);
  await page.getByRole('button', { name: 'Details' }).click();
  assert.equal(await isShown(), false);
  await page.keyboard.press('Control+i');
  assert.equal(await isShown(), false, 'keys of the browser stay its own');
  await page.keyboard.press('k');
  await until('pause', () => server.seen.said.some(({ t }) => t === 'pause'), Boolean);
  await page.getByRole('button', { name: 'Play' }).click();
  await until('frames', () => server.seen.said.at(-1)?.t ?? '', (t) => t === 'ack');
  await page.keyboard.press('r');
  assert.equal(await attribute(page, 'rotate'), '90');
  await page.keyboard.press('m');
  assert.equal(await attribute(page, 'flip'), '');
  const isFull = () => page.evaluate(() => document.fullscreenElement !== null);
  await page.keyboard.press('f');
  await until('full screen', isFull, Boolean);
  await page.getByRole('button', { name: 'Leave full screen' }).click();
  await until('the window', isFull, (full) => !full);
});

onPage('a picture is turned and mirrored, in the snapshot too, and so it is after a reload', undefined, async (page) => {
  await untilState(page, 'live');
  await page.keyboard.press('r');
  await page.keyboard.press('m');
  /** Colours at the left of each eighth from the top: the bars lie on their side. */
  const read = () => page.evaluate(async () => {
    const view = /** @type {import('../../web/core/element/element.js').EyeletView} */ (document.querySelector('eyelet-view'));
    const bitmap = await createImageBitmap(await view.snapshot());
    const context = new OffscreenCanvas(bitmap.width, bitmap.height).getContext('2d');
    context?.drawImage(bitmap, 0, 0);
    const at = (/** @type {number} */ i) => context?.getImageData(bitmap.width - 8, Math.floor(((i + 0.5) / 8) * bitmap.height), 1, 1).data;
    return { size: [bitmap.width, bitmap.height], colours: Array.from({ length: 8 }, (_, i) => [...(at(i) ?? [])].slice(0, 3)) };
  });
  const { size, colours } = await read();
  assert.deepEqual(size, [480, 640]);
  assertColours(/** @type {any} */ (colours), [...COLOURS].reverse(), 2);
  const box = await page.locator(VIEW).boundingBox();
  assert.ok(box && box.height > box.width, 'the element stands upright');
  await screenshot(page, 'page-turned');
  await page.reload();
  await untilState(page, 'live');
  await until('the same turn', () => attribute(page, 'rotate'), (rotate) => rotate === '90');
  assert.equal(await attribute(page, 'flip'), '');
});

onPage('a snapshot has the name of its camera', [{ name: 'Café: door 2', format: makeFormat() }], async (page) => {
  await untilState(page, 'live');
  const [download] = await Promise.all([page.waitForEvent('download'), page.keyboard.press('s')]);
  assert.equal(download.suggestedFilename(), 'Café-door-2.png');
  await assertPicture(browser.context, await readFile(await download.path()));
});

onPage('the camera has its controls, which follow each other and what others do', undefined, async (page, server, trouble) => {
  await untilState(page, 'live');
  await page.keyboard.press('c');
  await page.getByLabel('Brightness').fill('12');
  await until('the value at the server', () => server.seen.asked.at(-1), (asked) => asked === 'PUT {"brightness":12}');
  assert.equal(await page.getByLabel('Exposure', { exact: true }).isDisabled(), true);
  await page.getByLabel('Auto Exposure').selectOption('Manual');
  await until('another control', () => page.getByLabel('Exposure', { exact: true }).isEnabled(), Boolean);
  await page.getByRole('switch', { name: 'Mirror' }).check();
  await page.getByRole('button', { name: 'Reset motion' }).click();
  await until('a button', () => server.seen.asked.at(-1), (asked) => asked === 'PUT {"reset_motion":true}');
  assert.equal(await page.getByText('Something new').count(), 0, 'what the page does not know it leaves out');
  await screenshot(page, 'page-controls');

  server.say({ t: 'controls', stream: 0, controls: [{ id: 'brightness', value: -7 }] });
  await until('what somebody else set', () => page.getByLabel('Brightness').inputValue(), (value) => value === '-7');
  await page.getByRole('button', { name: 'Save', exact: true }).click();
  await page.getByRole('button', { name: 'Defaults' }).click();
  await until('defaults', () => page.getByLabel('Brightness').inputValue(), (value) => value === '0');
  await page.getByRole('button', { name: 'Use saved' }).click();
  await until('what was saved', () => page.getByLabel('Brightness').inputValue(), (value) => value === '-7');
  await page.getByLabel('Brightness').fill('64');
  await until('the refusal', () => page.getByRole('alert').textContent(), (said) => said === 'brightness takes -64 to 60');
  await until('the true value', () => page.getByLabel('Brightness').inputValue(), (value) => value === '-7');
  assert.deepEqual(trouble, []);
}, { controls: makeControls() });

onPage('lines for other programs are there to copy, with this address', undefined, async (page, server) => {
  await untilState(page, 'live');
  await page.getByRole('button', { name: 'Use it elsewhere' }).click();
  assert.ok((await page.locator('#panel').textContent())?.includes(`mjpeg_url: ${server.url}/-/stream.mjpg`));
  await screenshot(page, 'page-share');
  await browser.context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: server.url });
  await page.getByRole('button', { name: 'Copy: ffmpeg' }).click();
  await until('the word', () => page.getByRole('button', { name: 'Copy: ffmpeg' }).textContent(), (said) => said === 'Copied');
  assert.match(await page.evaluate(() => navigator.clipboard.readText()), /^ffmpeg .*stream\.mjpg/);
  await page.keyboard.press('Escape');
  assert.equal(await page.locator('#panel').isVisible(), false);
});

onPage('where WebAssembly is refused the tables do the same', undefined, async (page) => {
  await untilState(page, 'live');
  assertColours(await readBars(page, VIEW), COLOURS, 2);
}, { policy: "default-src 'self'; img-src 'self' blob: data:; connect-src 'self'" });

test('where no WebSocket comes through there are pictures by plain HTTP', async () => {
  const jpeg = await makeJpeg();
  const format = makeFormat({ format: 'jpeg', fourcc: 'JPEG' });
  const server = await startFakeServer([{ name: 'JPEG', format, draw: () => jpeg }], { refusesSockets: true });
  const { page } = await browser.open(server.url);
  try {
    await untilState(page, 'live');
    const size = () => page.locator(`${VIEW} img`).evaluate((image) => /** @type {HTMLImageElement} */ (image).naturalWidth);
    assert.equal(await size(), 640);
    await assertPicture(browser.context, await screenshot(page, 'page-image'));
  } finally {
    await page.close();
    await server.stop();
  }
});

/** A page of another site, from `examples/web`, that shows this server. @param {string} name @param {FakeServer} server */
async function serveExample(name, { url }) {
  const text = await readFile(fileURLToPath(new URL(`../../examples/web/${name}.html`, import.meta.url)), 'utf8');
  const page = text.replaceAll('http://127.0.0.1:9090', url);
  const site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(page));
  await new Promise((resolve) => site.listen(0, '127.0.0.1', () => resolve(null)));
  const { port } = /** @type {import('node:net').AddressInfo} */ (site.address());
  return {
    url: `http://127.0.0.1:${port}`,
    stop() {
      site.closeAllConnections();
      site.close();
    },
  };
}

/**
 * An example of a page that embeds the element.
 *
 * @param {string} name
 * @param {(page: Page) => Promise<void>} body
 */
const onExample = (name, body) =>
  test(`the example ${name} works on another site`, async () => {
    const server = await startFakeServer(TWO, { allowed: '*' });
    const site = await serveExample(name, server);
    const { page, trouble } = await browser.open(site.url);
    try {
      const state = () => page.locator(VIEW).first().evaluate((view) => /** @type {any} */ (view).status?.state);
      await until('the picture', state, (got) => got === 'live');
      assertColours(await readBars(page, VIEW), COLOURS, 2);
      await body(page);
      await screenshot(page, `example-${name}`);
      assert.deepEqual(trouble.filter((said) => !said.includes('favicon')), []);
    } finally {
      await page.close();
      await server.stop();
      site.stop();
    }
  });

onExample('five-lines', async (page) => {
  const { length } = (await readFile(new URL('../../examples/web/five-lines.html', import.meta.url), 'utf8')).trim().split('\n');
  assert.equal(length, 5);
  assert.equal(await page.getByRole('button', { name: 'Full screen' }).count(), 1);
});

onExample('wall', async (page) => {
  await until('a view of each camera', () => page.locator(VIEW).count(), (count) => count === 2);
  const states = () => page.locator(VIEW).evaluateAll((views) => views.map((view) => /** @type {any} */ (view).status.state));
  await until('all live', states, (all) => all.every((state) => state === 'live'));
});

onExample('own-buttons', async (page) => {
  await until('the line', () => page.locator('#line').textContent(), (said) => said?.startsWith('live') ?? false);
  await page.locator('#keep').click();
  await until('a picture kept', () => page.locator('body > img').count(), (count) => count === 1);
  await page.locator('#turn').click();
  assert.equal(await attribute(page, 'rotate'), '90');
  await page.locator('#pause').click();
  assert.equal(await attribute(page, 'paused'), '');
});

test('a page of a site that is not allowed sees no picture, and says so', async () => {
  const server = await startFakeServer(undefined, { allowed: 'http://elsewhere.test' });
  const site = await serveExample('five-lines', server);
  const { page } = await browser.open(site.url);
  try {
    const status = () => page.locator(VIEW).evaluate((view) => /** @type {any} */ (view).status);
    await until('the word', status, (got) => got?.state === 'lost');
    // What a site may always have is an image; it is not told of the camera, and cannot read its pixels.
    assert.equal(server.seen.sockets, 0);
  } finally {
    await page.close();
    await server.stop();
    site.stop();
  }
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
    const seen = ['eyelet-view', '#badge', '#share', '.statistics', ...['Pause', 'Details', 'Settings', 'Snapshot', 'Full screen'].map(
      (name) => `button[aria-label="${name}"]`)];
    for (const selector of seen) {
      const box = await page.locator(selector).boundingBox();
      assert.ok(box && box.x >= 0 && box.y >= 0 && box.x + box.width <= width && box.y + box.height <= height, selector);
    }
    await page.keyboard.press('l');
    await screenshot(page, `page-${name}-share`);
    assert.equal(await overflow(), 0);
  });
}

for (const colorScheme of /** @type {('light' | 'dark')[]} */ (['light', 'dark'])) {
  onPage(`nobody is shut out: the rules of axe hold, ${colorScheme}`, TWO, async (page) => {
    await page.emulateMedia({ colorScheme });
    await untilState(page, 'live');
    const check = async (/** @type {string} */ what) => {
      await page.evaluate(await readFile(AXE, 'utf8'));
      const found = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run());
      const said = found.violations.map((/** @type {any} */ { id, nodes }) =>
        `${id}: ${nodes.map((/** @type {any} */ { html, failureSummary }) => `${html} ${failureSummary}`).join(' ')}`);
      assert.deepEqual(said, [], what);
    };
    await check('the picture');
    await page.keyboard.press('i');
    await page.keyboard.press('o');
    await check('details and settings');
    await page.keyboard.press('Escape');
    await page.keyboard.press('c');
    await check('controls');
    await page.keyboard.press('l');
    await check('lines to copy');
    await page.keyboard.press('Escape');
    await page.keyboard.press('g');
    await check('all cameras');
    await screenshot(page, `page-grid-${colorScheme}`);
  }, { controls: makeControls() });
}

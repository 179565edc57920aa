/** The page in Firefox: colours of every format, motion, and coming back. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BARS } from './bars.mjs';
import { assertColours, keepPicture, readBars, readMotion, until, untilState } from './browser.mjs';
import { makeFormat, startFakeServer } from './fake-server.mjs';
import { launchFirefox } from './firefox.mjs';

const VIEW = 'eyelet-view';
const COLOURS = BARS.map(({ rgb }) => rgb);

/** @type {Awaited<ReturnType<typeof launchFirefox>>} */
let firefox;
before(async () => {
  firefox = await launchFirefox();
});
after(() => firefox?.close());

/** @type {Record<string, Partial<import('../../web/core/protocol.js').Format>>} */
const FORMATS = {
  YUYV: {},
  'YUYV of BT.709': { matrix: 'bt709' },
  UYVY: { format: 'uyvy' },
  NV12: { format: 'nv12' },
  RGB3: { format: 'rgb24', range: 'full' },
  RGBA: { format: 'rgba', range: 'full' },
};

for (const [name, changes] of Object.entries(FORMATS)) {
  test(`Firefox: ${name} is shown in its colours, and moves`, async () => {
    const server = await startFakeServer([{ name: 'Bars', format: makeFormat(changes) }]);
    const page = await firefox.open(server.url);
    try {
      await untilState(page, 'live');
      assertColours(await readBars(page, VIEW), COLOURS, 2);
      const picture = await readMotion(page, VIEW);
      await until('other pixels', () => readMotion(page, VIEW), (now) => now !== picture);
      keepPicture('firefox', await page.screenshot());
      assert.deepEqual(page.trouble, []);
    } finally {
      await page.close();
      await server.stop();
    }
  });
}

test('Firefox: the page says that the server is gone, and comes back with it', async () => {
  let server = await startFakeServer();
  const page = await firefox.open(server.url);
  try {
    await untilState(page, 'live');
    await server.stop();
    await untilState(page, 'lost');
    server = await startFakeServer(undefined, { port: server.port });
    await untilState(page, 'live');
  } finally {
    await page.close();
    await server.stop();
  }
});

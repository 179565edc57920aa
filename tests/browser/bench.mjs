/**
 * What the player costs and how late it is, beside the page of the article, in one run; `cargo xtask bench page`.
 *
 * Nothing is asserted: machines differ, and only the ratios of a run say something. Processor time is that of all the
 * browser's processes, with no debugger attached, which would copy every message of a page's socket.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { FLAGS, findChromium, launch, until } from './browser.mjs';
import { startEyelet } from './eyelet.mjs';

/** @typedef {import('playwright-core').Page} Page */
/** @typedef {import('../../web/core/tally.js').Stats} Stats */

const SECONDS = 8;
const SETTLE_MS = 3000;
const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK']));
const ARTICLE = fileURLToPath(new URL('../../examples/perl/eyetoy.pl', import.meta.url));

const wait = (/** @type {number} */ ms) => new Promise((resolve) => setTimeout(resolve, ms));
const median = (/** @type {number[]} */ values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const round = (/** @type {number} */ value, digits = 1) => value.toFixed(digits);

/** @type {string[]} */
const report = [];
/** @param {string} line */
function say(line) {
  report.push(line);
  console.log(line);
}

/** Runs something with a server, and stops it. @template T @param {string[]} args @param {(url: string) => Promise<T>} body */
async function withServer(args, body) {
  const eyelet = await startEyelet(['run', ...args, '--listen', '127.0.0.1:0']);
  try {
    return await body(eyelet.url);
  } finally {
    await eyelet.stop();
  }
}

/** @param {string} url */
const framesSent = async (url) => (await (await fetch(`${url}/-/api/status`)).json()).frames_sent;

/** The browser's processor time for each frame that it was sent, in ms. @param {string} url of the page @param {string} server */
async function costOfBrowser(url, server) {
  const profile = mkdtempSync(join(tmpdir(), 'eyelet-bench-'));
  const args = [...FLAGS, `--user-data-dir=${profile}`, '--window-size=1280,800', url];
  const browser = spawn(findChromium(), args, { stdio: 'ignore', detached: true });
  try {
    await until('frames', () => framesSent(server), (frames) => frames > 30);
    await wait(SETTLE_MS);
    const tree = () => processorSeconds(browser.pid ?? 0);
    const [frames, seconds] = [await framesSent(server), tree()];
    await wait(SECONDS * 1000);
    return ((tree() - seconds) * 1000) / ((await framesSent(server)) - frames);
  } finally {
    process.kill(-(browser.pid ?? 0), 'SIGKILL');
    await wait(500);
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

/** Processor time of a process and all that descend from it. @param {number} root */
function processorSeconds(root) {
  /** @type {Map<number, {parent: number, ticks: number}>} */
  const all = new Map();
  for (const name of readdirSync('/proc').filter((name) => /^\d+$/.test(name))) {
    try {
      const fields = readFileSync(`/proc/${name}/stat`, 'utf8').split(') ')[1].split(' ');
      all.set(Number(name), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    } catch {
      // ended meanwhile
    }
  }
  let ticks = 0;
  for (const [pid, { ticks: own }] of all) {
    for (let at = pid; at > 1; at = all.get(at)?.parent ?? 0) if (at === root) ticks += own;
  }
  return ticks / TICKS_PER_SECOND;
}

/** A browser that is driven, and a page in it. @template T @param {string} url @param {(page: Page) => Promise<T>} body @param {string} [script] */
async function onPage(url, body, script) {
  const browser = await launch();
  try {
    const page = await browser.context.newPage();
    if (script) await page.addInitScript(script);
    await page.goto(url);
    return await body(page);
  } finally {
    await browser.close();
  }
}

/** @param {Page} page @returns {Promise<Stats>} */
const stats = (page) => page.evaluate(() => /** @type {any} */ (document.querySelector('eyelet-view')).stats);
/** @param {Page} page */
const untilShown = (page) => until('a picture', () => stats(page), (read) => read?.drawn > 10);

/** Conversion and painting of one frame on the page, in ms: the loop of the article, and ours. @param {Page} page @param {number} width @param {number} height */
const conversion = (page, width, height) =>
  page.evaluate(async ([width, height]) => {
    const { createDecoder } = await import(/** @type {any} */ ('/-/core/decoders/index.js'));
    const canvas = Object.assign(document.createElement('canvas'), { width, height });
    const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext('2d', { alpha: false }));
    const payload = crypto.getRandomValues(new Uint8Array(65536));
    const frame = new Uint8Array(width * height * 2).map((_, i) => payload[i % 65536]);
    const rgba = context.createImageData(width, height);
    for (let i = 3; i < rgba.data.length; i += 4) rgba.data[i] = 255;

    function article() {
      // The loop as it was published.
      const ycbcr = new Uint8ClampedArray(frame.buffer);
      let pos, ycbcr_pos;
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          pos = y * width * 4 + x * 4;
          let vy, cb, cr;
          if (x % 2 === 0) {
            ycbcr_pos = y * width * 2 + x * 2;
            vy = ycbcr[ycbcr_pos];
          } else {
            ycbcr_pos = y * width * 2 + (x - 1) * 2;
            vy = ycbcr[ycbcr_pos + 2];
          }
          cb = ycbcr[ycbcr_pos + 1];
          cr = ycbcr[ycbcr_pos + 3];
          const r = cr + ((cr * 103) >> 8) - 179;
          const g = ((cb * 88) >> 8) - 44 + ((cr * 183) >> 8) - 91;
          const b = cb + ((cb * 198) >> 8) - 227;
          rgba.data[pos] = vy + r;
          rgba.data[pos + 1] = vy + g;
          rgba.data[pos + 2] = vy + b;
        }
      }
      context.putImageData(rgba, 0, 0);
    }
    const format = { format: 'yuyv', fourcc: 'YUYV', width, height, stride: width * 2, fps: 30, matrix: 'bt601', range: 'limited' };
    const decoder = createDecoder(format, { pixels: (/** @type {any} */ _, /** @type {ImageData} */ pixels) => context.putImageData(pixels, 0, 0) });
    const ours = () => decoder.decode({ payload: frame });

    /** The median of many groups, as a browser's clock is coarse. @param {() => void} run */
    const time = (run) => {
      const times = [];
      for (let i = 0; i < 30; i++) {
        const from = performance.now();
        for (let n = 0; n < 10; n++) {
          run();
          context.getImageData(0, 0, 1, 1); // what was put is painted before this answers
        }
        times.push((performance.now() - from) / 10);
      }
      return times.sort((a, b) => a - b)[15];
    };
    time(article);
    time(ours);
    return { article: time(article), ours: time(ours) };
  }, [width, height]);

/**
 * The age of the picture by the time that is burnt into its first row, read back from the canvas; in ms.
 *
 * Only the pixels and the machine's clocks are used, nothing that the player knows.
 *
 * @param {Page} page
 */
async function burntAges(page) {
  const read = await page.evaluate(async () => {
    const canvas = /** @type {HTMLCanvasElement} */ (document.querySelector('eyelet-view')?.shadowRoot?.querySelector('canvas'));
    const context = new OffscreenCanvas(64, 1).getContext('2d', { willReadFrequently: true });
    /** @type {{capturedUs: number, wallMs: number}[]} */
    const all = [];
    let last = 0;
    while (all.length < 100) {
      await new Promise(requestAnimationFrame);
      context?.drawImage(canvas, 64, 0, 64, 1, 0, 0, 64, 1); // the second word: when it was captured, and a check sum
      const data = context?.getImageData(0, 0, 64, 1).data ?? [];
      let capturedUs = 0;
      for (let bit = 0; bit < 48; bit++) capturedUs = capturedUs * 2 + (data[bit * 4 + 1] > 127 ? 1 : 0);
      if (capturedUs !== last) all.push({ capturedUs, wallMs: performance.timeOrigin + performance.now() });
      last = capturedUs;
    }
    return all.slice(1);
  });
  const wallToMonotonicMs = Number(process.hrtime.bigint()) / 1e6 - (performance.timeOrigin + performance.now());
  return read.map(({ capturedUs, wallMs }) => wallMs + wallToMonotonicMs - capturedUs / 1000);
}

say(`# The player\n\n${new Date().toISOString().slice(0, 10)}, ${cpus().length} × ${cpus()[0].model}, Chromium without a GPU. Ratios are ours to the article's.\n`);

await withServer(['--source', 'test:640x480@30'], (url) => onPage(url, async (page) => {
  await page.evaluate(() => document.querySelector('eyelet-view')?.setAttribute('paused', ''));
  say('| conversion and painting of a YUYV frame, ms | article | ours | ratio |\n|---|---|---|---|');
  for (const [width, height] of [[640, 480], [1280, 720]]) {
    const { article, ours } = await conversion(page, width, height);
    say(`| ${width}×${height} | ${round(article, 2)} | ${round(ours, 2)} | ${round(ours / article, 2)} |`);
  }
}));

/** A page that shows the camera as large as the article does, and nothing else. @param {string} format */
const costOfElement = (format) => withServer(['--source', 'test:640x480@30', '--allow-origin', '*'], async (url) => {
  const site = createServer((_, response) => response.setHeader('content-type', 'text/html').end(
    `<!doctype html><script type="module" src="${url}/-/eyelet.js"></script>
    <eyelet-view src="${url}/" format="${format}" style="width: 640px"></eyelet-view>`));
  await new Promise((resolve) => site.listen(0, '127.0.0.1', () => resolve(null)));
  try {
    return await costOfBrowser(`http://127.0.0.1:${/** @type {import('node:net').AddressInfo} */ (site.address()).port}/`, url);
  } finally {
    site.closeAllConnections();
    site.close();
  }
});

const article = await withServer(['--source', 'test:640x480@30', '--psgi', ARTICLE], (url) => costOfBrowser(`${url}/`, url));
const ours = await costOfElement('yuyv');
const jpeg = await costOfElement('jpeg');
const whole = await withServer(['--source', 'test:640x480@30'], (url) => costOfBrowser(`${url}/?format=yuyv`, url));
say('\n| processor time of the whole browser for a frame of 640×480 at 30 fps, ms | | ratio |\n|---|---|---|');
say(`| the article's page, raw | ${round(article)} | 1 |`);
say(`| our element, raw | ${round(ours)} | ${round(ours / article, 2)} |`);
say(`| our element, JPEG | ${round(jpeg)} | ${round(jpeg / article, 2)} |`);
say(`| our page in a window of 1280×800, raw, so that the picture is 2.2 times as large | ${round(whole)} | ${round(whole / article, 2)} |`);

say('\n| | painted of received, fps | latency by the page, median and 95 %, ms | by the time in the picture, median, ms |\n|---|---|---|---|');
for (const [source, format] of [['640x480', 'yuyv'], ['640x480', 'jpeg'], ['1280x720', 'yuyv'], ['1280x720', 'jpeg']]) {
  await withServer(['--source', `test:${source}@30`], (url) => onPage(`${url}/?format=${format}`, async (page) => {
    await untilShown(page);
    await wait(SETTLE_MS);
    const before = await stats(page);
    const from = performance.now();
    await wait(SECONDS * 1000);
    const { latencyMs, latencyP95Ms, drawn, skipped, dropped } = await stats(page);
    const fps = ((drawn - before.drawn) * 1000) / (performance.now() - from);
    const lost = skipped - before.skipped + dropped - before.dropped;
    // A lossy picture blurs single pixels.
    const burnt = format === 'yuyv' ? round(median(await burntAges(page))) : '–';
    say(`| ${source} ${format} | ${round(fps)}, ${lost} lost | ${round(latencyMs ?? NaN)}, ${round(latencyP95Ms ?? NaN)} | ${burnt} |`);
  }));
}

const SLOW = `delete HTMLCanvasElement.prototype.transferControlToOffscreen;
const put = CanvasRenderingContext2D.prototype.putImageData;
CanvasRenderingContext2D.prototype.putImageData = function (...all) {
  const until = performance.now() + 60;
  while (performance.now() < until);
  return put.apply(this, all);
};`;
await withServer(['--source', 'test:640x480@30'], (url) => onPage(`${url}/?format=yuyv`, async (page) => {
  await untilShown(page);
  await wait(20_000);
  const { latencyMs, fps } = await stats(page);
  say(`\nA page that needs 60 ms for each frame, after 20 s: ${round(latencyMs ?? NaN)} ms, ${round(fps)} fps.`);
}, SLOW));

/** @type {number[]} */
const first = [];
for (let i = 0; i < 7; i++) {
  await withServer(['--source', 'test:640x480@30'], (url) => onPage('about:blank', async (page) => {
    await page.addInitScript(() => {
      const look = () => {
        if (document.body?.dataset.state === 'live') Object.assign(globalThis, { firstMs: performance.now() });
        else setTimeout(look, 2);
      };
      look();
    });
    await wait(SETTLE_MS); // a browser that has just been started does much else
    await page.goto(url);
    first.push(Number(await until('a picture', () => page.evaluate(() => /** @type {any} */ (globalThis).firstMs), Boolean)));
  }));
}
say(`\nFrom opening the page to the first picture, nothing cached: ${round(median(first), 0)} ms (median of ${first.length}).`);

const out = process.argv[2];
if (out) {
  mkdirSync(out, { recursive: true });
  writeFileSync(join(out, 'page.md'), `${report.join('\n')}\n`);
}

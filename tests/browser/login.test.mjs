/** Users of the real executable: the form, the session, its end. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { launch, screenshot, until, untilState } from './browser.mjs';
import { findExecutable, startEyelet } from './eyelet.mjs';

const PASSWORD = 'correct horse battery';

/** @type {Awaited<ReturnType<typeof launch>>} */
let browser;
/** @type {string} */
let folder;
before(async () => {
  browser = await launch();
  folder = mkdtempSync(join(tmpdir(), 'eyelet-login-'));
  const words = ['user', 'add', 'ann', '--rights', 'control', '--password-stdin', '--file', join(folder, 'users')];
  const made = spawnSync(findExecutable(), words, { input: `${PASSWORD}\n`, encoding: 'utf8' });
  assert.equal(made.status, 0, made.stderr);
});
after(async () => {
  await browser?.close();
  rmSync(folder, { recursive: true, force: true, maxRetries: 3 });
});

/** @param {string | number} port */
const run = (port = 0) => startEyelet([
  'run', '--source', 'test:320x240@10', '--listen', `127.0.0.1:${port}`, '--users', join(folder, 'users'),
]);

/** @param {import('playwright-core').Page} page @param {string} password */
async function logIn(page, password) {
  await page.getByLabel('Name').fill('ann');
  await page.getByLabel('Password').fill(password);
  await page.getByRole('button', { name: 'Log in' }).click();
}

test('a browser logs in, watches, changes a control, and logs out', async () => {
  const eyelet = await run();
  const { page, trouble } = await browser.open(eyelet.url);
  try {
    assert.match(page.url(), /\/-\/login\?next=/);
    await screenshot(page, 'login');
    await logIn(page, 'hunter2');
    await page.getByText('do not belong together').waitFor();
    await screenshot(page, 'login-wrong');
    // The browser notes the answer 401 to what was wrong.
    trouble.length = 0;
    await logIn(page, PASSWORD);
    await untilState(page, 'live');
    assert.equal(new URL(page.url()).pathname, '/');
    const answer = await page.evaluate(() =>
      fetch('-/api/controls', { method: 'PUT', body: '{"brightness":1}' }).then(({ status }) => status));
    assert.equal(answer, 200);
    await screenshot(page, 'logged-in');
    await page.getByRole('button', { name: 'Log out' }).click();
    await page.getByText('Log in to watch').waitFor();
    assert.deepEqual(trouble, []);
    await page.goto(eyelet.url);
    assert.match(page.url(), /\/-\/login/);
  } finally {
    await page.close();
    await eyelet.stop();
  }
});

test('a session that is over leads to the form, and back to where one was', async () => {
  let eyelet = await run();
  const { page } = await browser.open(`${eyelet.url}/?stream=camera`);
  try {
    await logIn(page, PASSWORD);
    await untilState(page, 'live');
    // Another run signs with another key.
    await eyelet.stop();
    eyelet = await run(eyelet.port);
    await page.getByText('Log in to watch').waitFor();
    await logIn(page, PASSWORD);
    await untilState(page, 'live');
    assert.equal(new URL(page.url()).search, '?stream=camera');
    await until('a way out', () => page.locator('#session').isVisible(), (visible) => visible);
  } finally {
    await page.close();
    await eyelet.stop();
  }
});

/** Firefox for the tests: the machine's own, driven by WebDriver BiDi, which it speaks by itself. */
import { spawn } from 'node:child_process';
import { accessSync, constants, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { WebSocket } from 'ws';

/** A first start with a new profile, on a loaded machine. */
const DEADLINE_MS = 60_000;

function findFirefox() {
  for (const folder of (process.env.PATH ?? '').split(delimiter)) {
    for (const name of ['firefox', 'firefox-esr']) {
      try {
        accessSync(join(folder, name), constants.X_OK);
        return join(folder, name);
      } catch {
        // not here
      }
    }
  }
  throw new Error('no Firefox on PATH: install the package `firefox-esr`');
}

/** Nothing is fetched, asked or told on its own. */
const PREFERENCES = {
  'app.normandy.enabled': false,
  'app.update.enabled': false,
  'browser.shell.checkDefaultBrowser': false,
  'datareporting.policy.dataSubmissionEnabled': false,
  'network.captive-portal-service.enabled': false,
  'network.connectivity-service.enabled': false,
  'toolkit.telemetry.enabled': false,
};

export async function launchFirefox() {
  const profile = mkdtempSync(join(tmpdir(), 'eyelet-firefox-'));
  const lines = Object.entries(PREFERENCES).map(([name, value]) => `user_pref(${JSON.stringify(name)}, ${JSON.stringify(value)});`);
  writeFileSync(join(profile, 'user.js'), lines.join('\n'));
  const args = ['--headless', '--no-remote', '--profile', profile, '--remote-debugging-port', '0', 'about:blank'];
  const child = spawn(findFirefox(), args, { stdio: ['ignore', 'ignore', 'pipe'], detached: true });
  const exited = new Promise((resolve) => child.on('exit', resolve));
  /** @type {string[]} */
  const log = [];
  const end = async () => {
    // Firefox is several processes, and its own wish to save what it did would take seconds.
    if (child.pid && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
    await exited;
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  };
  try {
    const address = await new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`Firefox did not start:\n${log.join('\n')}`)), DEADLINE_MS);
      child.on('error', reject);
      createInterface({ input: child.stderr }).on('line', (line) => {
        log.push(line);
        const found = /WebDriver BiDi listening on (ws:\S+)/.exec(line);
        if (!found) return;
        clearTimeout(timer);
        resolve(`${found[1]}/session`);
      });
    });
    const driver = await Driver.connect(address);
    return {
      /** A page, with what went wrong on it. @param {string} url */
      async open(url) {
        const { context } = await driver.ask('browsingContext.create', { type: 'tab' });
        await driver.ask('session.subscribe', { events: ['log.entryAdded'] });
        await driver.ask('browsingContext.navigate', { context, url, wait: 'complete' });
        return new FirefoxPage(driver, context);
      },
      async close() {
        driver.close();
        await end();
      },
    };
  } catch (error) {
    await end();
    throw error;
  }
}

/** One connection: commands and their answers, by number. */
class Driver {
  #socket;
  #count = 0;
  /** @type {Map<number, {resolve: (result: any) => void, reject: (error: Error) => void}>} */
  #asked = new Map();
  /** Errors and warnings of all pages. @type {string[]} */
  trouble = [];

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.#socket = socket;
    socket.on('message', (data) => {
      const message = JSON.parse(String(data));
      if (message.method === 'log.entryAdded' && message.params.level === 'error') this.trouble.push(message.params.text);
      const asked = this.#asked.get(message.id);
      this.#asked.delete(message.id);
      if (message.type === 'error') asked?.reject(new Error(`${message.error}: ${message.message}`));
      else asked?.resolve(message.result);
    });
  }

  /** @param {string} address */
  static async connect(address) {
    const socket = new WebSocket(address, { perMessageDeflate: false });
    await new Promise((resolve, reject) => socket.on('open', resolve).on('error', reject));
    const driver = new Driver(socket);
    await driver.ask('session.new', { capabilities: {} });
    return driver;
  }

  /** @param {string} method @param {object} params @returns {Promise<any>} */
  ask(method, params) {
    const id = (this.#count += 1);
    this.#socket.send(JSON.stringify({ id, method, params }));
    return new Promise((resolve, reject) => this.#asked.set(id, { resolve, reject }));
  }

  close() {
    this.#socket.terminate();
  }
}

/** As much of a page as Playwright's readers of pixels need. */
export class FirefoxPage {
  #driver;
  #context;

  /** @param {Driver} driver @param {string} context */
  constructor(driver, context) {
    this.#driver = driver;
    this.#context = context;
  }

  get trouble() {
    return this.#driver.trouble;
  }

  /**
   * Runs a function on the page; what it is given and gives goes as JSON.
   *
   * @param {Function} run
   * @param {unknown} [given]
   * @returns {Promise<any>}
   */
  async evaluate(run, given) {
    const declaration = `async (given) => JSON.stringify(await (${run})(...(given === undefined ? [] : [JSON.parse(given)]))) ?? 'null'`;
    const { type, result, exceptionDetails } = await this.#driver.ask('script.callFunction', {
      functionDeclaration: declaration,
      arguments: given === undefined ? [] : [{ type: 'string', value: JSON.stringify(given) }],
      target: { context: this.#context },
      awaitPromise: true,
    });
    if (type !== 'success') throw new Error(exceptionDetails.text);
    return JSON.parse(result.value);
  }

  /** @returns {Promise<Buffer>} */
  async screenshot() {
    const { data } = await this.#driver.ask('browsingContext.captureScreenshot', { context: this.#context });
    return Buffer.from(data, 'base64');
  }

  close() {
    return this.#driver.ask('browsingContext.close', { context: this.#context });
  }
}

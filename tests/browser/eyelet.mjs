/** The real executable, started and stopped by tests. */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

/** Time to start and to stop; the executable itself gives up a graceful stop after 5 s. */
const DEADLINE_MS = 20_000;

/** `EYELET_BIN`, or what a build left in the usual place. */
export function findExecutable() {
  const places = process.env.EYELET_BIN
    ? [process.env.EYELET_BIN]
    : ['release', 'debug'].map((profile) => fileURLToPath(new URL(`../../target/${profile}/eyelet`, import.meta.url)));
  const found = places.find((place) => existsSync(place));
  if (!found) throw new Error(`no executable at ${places.join(' or ')}: build it, or set EYELET_BIN`);
  return found;
}

/**
 * Starts it and waits for its address.
 *
 * @param {string[]} args
 * @param {{cwd?: string}} [options]
 */
export async function startEyelet(args, { cwd } = {}) {
  const child = spawn(findExecutable(), args, { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  /** What it said, for the message when something is wrong. @type {string[]} */
  const log = [];
  const exited = new Promise((resolve) => child.on('exit', (code, signal) => resolve(signal ?? code)));
  const stop = async () => {
    child.kill('SIGTERM');
    await within('stop', exited, log).finally(() => child.kill('SIGKILL'));
  };
  createInterface({ input: child.stderr }).on('line', (line) => log.push(line));
  const ready = new Promise((resolve, reject) => {
    child.on('error', reject);
    createInterface({ input: child.stdout }).on('line', (line) => {
      log.push(line);
      const url = /listening on (http:\/\/[^\s/]+)/.exec(line)?.[1];
      if (url) resolve(url);
    });
    exited.then((how) => reject(new Error(`ended (${how}) before it listened:\n${log.join('\n')}`)));
  });
  try {
    const url = /** @type {string} */ (await within('listen', ready, log));
    return { url, port: new URL(url).port, stop, log };
  } catch (error) {
    child.kill('SIGKILL');
    throw error;
  }
}

/**
 * @template T
 * @param {string} what
 * @param {Promise<T>} done
 * @param {string[]} log
 * @returns {Promise<T>}
 */
async function within(what, done, log) {
  /** @type {NodeJS.Timeout | undefined} */
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`did not ${what} in time:\n${log.join('\n')}`)), DEADLINE_MS);
  });
  return Promise.race([done, /** @type {Promise<never>} */ (late)]).finally(() => clearTimeout(timer));
}
